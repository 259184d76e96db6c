//! Promises in documents must have a test: each id that SECURITY.md promises (such as S-EXE) stands
//! in a test, each file and test that docs/conformance.md and docs/cves.md name exists, and each test that
//! docs/cves.md names carries the id of its row. No row of docs/conformance.md has an empty cell, and its numbers
//! are those of its tables.

use std::collections::BTreeMap;
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

/// Files and functions that a document names in its rows, as `file.rs` or `file.rs::function`, and that do
/// not exist. `read` answers with a file's text.
pub(crate) fn missing(
    document: &str,
    text: &str,
    read: impl Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in rows(text) {
        for word in named(line) {
            let (file, function) = word.split_once("::").unwrap_or((word, ""));
            let text = read(file);
            let there = text.is_some_and(|text| {
                function.is_empty() || text.contains(&format!("fn {function}("))
            });
            if !there {
                let why = format!("it names {word}, which does not exist");
                findings.push(Finding::new(Path::new(document), index, "promise", why));
            }
        }
    }
    findings
}

/// Rows of docs/cves.md with a test whose file does not carry the row's id, and those without a test.
pub(crate) fn misfiled(cves: &str, read: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |index, why| {
        let path = Path::new("docs/cves.md");
        findings.push(Finding::new(path, index, "promise", why));
    };
    for (index, line) in rows(cves) {
        let Some(id) = line.split(" | ").nth(1).filter(|id| is_id(id)) else {
            continue;
        };
        if named(line).next().is_none() {
            find(index, format!("{id} has no test"));
        }
        for word in named(line) {
            let file = word.split("::").next().unwrap_or(word);
            if read(file).is_some_and(|text| !text.contains(id)) {
                find(index, format!("{file} does not name {id}"));
            }
        }
    }
    findings
}

/// Rows of a document with a cell that says nothing, and tables whose numbers are not those at the head of
/// docs/conformance.md. The head has a row for each table: what stands in parentheses at the end of the table's
/// title, its clauses and its rows. A clause is counted by the numbers before the parenthesis of its first cell:
/// `Section 3 (…)` is one, `Section 3–5 (…)` are three.
pub(crate) fn uncounted(document: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |index, why| {
        findings.push(Finding::new(Path::new(document), index, "promise", why));
    };
    for (index, line) in rows(text) {
        let mut cells = line.trim().trim_matches('|').split('|');
        if cells.any(|cell| cell.trim().is_empty()) {
            find(index, "it has an empty cell".into());
        }
    }
    let (head, tables) = text.split_once("\n## ").unwrap_or((text, ""));
    let mut promised: BTreeMap<&str, (usize, [usize; 2])> = rows(head)
        .filter_map(|(index, line)| {
            let mut cells = line.trim_matches(['|', ' ']).split(" | ");
            let name = cells.next()?;
            let counts = [cells.next()?.parse().ok()?, cells.next()?.parse().ok()?];
            Some((name, (index, counts)))
        })
        .collect();
    for table in tables.split("\n## ").filter(|table| !table.is_empty()) {
        let title = table.lines().next().unwrap_or_default();
        let name = title
            .rsplit_once('(')
            .map_or(title, |(_, name)| name.trim_end_matches(')'));
        let rows = rows(table).filter(|(_, line)| line.contains('`'));
        let counts: Vec<usize> = rows.map(|(_, line)| clauses(line)).collect();
        let found = [counts.iter().sum(), counts.len()];
        match promised.remove(name) {
            Some((_, counts)) if counts == found => {}
            Some((index, _)) => {
                let [clauses, rows] = found;
                find(
                    index,
                    format!("{name} has {clauses} clauses in {rows} rows"),
                );
            }
            None => find(1, format!("the head does not count {name}")),
        }
    }
    for (name, (index, _)) in promised {
        find(index, format!("there is no table of {name}"));
    }
    findings
}

/// How many clauses a row is about.
fn clauses(row: &str) -> usize {
    let numbers = row
        .split(" (")
        .next()
        .and_then(|cell| cell.rsplit(' ').next());
    let numbers = numbers.unwrap_or_default();
    let (first, last) = numbers.split_once('–').unwrap_or((numbers, numbers));
    match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => last - first + 1,
        _ => 1,
    }
}

/// The rows of a table with their line numbers.
fn rows(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate();
    lines
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| line.starts_with("| "))
}

/// The Rust files and functions that a row names.
fn named(row: &str) -> impl Iterator<Item = &str> {
    let quoted = row.split('`').skip(1).step_by(2);
    quoted.filter(|word| word.contains(".rs"))
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
        let found = missing("docs/a.md", rows, |path| {
            (path == "a/b.rs").then(|| "fn f() {}".to_owned())
        });
        assert_eq!(found.len(), 2);
        assert!(found[0].why.contains("a/b.rs::g"));
        assert!(found[1].why.contains("c/d.rs::f"));
    }

    #[test]
    fn an_empty_cell_and_a_wrong_number_are_found() {
        let good = "# x\n| document | clauses | rows |\n|---|---|---|\n| a.md | 4 | 2 |\n\n## One (a.md)\n\n\
            | clause | file |\n|---|---|\n| Some section 1 (MUST): x | `a.rs` |\n| Some 2–4 (MUST): y | `a.rs` |\n";
        assert_eq!(uncounted("docs/a.md", good), []);
        for (from, to, why) in [
            (
                "| a.md | 4 | 2 |",
                "| a.md | 4 | 3 |",
                "a.md has 4 clauses in 2 rows",
            ),
            (
                "| a.md | 4 | 2 |",
                "| b.md | 4 | 2 |",
                "does not count a.md",
            ),
            ("2–4", "2", "a.md has 2 clauses in 2 rows"),
            ("x | `a.rs` |", "x | |", "empty cell"),
        ] {
            let found = uncounted("docs/a.md", &good.replace(from, to));
            assert!(
                found.iter().any(|finding| finding.why.contains(why)),
                "{why}: {found:?}"
            );
        }
    }

    #[test]
    fn a_test_of_another_id_is_found() {
        let rows = "| CVE-1 | S-EXE | `a.rs::f` | holds |\n| CVE-2 | S-CWD | `a.rs::f` | holds |\n\
                    | CVE-3 | S-CWD | by hand | holds |\n| vulnerability | id | tests | outcome |\n";
        let found = misfiled(rows, |_| Some("//! S-EXE\nfn f() {}".to_owned()));
        assert_eq!(found.len(), 2);
        assert!(found[0].line == 2 && found[0].why.contains("does not name S-CWD"));
        assert!(found[1].line == 3 && found[1].why.contains("no test"));
    }
}
