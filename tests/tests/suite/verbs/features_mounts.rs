//! `features`: each mount option that it names has its effect on a real mount, as mountinfo shows it.

use dhow_tests::{Config, Test, for_runtimes, needs};
use serde_json::{Value, json};
use std::fs;

/// What mountinfo must show of a mount that was given an option, after others that it undoes.
struct Effect {
    /// Given before it.
    before: &'static [&'static str],
    /// Shown then, in any of the three lists of mountinfo; with `!` in front: not shown.
    shown: &'static [&'static str],
}

const fn effect(before: &'static [&'static str], shown: &'static [&'static str]) -> Effect {
    Effect { before, shown }
}

/// By the option without its leading `r`, where it has a recursive twin.
fn expected(option: &str) -> Option<Effect> {
    Some(match option {
        "ro" => effect(&[], &["ro"]),
        "rw" => effect(&["ro"], &["rw"]),
        "nosuid" => effect(&[], &["nosuid"]),
        "suid" => effect(&["nosuid"], &["!nosuid"]),
        "nodev" => effect(&[], &["nodev"]),
        "dev" => effect(&["nodev"], &["!nodev"]),
        "noexec" => effect(&[], &["noexec"]),
        "exec" => effect(&["noexec"], &["!noexec"]),
        "noatime" => effect(&[], &["noatime"]),
        "relatime" => effect(&["noatime"], &["relatime", "!noatime"]),
        "atime" | "nostrictatime" => effect(&["noatime"], &["!noatime"]),
        "strictatime" | "norelatime" => effect(&["noatime"], &["!noatime", "!relatime"]),
        "nodiratime" => effect(&[], &["nodiratime"]),
        "diratime" => effect(&["nodiratime"], &["!nodiratime"]),
        "nosymfollow" => effect(&[], &["nosymfollow"]),
        "symfollow" => effect(&["nosymfollow"], &["!nosymfollow"]),
        "sync" => effect(&[], &["sync"]),
        "async" => effect(&["sync"], &["!sync"]),
        "dirsync" => effect(&[], &["dirsync"]),
        "lazytime" => effect(&[], &["lazytime"]),
        "nolazytime" => effect(&["lazytime"], &["!lazytime"]),
        "shared" => effect(&[], &["shared:"]),
        "private" => effect(&["shared"], &["!shared:"]),
        "slave" => effect(&["shared"], &["!shared:"]),
        "unbindable" => effect(&[], &["unbindable"]),
        // The kernel shows nothing of these: that the mount is made with its other options is all to be seen.
        "defaults" | "loud" | "silent" | "iversion" | "noiversion" | "mand" | "nomand" => {
            effect(&["nosuid"], &["nosuid"])
        }
        _ => return None,
    })
}

/// Recursive twins begin with an r; three plain words do too.
fn plain(option: &str) -> Option<&str> {
    let is_plain = ["ro", "rw", "relatime", "remount", "rbind", "ridmap"].contains(&option);
    option.strip_prefix('r').filter(|_| !is_plain)
}

fn options(test: &Test) -> Vec<String> {
    let features = test.runtime().arg("features").run().ok().json();
    let list = features["mountOptions"].as_array().expect("a list").clone();
    list.iter()
        .map(|word| word.as_str().expect("text").to_owned())
        .collect()
}

/// Everything that mountinfo shows of the last mount at a point, one word per line.
fn shown(report: &Value, point: &str) -> Vec<String> {
    let mounts = report["mounts"].as_array().expect("a list");
    let mount = mounts.iter().rfind(|mount| mount["point"] == point);
    let mount = mount.unwrap_or_else(|| panic!("nothing is mounted at {point}"));
    ["options", "propagation", "superblock"]
        .iter()
        .flat_map(|list| mount[list].as_array().expect("a list"))
        .map(|word| word.as_str().expect("text").to_owned())
        .collect()
}

fn assert_shown(report: &Value, point: &str, option: &str, effect: &Effect) {
    let words = shown(report, point);
    let has = |wanted: &str| {
        words
            .iter()
            .any(|word| word == wanted || (wanted.ends_with(':') && word.starts_with(wanted)))
    };
    for wanted in effect.shown {
        let right = match wanted.strip_prefix('!') {
            Some(absent) => !has(absent),
            None => has(wanted),
        };
        assert!(right, "{option} at {point}: expected {wanted} in {words:?}");
    }
}

/// All plain words on new file systems, in one container.
fn each_option_shows_on_a_file_system(test: &Test) {
    let plain_words: Vec<_> = options(test)
        .into_iter()
        .filter(|option| plain(option).is_none())
        .filter_map(|option| expected(&option).map(|effect| (option, effect)))
        .collect();
    let report = test.probe_with(|config: &mut Config| {
        for (option, effect) in &plain_words {
            let given = [effect.before, &[option.as_str()]].concat();
            config.add_mount("tmpfs", "tmpfs", &format!("/on/{option}"), &given);
        }
    });
    for (option, effect) in &plain_words {
        assert_shown(&report, &format!("/on/{option}"), option, effect);
    }
    assert!(plain_words.len() > 30, "{}", plain_words.len());
}

/// All recursive words on a bind with a mount below, which the plain words leave alone.
fn each_recursive_option_reaches_below(test: &Test) {
    needs!(test, root);
    let words: Vec<_> = options(test)
        .into_iter()
        .filter_map(|option| {
            let effect = expected(plain(&option)?)?;
            Some((option, effect))
        })
        .collect();
    let source = test.root().join("source");
    let below = source.join("below");
    fs::create_dir_all(&below).expect("mkdir");
    test.command(&["mount", "-t", "tmpfs", "tmpfs"])
        .arg(&below)
        .run()
        .ok();
    let text = source.to_str().expect("a path");
    let bundle = test.bundle_with(|config| {
        for (option, effect) in &words {
            // What comes before must reach below too, else there would be nothing to undo.
            let before: Vec<String> = effect
                .before
                .iter()
                .map(|word| format!("r{word}"))
                .collect();
            let mut given = vec!["rbind"];
            given.extend(before.iter().map(String::as_str));
            given.push(option);
            config.add_mount("bind", text, &format!("/on/{option}"), &given);
        }
        config.args(&["/bin/probe"]);
    });
    let output = test.run_bundle(&bundle);
    test.command(&["umount"]).arg(&below).run().ok();
    let report = output.ok().json();
    for (option, effect) in &words {
        for point in [format!("/on/{option}"), format!("/on/{option}/below")] {
            assert_shown(&report, &point, option, effect);
        }
    }
    assert!(words.len() > 18, "{}", words.len());
}

/// Those that say what is mounted, and not how.
fn each_option_that_is_no_attribute_acts(test: &Test) {
    needs!(test, root, userns);
    let source = test.root().join("source");
    let below = source.join("below");
    fs::create_dir_all(&below).expect("mkdir");
    test.command(&["mount", "-t", "tmpfs", "tmpfs"])
        .arg(&below)
        .run()
        .ok();
    fs::write(below.join("deep"), "").expect("write");
    let text = source.to_str().expect("a path");
    let bundle = test.bundle();
    fs::write(bundle.rootfs().join("var/kept"), "").expect("write");
    bundle.edit(|config| {
        config.add_mount("none", text, "/bind", &["bind"]);
        config.add_mount("none", text, "/rbind", &["rbind"]);
        for word in ["idmap", "ridmap"] {
            config.add_mount("none", text, &format!("/{word}"), &["rbind", word]);
            let map = json!([{"containerID": 0, "hostID": 4321, "size": 10}]);
            let mount = config["mounts"].as_array_mut().expect("a list").last_mut();
            let mount = mount.expect("one was added");
            mount["uidMappings"] = map.clone();
            mount["gidMappings"] = map;
        }
        config.add_mount("tmpfs", "tmpfs", "/var", &["tmpcopyup"]);
        config.add_mount("none", "none", "/dev/shm", &["remount", "ro"]);
        config.args(&[
            "/bin/probe",
            "stat",
            "/bind/below/deep",
            "/rbind/below/deep",
            "/idmap",
            "/ridmap/below",
            "/var/kept",
            "/dev/shm",
        ]);
    });
    let output = test.run_bundle(&bundle);
    let again = test.probe(&bundle);
    test.command(&["umount"]).arg(&below).run().ok();
    let stat = output.ok().json();
    assert_eq!(stat["/bind/below/deep"]["errno"], 2, "{stat}");
    assert_eq!(stat["/rbind/below/deep"]["ok"], true, "{stat}");
    assert_eq!(stat["/idmap"]["value"]["uid"], 4321, "{stat}");
    assert_eq!(stat["/ridmap/below"]["value"]["uid"], 4321, "{stat}");
    assert_eq!(stat["/var/kept"]["ok"], true, "{stat}");
    assert!(shown(&again, "/dev/shm").contains(&"ro".to_owned()));
}

/// No word is named that the tests above do not try.
fn every_option_is_tried(test: &Test) {
    let others = ["bind", "rbind", "idmap", "ridmap", "tmpcopyup", "remount"];
    for option in options(test) {
        let word = plain(&option).unwrap_or(&option);
        assert!(
            expected(word).is_some() || others.contains(&word),
            "nobody tries {option}"
        );
    }
}

/// A word that is not named is data for the file system, which refuses what it does not know.
fn what_is_not_named_is_refused_by_name(test: &Test) {
    let output = test.run_with(|config| config.add_mount("tmpfs", "tmpfs", "/m", &["moon"]));
    output.fails("moon");
    let output = test.run_with(|config| config.add_mount("none", "/etc", "/m", &["bind", "moon"]));
    output.fails("mounts[5].options").fails("moon");
}

/// The specification's list (config.md, Linux mount options), MUST and SHOULD alike.
fn every_option_of_the_specification_is_named(test: &Test) {
    let named = options(test);
    let specified = "async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev \
        nodiratime noexec noiversion nolazytime norelatime nostrictatime nosuid nosymfollow private ratime rbind \
        rdev rdiratime relatime remount rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime \
        rnosuid rnosymfollow ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow \
        runbindable rw shared silent slave strictatime suid symfollow sync tmpcopyup unbindable idmap ridmap \
        mand nomand";
    for option in specified.split_whitespace() {
        assert!(
            named.iter().any(|word| word == option),
            "{option} is not named"
        );
    }
}

for_runtimes!([Dhow];
    each_option_shows_on_a_file_system,
    each_recursive_option_reaches_below,
    each_option_that_is_no_attribute_acts,
    every_option_is_tried,
    what_is_not_named_is_refused_by_name,
    every_option_of_the_specification_is_named,
);
