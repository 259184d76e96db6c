//! `cfg` stands only on `mod` and `use` lines: a function that reads the same on every system
//! is one function, and one that does not is two, in two files.

use super::Finding;
use super::source::{Source, after_closing, find_words, skip_attributes};

/// Every `cfg` that stands elsewhere. `#[cfg(test)]` may stand anywhere.
pub(crate) fn conditions(source: &Source) -> Vec<Finding> {
    let words = ["cfg(", "cfg!(", "cfg_attr("];
    let places = words
        .iter()
        .flat_map(|word| source.uses(word).into_iter().map(move |at| (*word, at)));
    let wrong = places.filter(|(word, at)| !in_order(&source.code, word, *at));
    let findings = wrong.map(|(word, at)| {
        let why = format!(
            "{word}…) stands only on mod and use lines: make it a file in linux/ or windows/"
        );
        Finding::new(&source.path, source.line(at), "cfg-place", why)
    });
    findings.collect()
}

fn in_order(code: &str, word: &str, at: usize) -> bool {
    let Some(attribute) = code[..at]
        .rfind('#')
        .filter(|begin| code[*begin..at].chars().all(|c| "#![ ".contains(c)))
    else {
        // Inside another attribute or an expression: cfg_attr(…) itself is found by its own word.
        return false;
    };
    let end = after_closing(code, attribute + code[attribute..].find('[').unwrap_or(1));
    let condition = &code[at..end];
    if word == "cfg(" && condition.trim_end_matches(']') == "cfg(test)" {
        return true;
    }
    if word == "cfg!(" || code[attribute..].starts_with("#![") {
        return false;
    }
    let item = without_visibility(&code[skip_attributes(code, end)..]);
    ["mod ", "use ", "extern crate "]
        .iter()
        .any(|keyword| item.starts_with(keyword))
        || find_words(condition, "test").next().is_some()
}

fn without_visibility(item: &str) -> &str {
    let Some(rest) = item.strip_prefix("pub") else {
        return item;
    };
    let rest = if rest.starts_with('(') {
        &rest[after_closing(rest, 0)..]
    } else {
        rest
    };
    rest.trim_start()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn lines(text: &str) -> Vec<usize> {
        let source = Source::new(Path::new("a.rs"), text.to_owned(), false);
        conditions(&source)
            .iter()
            .map(|finding| finding.line)
            .collect()
    }

    #[test]
    fn a_condition_on_a_function_is_found() {
        assert_eq!(lines("#[cfg(unix)]\nfn a() {}\n"), [1]);
        assert_eq!(lines("fn a() {\n    if cfg!(unix) {}\n}\n"), [2]);
        assert_eq!(lines("fn a() {\n    #[cfg(unix)]\n    b();\n}\n"), [2]);
        assert_eq!(lines("#![cfg(unix)]\n"), [1]);
        assert_eq!(lines("#[cfg_attr(unix, inline)]\nfn a() {}\n"), [1]);
    }

    #[test]
    fn conditions_on_modules_and_imports_stand_where_they_should() {
        let seam = "#[cfg(target_os = \"linux\")]\nmod linux;\n#[cfg(windows)]\npub(crate) use windows::run;\n\
                    #[cfg(unix)]\n#[path = \"x.rs\"]\npub mod a;\n\
                    #[cfg_attr(unix, allow(dead_code))]\nmod b;\n";
        assert!(lines(seam).is_empty());
        assert!(
            lines("#[cfg(test)]\nfn a() {}\n#[cfg(all(test, unix))]\nmod tests { fn a() {} }\n")
                .is_empty()
        );
    }
}
