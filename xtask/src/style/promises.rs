//! Promises in documents must have a test: each id that SECURITY.md promises (such as S-EXE) stands
//! in a test, and each test file that docs/conformance.md names exists.

use std::collections::BTreeSet;
use std::path::Path;

use super::Finding;

/// Ids that SECURITY.md promises and no test names. `tests` holds the text of every test.
pub(crate) fn untested(security: &str, tests: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in security.lines().enumerate() {
        let Some(id) = line
            .strip_prefix("| ")
            .and_then(|row| row.split(' ').next())
            .filter(|id| is_id(id))
        else {
            continue;
        };
        if !tests.iter().any(|text| text.contains(id)) {
            let why = format!("SECURITY.md promises {id}, but no test names it");
            findings.push(Finding::new(
                Path::new("SECURITY.md"),
                index + 1,
                "promise",
                why,
            ));
        }
    }
    findings
}

/// Files that docs/conformance.md names in its rows and that do not exist. `exists` answers for one path.
pub(crate) fn missing_files(conformance: &str, exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let document = Path::new("docs/conformance.md");
    let mut findings = Vec::new();
    for (index, line) in conformance
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with("| "))
    {
        let quoted: BTreeSet<&str> = line.split('`').skip(1).step_by(2).collect();
        for path in quoted
            .into_iter()
            .filter(|word| word.contains('/') && word.ends_with(".rs"))
        {
            if !exists(path) {
                let why = format!("it names {path}, which does not exist");
                findings.push(Finding::new(document, index + 1, "promise", why));
            }
        }
    }
    findings
}

/// `S-` or `R-` and capital letters or digits.
fn is_id(word: &str) -> bool {
    let rest = word.strip_prefix("S-").or_else(|| word.strip_prefix("R-"));
    rest.is_some_and(|rest| {
        rest.len() > 1
            && rest
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_without_a_test_is_found() {
        let security = "text\n| S-EXE | x |\n| S-CWD | y |\n| actor | z |\n";
        let found = untested(security, &["// S-EXE: the program file".to_owned()]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 3);
    }

    #[test]
    fn a_file_that_does_not_exist_is_found() {
        let rows = "| clause | `a/b.rs` | `c/d.rs` |\n`x/y.rs` outside a row\n";
        let found = missing_files(rows, |path| path == "a/b.rs");
        assert_eq!(found.len(), 1);
        assert!(found[0].why.contains("c/d.rs"));
    }
}
