//! Files of at most 600 lines, functions of at most 60: what a reader can hold in the head.

use super::Finding;
use super::source::{Source, after_closing, find_words};

const FILE_LIMIT: usize = 600;
const FUNCTION_LIMIT: usize = 60;
/// A container's birth is one story and reads best in one piece.
const BIRTH_LIMIT: usize = 150;

/// Files that are too long. Tests do not count; a table that says near its top that it is long may be.
pub(crate) fn files(source: &Source) -> Vec<Finding> {
    let lines = source.lines_without_tests();
    if source.all_test() || lines <= FILE_LIMIT || says_it_is_a_long_table(&source.text) {
        return Vec::new();
    }
    let why = format!(
        "{lines} lines without tests (limit {FILE_LIMIT}): find the second concept and give it its own file"
    );
    vec![Finding::new(&source.path, 1, "file-size", why)]
}

fn says_it_is_a_long_table(text: &str) -> bool {
    let head = text
        .lines()
        .take(40)
        .filter(|line| line.trim_start().starts_with("//"));
    let words: String = head
        .flat_map(|line| [line, " "])
        .collect::<String>()
        .to_lowercase();
    find_words(&words, "table").next().is_some() && find_words(&words, "long").next().is_some()
}

/// Functions that are too long, counted as clippy counts: lines of the body with code on them.
pub(crate) fn functions(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for at in source.uses("fn") {
        let Some((name, open)) = body(&source.code, at) else {
            continue;
        };
        let close = after_closing(&source.code, open);
        let inside = &source.code[open + 1..close.saturating_sub(1).max(open + 1)];
        let lines = inside
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count();
        let limit = if name == "init" && source.path.ends_with("birth.rs") {
            BIRTH_LIMIT
        } else {
            FUNCTION_LIMIT
        };
        if lines > limit {
            let why = format!("fn {name} has {lines} lines (limit {limit}): give its steps names");
            findings.push(Finding::new(
                &source.path,
                source.line(at),
                "function-size",
                why,
            ));
        }
    }
    findings
}

/// The function's name and where its body opens; `None` for a pointer type or a declaration.
fn body(code: &str, at: usize) -> Option<(&str, usize)> {
    let after = code[at + 2..].trim_start();
    let name = &after[..after.find(|c: char| !c.is_alphanumeric() && c != '_')?];
    if name.is_empty() {
        return None;
    }
    let begin = code.len() - after.len();
    let mut depth = 0usize;
    for (index, byte) in code.bytes().enumerate().skip(begin) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'{' if depth == 0 => return Some((name, index)),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn source(path: &str, text: String) -> Source {
        Source::new(Path::new(path), text, false)
    }

    fn function(name: &str, lines: usize) -> String {
        format!(
            "fn {name}(a: [u8; 2]) -> u8 {{\n{}}}\n",
            "    a();\n".repeat(lines)
        )
    }

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(
            files(&source("a.rs", "//\n".repeat(601)))[0].rule,
            "file-size"
        );
        assert!(files(&source("a.rs", "//\n".repeat(600))).is_empty());
    }

    #[test]
    fn tests_do_not_count() {
        let text = format!(
            "fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}\n",
            "// x\n".repeat(700)
        );
        assert!(files(&source("a.rs", text)).is_empty());
    }

    #[test]
    fn a_table_that_says_so_may_be_long() {
        let text = format!(
            "//! A pure table, which may be long.\n{}",
            "//\n".repeat(700)
        );
        assert!(files(&source("a.rs", text)).is_empty());
    }

    #[test]
    fn a_long_function_is_found() {
        assert_eq!(
            functions(&source("a.rs", function("f", 61)))[0].rule,
            "function-size"
        );
        assert!(functions(&source("a.rs", function("f", 60))).is_empty());
    }

    #[test]
    fn comments_and_blank_lines_are_free() {
        let text = format!("fn f() {{\n{}}}\n", "    // why\n\n".repeat(100));
        assert!(functions(&source("a.rs", text)).is_empty());
    }

    #[test]
    fn only_birth_may_be_longer() {
        assert!(functions(&source("linux/birth.rs", function("init", 150))).is_empty());
        assert_eq!(
            functions(&source("linux/birth.rs", function("init", 151))).len(),
            1
        );
        assert_eq!(
            functions(&source("linux/mounts.rs", function("init", 100))).len(),
            1
        );
    }

    #[test]
    fn a_function_pointer_is_not_a_function() {
        assert!(
            functions(&source(
                "a.rs",
                format!(
                    "type F = fn(u8);\nstatic A: &str = \"{}\";",
                    "\n".repeat(90)
                )
            ))
            .is_empty()
        );
    }
}
