//! Calls that this project does not make: those that panic on outside input or where a container is
//! being born, those that hand a name to the kernel or to a shell, and unsafe code outside its one
//! crate. Together with the compiler's own lints (`unused_must_use`, `forbid(unsafe_code)`) this is
//! S-LINT of docs/cves.md.

use super::Finding;
use super::source::Source;

/// Calls that take a path by name. A container's path must never be among them, so every file
/// that makes one stands in the list of exceptions with the reason why its paths are the host's.
const PATH_CALLS: [&str; 16] = [
    "File::open(",
    "File::create(",
    "File::create_new(",
    "OpenOptions::new(",
    "DirBuilder::new(",
    "rustix::",
    "libc::",
    ".exists(",
    ".try_exists(",
    ".canonicalize(",
    ".symlink_metadata(",
    ".read_dir(",
    ".read_link(",
    "UnixListener::bind(",
    "UnixStream::connect(",
    "set_current_dir(",
];

/// Functions of `std::fs` that take one.
const FS_CALLS: [&str; 22] = [
    "canonicalize",
    "chown",
    "chroot",
    "copy",
    "create_dir",
    "create_dir_all",
    "exists",
    "hard_link",
    "lchown",
    "metadata",
    "read",
    "read_dir",
    "read_link",
    "read_to_string",
    "remove_dir",
    "remove_dir_all",
    "remove_file",
    "rename",
    "set_permissions",
    "symlink",
    "symlink_metadata",
    "write",
];

/// `.unwrap()` outside tests: say with `expect` why it cannot fail, or return the error.
pub(crate) fn unwraps(source: &Source) -> Vec<Finding> {
    let why = "return the error, or say with expect(…) why it cannot happen";
    each(source, ".unwrap()", "unwrap", why)
}

/// What panics, in the files between the clone and the execve: a process that ends there without a word
/// leaves its parent to guess, and its destructors run in a child that has the parent's memory.
pub(crate) fn panics(source: &Source) -> Vec<Finding> {
    const CHILD: &str = "crates/runtime/src/linux";
    const PANICS: [&str; 7] = [
        "panic!(",
        "unreachable!(",
        "assert!(",
        "assert_eq!(",
        "assert_ne!(",
        ".expect(\"",
        "std::process::exit(",
    ];
    if !source.path.starts_with(CHILD) {
        return Vec::new();
    }
    let why =
        "the child reports to its parent and leaves by execve or process::exit: return the error";
    let found = PANICS
        .iter()
        .flat_map(|word| each(source, word, "child-panic", why));
    found.collect()
}

/// `unsafe` outside the crate `sys`.
pub(crate) fn unsafes(source: &Source) -> Vec<Finding> {
    if source.path.starts_with("crates/sys") {
        return unneeded_unsafes(source);
    }
    each(source, "unsafe", "unsafe", "only crates/sys may be unsafe")
}

/// In `sys`: every unsafe block says why it is needed at all.
fn unneeded_unsafes(source: &Source) -> Vec<Finding> {
    let lines: Vec<&str> = source.text.lines().collect();
    let blocks = source
        .uses("unsafe")
        .into_iter()
        .filter(|at| source.code[at + 6..].trim_start().starts_with('{'));
    let silent = blocks.filter(|at| {
        let line = source.line(*at);
        !lines[line.saturating_sub(12)..line]
            .iter()
            .any(|text| text.contains("NEED:"))
    });
    let findings = silent.map(|at| {
        let why = "say in the comment above why unsafe is needed at all: // NEED: …".to_owned();
        Finding::new(&source.path, source.line(at), "unsafe-need", why)
    });
    findings.collect()
}

/// No shell, and programs by absolute path: a relative name is looked up where others may write.
pub(crate) fn programs(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, literal) in source
        .literals
        .iter()
        .filter(|(at, _)| !source.in_tests(*at))
    {
        let before = source.code[..*at].trim_end_matches('"');
        let shell = matches!(literal.as_str(), "sh" | "/bin/sh" | "bash" | "/bin/bash")
            && begins_a_command(before);
        if shell || literal.starts_with("sh -c") {
            let why =
                "no shell: names reach programs as arguments, never as text to parse".to_owned();
            findings.push(Finding::new(&source.path, source.line(*at), "shell", why));
        } else if begins_a_command(before) && !literal.starts_with('/') {
            let why =
                format!("Command::new({literal:?}) is looked up on PATH: give the absolute path");
            findings.push(Finding::new(
                &source.path,
                source.line(*at),
                "relative-command",
                why,
            ));
        }
    }
    findings
}

fn begins_a_command(before: &str) -> bool {
    before.ends_with("Command::new(")
}

/// Calls that take a path by name, one finding a file.
pub(crate) fn paths(source: &Source) -> Vec<Finding> {
    if source.path.starts_with("crates/sys") {
        return Vec::new();
    }
    let calls = PATH_CALLS.iter().map(|call| (*call).to_owned());
    let calls: Vec<String> = calls
        .chain(FS_CALLS.iter().map(|call| format!("fs::{call}(")))
        .collect();
    let places = calls
        .iter()
        .flat_map(|call| source.uses(call).into_iter().map(move |at| (at, call)));
    let mut places: Vec<(usize, &String)> = places.collect();
    places.sort_unstable();
    let Some((at, call)) = places.first() else {
        return Vec::new();
    };
    let why = format!(
        "{} uses of calls that take a path by name (first: {call}): resolve in the root with dhow_sys::path, \
         or add the file to the exceptions with the reason why its paths are the host's own",
        places.len()
    );
    vec![Finding::new(
        &source.path,
        source.line(*at),
        "path-call",
        why,
    )]
}

/// `/tmp`, which every user of the host may write to, and abstract sockets, which have no owner.
pub(crate) fn open_places(source: &Source) -> Vec<Finding> {
    let mut findings = each(
        source,
        "from_abstract_name",
        "abstract-socket",
        "use a socket in a directory of mode 0700",
    );
    findings.extend(each(
        source,
        "new_abstract_name",
        "abstract-socket",
        "use a socket in a directory of mode 0700",
    ));
    for (at, literal) in source
        .literals
        .iter()
        .filter(|(at, _)| !source.in_tests(*at))
    {
        if literal == "/tmp" || literal.starts_with("/tmp/") {
            let why = "anyone may write to /tmp: use the run or state directory".to_owned();
            findings.push(Finding::new(&source.path, source.line(*at), "tmp", why));
        }
    }
    findings
}

fn each(source: &Source, word: &str, rule: &'static str, why: &str) -> Vec<Finding> {
    let places = source.uses(word).into_iter();
    places
        .map(|at| Finding::new(&source.path, source.line(at), rule, why.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn rules(path: &str, text: &str, check: fn(&Source) -> Vec<Finding>) -> Vec<&'static str> {
        let source = Source::new(Path::new(path), text.to_owned(), false);
        check(&source).iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn unwrap_is_for_tests() {
        assert_eq!(rules("a.rs", "fn a() { b.unwrap(); }", unwraps), ["unwrap"]);
        assert!(rules("a.rs", "fn a() { b.unwrap_or(1); } // .unwrap()", unwraps).is_empty());
        assert!(
            rules(
                "a.rs",
                "#[cfg(test)]\nmod tests { fn a() { b.unwrap(); } }",
                unwraps
            )
            .is_empty()
        );
    }

    #[test]
    fn unsafe_stands_in_sys_and_says_why() {
        assert_eq!(
            rules(
                "crates/engine/src/a.rs",
                "fn a() { unsafe { b() } }",
                unsafes
            ),
            ["unsafe"]
        );
        assert!(rules("crates/engine/src/a.rs", "#![forbid(unsafe_code)]", unsafes).is_empty());
        let sys = "crates/sys/src/a.rs";
        assert_eq!(
            rules(
                sys,
                "fn a() {\n    // SAFETY: it is.\n    unsafe { b() }\n}",
                unsafes
            ),
            ["unsafe-need"]
        );
        assert!(
            rules(
                sys,
                "fn a() {\n    // SAFETY: it is.\n    // NEED: no wrapper.\n    unsafe { b() }\n}",
                unsafes
            )
            .is_empty()
        );
    }

    #[test]
    fn shells_and_relative_programs_are_found() {
        assert_eq!(
            rules("a.rs", "Command::new(\"sh\").arg(\"-c\");", programs),
            ["shell"]
        );
        assert_eq!(rules("a.rs", "let a = \"sh -c ls\";", programs), ["shell"]);
        assert_eq!(
            rules("a.rs", "Command::new(\"newuidmap\");", programs),
            ["relative-command"]
        );
        assert!(
            rules(
                "a.rs",
                "Command::new(\"/usr/bin/newuidmap\"); Command::new(path);",
                programs
            )
            .is_empty()
        );
    }

    #[test]
    fn calls_that_take_a_path_are_found_once_a_file() {
        assert_eq!(
            rules(
                "crates/a/src/a.rs",
                "use std::fs;\nfn a() { File::open(p); }",
                paths
            ),
            ["path-call"]
        );
        assert!(rules("crates/sys/src/path.rs", "fn a() { fs::read(p); }", paths).is_empty());
        assert!(
            rules(
                "crates/a/src/a.rs",
                "fn a() { dhow_sys::path::open_in_root(r, p); }",
                paths
            )
            .is_empty()
        );
    }

    #[test]
    fn sockets_and_links_by_name_are_path_calls() {
        for call in [
            "UnixStream::connect(p)",
            "std::os::unix::fs::symlink(a, b)",
            "p.symlink_metadata()",
            "std::env::set_current_dir(p)",
        ] {
            let text = format!("fn a() {{ {call}; }}");
            assert_eq!(
                rules("crates/a/src/a.rs", &text, paths),
                ["path-call"],
                "{call}"
            );
        }
    }

    #[test]
    fn nothing_panics_between_clone_and_execve() {
        let child = "crates/runtime/src/linux/a.rs";
        for call in ["panic!(\"x\")", "b.expect(\"x\")", "assert_eq!(a, b)"] {
            let text = format!("fn a() {{ {call}; }}");
            assert_eq!(rules(child, &text, panics), ["child-panic"], "{call}");
            assert!(rules("crates/runtime/src/plan.rs", &text, panics).is_empty());
        }
        // A method of the handshake has that name, too.
        assert!(rules(child, "fn a() { b.expect(|said| said); }", panics).is_empty());
    }

    #[test]
    fn open_places_are_found() {
        assert_eq!(rules("a.rs", "let a = \"/tmp/x\";", open_places), ["tmp"]);
        assert_eq!(
            rules(
                "a.rs",
                "SocketAddr::from_abstract_name(b\"x\");",
                open_places
            ),
            ["abstract-socket"]
        );
        assert!(rules("a.rs", "let a = \"/tmpfs\";", open_places).is_empty());
    }
}
