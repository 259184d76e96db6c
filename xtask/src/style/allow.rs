//! Exceptions to the rules, each with its reason: `xtask/style-allow.txt`.
//!
//! An exception belongs to one rule and to one file, or to a folder when it ends in `/`. An exception that no longer excepts anything
//! is itself a finding, so the list can only shrink by itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Finding;
use crate::error::Error;

/// The list's place in the repository.
pub(crate) const FILE: &str = "xtask/style-allow.txt";

#[derive(Debug)]
struct Entry {
    rule: String,
    path: PathBuf,
    line: usize,
}

impl Entry {
    fn covers(&self, path: &Path) -> bool {
        let folder = self.path.as_os_str().as_encoded_bytes().ends_with(b"/");
        self.path == path || (folder && path.starts_with(&self.path))
    }
}

/// The exceptions.
#[derive(Debug)]
pub(crate) struct Allowed {
    entries: Vec<Entry>,
}

impl Allowed {
    /// Reads `RULE PATH REASON…` lines; `#` begins a comment.
    ///
    /// # Errors
    /// [`Error::Form`] for a line without a reason.
    pub(crate) fn parse(text: &str) -> Result<Allowed, Error> {
        let mut entries = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = line.split_whitespace();
            let (Some(rule), Some(path), Some(_)) = (words.next(), words.next(), words.next())
            else {
                let why = format!(
                    "line {}: expected RULE PATH REASON, found {line:?}",
                    index + 1
                );
                return Err(Error::Form {
                    what: FILE.into(),
                    why,
                });
            };
            entries.push(Entry {
                rule: rule.into(),
                path: path.into(),
                line: index + 1,
            });
        }
        Ok(Allowed { entries })
    }

    /// The findings that no entry excepts, and one for each entry that excepts nothing.
    pub(crate) fn apply(&self, findings: Vec<Finding>) -> Vec<Finding> {
        let mut used = BTreeSet::new();
        let mut kept: Vec<Finding> = Vec::new();
        for finding in findings {
            let entry = self
                .entries
                .iter()
                .find(|entry| entry.rule == finding.rule && entry.covers(&finding.path));
            match entry {
                Some(entry) => {
                    used.insert(entry.line);
                }
                None => kept.push(finding),
            }
        }
        for entry in self
            .entries
            .iter()
            .filter(|entry| !used.contains(&entry.line))
        {
            let why = format!(
                "nothing in {} needs the exception from {}: remove the line",
                entry.path.display(),
                entry.rule
            );
            kept.push(Finding::new(
                Path::new(FILE),
                entry.line,
                "stale-exception",
                why,
            ));
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(rule: &'static str, path: &str) -> Finding {
        Finding::new(Path::new(path), 1, rule, String::new())
    }

    #[test]
    fn an_exception_is_for_one_rule_in_one_file() {
        let allowed = Allowed::parse("# why\nunwrap a.rs it is a table\n").unwrap();
        let left = allowed.apply(vec![
            finding("unwrap", "a.rs"),
            finding("unwrap", "b.rs"),
            finding("cfg", "a.rs"),
        ]);
        assert_eq!(left.len(), 2);
    }

    #[test]
    fn an_exception_for_a_folder_ends_with_a_slash() {
        let allowed = Allowed::parse("unwrap crates/a/ it is a table").unwrap();
        let left = allowed.apply(vec![
            finding("unwrap", "crates/a/b.rs"),
            finding("unwrap", "crates/ab.rs"),
        ]);
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].path, Path::new("crates/ab.rs"));
    }

    #[test]
    fn a_stale_exception_is_a_finding() {
        let left = Allowed::parse("unwrap a.rs it is a table")
            .unwrap()
            .apply(vec![]);
        assert_eq!(left[0].rule, "stale-exception");
    }

    #[test]
    fn an_exception_without_a_reason_is_refused() {
        let error = Allowed::parse("unwrap a.rs").unwrap_err();
        assert!(error.to_string().contains("RULE PATH REASON"), "{error}");
    }
}
