//! Promises in documents must have a test: each id that SECURITY.md promises (such as S-EXE) stands
//! in a test, and each file and test that docs/conformance.md names exists.

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

/// Files and functions that docs/conformance.md names in its rows, as `file.rs` or `file.rs::function`,
/// and that do not exist. `read` answers with a file's text.
pub(crate) fn missing(conformance: &str, read: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in conformance
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with("| "))
    {
        let named = line
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| word.contains(".rs"));
        for word in named {
            let (file, function) = word.split_once("::").unwrap_or((word, ""));
            let text = read(file);
            let there = text.is_some_and(|text| {
                function.is_empty() || text.contains(&format!("fn {function}("))
            });
            if !there {
                let why = format!("it names {word}, which does not exist");
                findings.push(Finding::new(
                    Path::new("docs/conformance.md"),
                    index + 1,
                    "promise",
                    why,
                ));
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
    fn a_file_or_function_that_does_not_exist_is_found() {
        let rows = "| clause | `a/b.rs` | `a/b.rs::f`, `a/b.rs::g`, `c/d.rs::f` |\n`x/y.rs` outside a row\n";
        let found = missing(rows, |path| {
            (path == "a/b.rs").then(|| "fn f() {}".to_owned())
        });
        assert_eq!(found.len(), 2);
        assert!(found[0].why.contains("a/b.rs::g"));
        assert!(found[1].why.contains("c/d.rs::f"));
    }
}
