//! Names that say nothing, files in the wrong place, and files that do not say why they exist.

use super::Finding;
use super::source::Source;

const EMPTY_NAMES: [&str; 12] = [
    "utils",
    "util",
    "common",
    "helpers",
    "helper",
    "misc",
    "types",
    "manager",
    "managers",
    "core_utils",
    "shared",
    "stuff",
];

/// Modules named after nothing, and `mod.rs`.
pub(crate) fn modules(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for part in source.path.iter().filter_map(|part| part.to_str()) {
        let name = part.strip_suffix(".rs").unwrap_or(part);
        if EMPTY_NAMES.contains(&name) {
            let why = format!(
                "a module named {name:?} collects everything: name it after its one concept"
            );
            findings.push(Finding::new(&source.path, 1, "module-name", why));
        }
    }
    if source.path.ends_with("mod.rs") {
        let why = "write foo.rs beside foo/, never foo/mod.rs".to_owned();
        findings.push(Finding::new(&source.path, 1, "mod-rs", why));
    }
    findings
}

/// Every file begins with why it exists.
pub(crate) fn headers(source: &Source) -> Vec<Finding> {
    let first = source
        .text
        .lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with("#!"));
    if first.is_none_or(|line| line.starts_with("//!")) {
        return Vec::new();
    }
    let why = "begin the file with //! and say why it exists".to_owned();
    vec![Finding::new(&source.path, 1, "module-doc", why)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn source(path: &str, text: &str) -> Source {
        Source::new(Path::new(path), text.to_owned(), false)
    }

    #[test]
    fn empty_names_are_found() {
        assert_eq!(
            modules(&source("crates/a/src/utils.rs", ""))[0].rule,
            "module-name"
        );
        assert_eq!(
            modules(&source("crates/a/src/common/a.rs", ""))[0].rule,
            "module-name"
        );
        assert!(modules(&source("crates/a/src/mounts.rs", "")).is_empty());
    }

    #[test]
    fn mod_rs_is_found() {
        assert_eq!(
            modules(&source("crates/a/src/linux/mod.rs", ""))[0].rule,
            "mod-rs"
        );
        assert!(modules(&source("crates/a/src/linux.rs", "")).is_empty());
    }

    #[test]
    fn a_file_says_why_it_exists() {
        assert_eq!(
            headers(&source("a.rs", "use std::fs;\n"))[0].rule,
            "module-doc"
        );
        assert!(headers(&source("a.rs", "#![forbid(unsafe_code)]\n//! Why.\n")).is_empty());
        assert!(headers(&source("a.rs", "//! Why.\nuse std::fs;\n")).is_empty());
    }
}
