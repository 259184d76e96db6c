//! F-MOUNTOPT: mount options in the bundle, and `-v`, `--mount` and `--tmpfs` of the engine: the flags
//! that come out are never weaker than what was asked for, and nothing that was asked for is left out.
//!
//! Input: lines. The first is the filesystem's type, the second the source, each further one an option; or
//! the first is `-v`, `--mount` or `--tmpfs` and the second its value. The oracle looks, for each flag,
//! for the last word that speaks of it (config.md "Linux mount options", mount_setattr(2)).

use dhow_engine::options::{Mount as Asked, Propagation};
use dhow_runtime::plan::mounts::{self, Attributes, Source};
use dhow_runtime::spec;

/// Word, its opposite, and the flag.
const FLAGS: [(&str, &str, u64); 6] = [
    ("ro", "rw", 0x1),
    ("nosuid", "suid", 0x2),
    ("nodev", "dev", 0x4),
    ("noexec", "exec", 0x8),
    ("nodiratime", "diratime", 0x80),
    ("nosymfollow", "symfollow", 0x20_0000),
];
/// The words that choose one way of keeping access times, and the values under their mask.
const ACCESS_TIMES: [(&str, u64); 6] = [
    ("noatime", 0x10),
    ("strictatime", 0x20),
    ("norelatime", 0x20),
    ("atime", 0),
    ("relatime", 0),
    ("nostrictatime", 0),
];
const ACCESS_TIME_MASK: u64 = 0x70;
/// Words with an effect of another kind, or none.
const OTHERS: [&str; 19] = [
    "bind",
    "rbind",
    "remount",
    "idmap",
    "ridmap",
    "tmpcopyup",
    "defaults",
    "silent",
    "loud",
    "iversion",
    "noiversion",
    "private",
    "rprivate",
    "slave",
    "rslave",
    "shared",
    "rshared",
    "unbindable",
    "runbindable",
];

/// No mount is weaker than what was asked for.
///
/// # Panics
/// When one is.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    match first {
        "-v" => volume(rest),
        "--mount" => long_form(rest),
        "--tmpfs" => tmpfs(rest),
        kind => {
            let mut lines = rest.split('\n').map(str::to_owned);
            let source = lines.next().filter(|source| !source.is_empty());
            bundle(kind, source, lines.collect());
        }
    }
}

fn bundle(kind: &str, source: Option<String>, options: Vec<String>) {
    let mount = spec::Mount {
        destination: "/x".into(),
        kind: (!kind.is_empty()).then(|| kind.to_owned()),
        source,
        options,
        ..spec::Mount::default()
    };
    let Ok(made) = mounts::parse(&mount, "mounts[0]") else {
        return;
    };
    let words: Vec<&str> = mount.options.iter().map(String::as_str).collect();
    // `relatime`, `ro` and `rw` begin with an r of their own.
    let below = |word: &&str| word.starts_with('r') && !["ro", "rw", "relatime"].contains(word);
    let recursive: Vec<&str> = words
        .iter()
        .copied()
        .filter(below)
        .map(|word| &word[1..])
        .collect();
    let own: Vec<&str> = words.iter().copied().filter(|word| !below(word)).collect();
    assert_eq!(made.attributes, attributes(&own), "{words:?}");
    assert_eq!(
        made.recursive_attributes,
        attributes(&recursive),
        "{words:?}"
    );

    let foreign = |word: &&&str| {
        let plain = if below(word) { &word[1..] } else { *word };
        !OTHERS.contains(word) && !speaks_of_a_flag(plain)
    };
    let foreign: Vec<&str> = words.iter().filter(foreign).copied().collect();
    let kept: Vec<String> = match &made.source {
        Source::Filesystem { options, .. } => {
            let one = |(key, value): &(String, Option<String>)| match value {
                Some(value) => format!("{key}={value}"),
                None => key.clone(),
            };
            options.iter().map(one).collect()
        }
        _ => Vec::new(),
    };
    assert_eq!(kept, foreign, "options of the filesystem in {words:?}");
    let spread: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| OTHERS[11..].contains(word))
        .collect();
    assert_eq!(made.propagation.len(), spread.len());
    for ((propagation, deep), word) in made.propagation.iter().zip(spread) {
        let name = format!("{propagation:?}").to_lowercase();
        assert_eq!(if *deep { format!("r{name}") } else { name }, word);
    }
    if words.contains(&"remount") {
        assert!(matches!(made.source, Source::Remount));
    }
}

fn speaks_of_a_flag(word: &str) -> bool {
    FLAGS
        .iter()
        .any(|(one, other, _)| [*one, *other].contains(&word))
        || ACCESS_TIMES.iter().any(|(one, _)| *one == word)
}

/// What the words mean, by the last of each kind.
fn attributes(words: &[&str]) -> Attributes {
    let mut meant = Attributes::default();
    for (one, other, flag) in FLAGS {
        match words.iter().rfind(|word| [one, other].contains(word)) {
            Some(last) if *last == one => meant.set |= flag,
            Some(_) => meant.clear |= flag,
            None => {}
        }
    }
    let chosen = |word: &&str| ACCESS_TIMES.iter().find(|(one, _)| one == word);
    if let Some((_, value)) = words.iter().filter_map(chosen).next_back() {
        meant.set |= value;
        meant.clear |= ACCESS_TIME_MASK;
    }
    meant
}

/// `SOURCE:TARGET:OPTIONS`: once asked for, read-only stays.
fn volume(text: &str) {
    let Ok(mount) = Asked::from_volume(text) else {
        return;
    };
    let options = text.splitn(3, ':').nth(2).unwrap_or_default();
    let words: Vec<&str> = options.split(',').filter(|word| !word.is_empty()).collect();
    let spread = |word: &&&str| {
        ["private", "slave", "shared"]
            .iter()
            .any(|one| word.ends_with(one))
    };
    match mount {
        Asked::Bind {
            target,
            read_only,
            propagation,
            ..
        } => {
            inside(&target);
            assert_eq!(read_only, words.contains(&"ro"), "{text:?}");
            check_spread(propagation, words.iter().rfind(spread).copied(), text);
        }
        Asked::Volume {
            target, read_only, ..
        } => {
            inside(&target);
            assert_eq!(read_only, words.contains(&"ro"), "{text:?}");
        }
        Asked::Tmpfs { .. } => panic!("{text:?} is no tmpfs"),
    }
}

/// `KEY=VALUE,…`: the last of each key counts.
fn long_form(text: &str) {
    let Ok(mount) = text.parse::<Asked>() else {
        return;
    };
    inside(mount.target());
    let pairs: Vec<(&str, &str)> = text
        .split(',')
        .map(|part| part.split_once('=').unwrap_or((part, "true")))
        .collect();
    let last = |keys: &[&str]| {
        pairs
            .iter()
            .rfind(|(key, _)| keys.contains(key))
            .map(|(_, value)| *value)
    };
    let asked = last(&["readonly", "ro"]).is_some_and(|value| ["true", "1"].contains(&value));
    match &mount {
        Asked::Bind {
            read_only,
            propagation,
            ..
        } => {
            assert_eq!(*read_only, asked, "{text:?}");
            check_spread(*propagation, last(&["bind-propagation"]), text);
        }
        Asked::Volume { read_only, .. } => assert_eq!(*read_only, asked, "{text:?}"),
        Asked::Tmpfs { .. } => protected(&mount, if asked { &["ro"] } else { &[] }),
    }
}

/// `TARGET:OPTIONS`.
fn tmpfs(text: &str) {
    let Ok(mount) = Asked::from_tmpfs(text) else {
        return;
    };
    inside(mount.target());
    let (_, options) = text.split_once(':').unwrap_or((text, ""));
    let words: Vec<&str> = options.split(',').filter(|word| !word.is_empty()).collect();
    protected(&mount, &words);
}

/// From the engine's words through the bundle to the runtime's flags: without set-user-id programs,
/// devices and programs unless the user says otherwise.
fn protected(mount: &Asked, asked: &[&str]) {
    let options = dhow_engine::fuzzing::tmpfs_options(mount).expect("a tmpfs");
    let made = spec::Mount {
        destination: mount.target().to_owned(),
        kind: Some("tmpfs".into()),
        options,
        ..spec::Mount::default()
    };
    let made = mounts::parse(&made, "mounts[0]").expect("what the engine writes the runtime takes");
    let words: Vec<&str> = ["nosuid", "nodev", "noexec"]
        .iter()
        .chain(asked)
        .copied()
        .collect();
    let meant = attributes(&words);
    assert_eq!(made.attributes.set, meant.set, "{asked:?}");
}

fn check_spread(found: Propagation, asked: Option<&str>, text: &str) {
    let meant = match asked.map(|word| word.trim_start_matches('r')) {
        None | Some("private") => Propagation::Rprivate,
        Some("slave") => Propagation::Rslave,
        Some("shared") => Propagation::Rshared,
        Some(other) => panic!("{text:?}: {other} was taken"),
    };
    assert_eq!(found, meant, "{text:?}");
}

/// A target stays below the container's root, and is not the root.
fn inside(target: &str) {
    let mut parts = target.split('/');
    assert_eq!(parts.next(), Some(""), "{target:?} is absolute");
    let mut parts = parts
        .filter(|part| !part.is_empty() && *part != ".")
        .peekable();
    assert!(parts.peek().is_some(), "{target:?} is the root");
    assert!(
        parts.all(|part| part != ".." && !part.contains('\0')),
        "{target:?}"
    );
}
