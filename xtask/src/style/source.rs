//! A Rust file as the rules see it: code apart from comments and text, tests apart from the rest.
//!
//! This is a scanner and not a parser: the rules need lines, braces and names, and a full parser
//! would cost more build time than all other tasks together.

use std::ops::Range;
use std::path::{Path, PathBuf};

/// What stands in `code` for each byte inside a string: neither blank nor part of a name.
const TEXT: u8 = 1;

/// One file, taken apart.
#[derive(Debug)]
pub(crate) struct Source {
    /// The path from the repository's root.
    pub(crate) path: PathBuf,
    /// The file as it is.
    pub(crate) text: String,
    /// The same bytes with comments blanked and the inside of strings made unreadable.
    pub(crate) code: String,
    /// The strings, each with the offset of its first byte.
    pub(crate) literals: Vec<(usize, String)>,
    /// The parts under `#[cfg(test)]`; the whole file when all of it is test code.
    tests: Vec<Range<usize>>,
}

impl Source {
    /// Takes `text` apart. `all_test` says that the file is only compiled for tests.
    pub(crate) fn new(path: &Path, text: String, all_test: bool) -> Source {
        let (code, literals) = Scanner::new(&text).scan();
        let whole = 0..text.len();
        let tests = if all_test {
            Vec::from([whole])
        } else {
            test_parts(&code)
        };
        Source {
            path: path.to_path_buf(),
            text,
            code,
            literals,
            tests,
        }
    }

    /// The line number of a byte, counted from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.code.as_bytes()[..offset]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    }

    /// True when the byte belongs to test code.
    pub(crate) fn in_tests(&self, offset: usize) -> bool {
        self.tests.iter().any(|part| part.contains(&offset))
    }

    /// True when there is test code in the file.
    pub(crate) fn has_tests(&self) -> bool {
        !self.tests.is_empty()
    }

    /// True when the whole file is test code.
    pub(crate) fn all_test(&self) -> bool {
        self.tests
            .first()
            .is_some_and(|part| *part == (0..self.text.len()))
    }

    /// How many lines the file has without its tests.
    pub(crate) fn lines_without_tests(&self) -> usize {
        let tests: usize = self
            .tests
            .iter()
            .map(|part| self.text[part.clone()].lines().count())
            .sum();
        self.text.lines().count().saturating_sub(tests)
    }

    /// Where `word` stands in the code, outside tests, as a whole word where it begins or ends with a letter.
    pub(crate) fn uses(&self, word: &str) -> Vec<usize> {
        find_words(&self.code, word)
            .filter(|at| !self.in_tests(*at))
            .collect()
    }
}

/// The offsets of `word` in `code`; a word that begins or ends with a letter must not go on there.
pub(crate) fn find_words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = code.as_bytes();
    let first = word.as_bytes().first().copied().is_some_and(is_name);
    let last = word.as_bytes().last().copied().is_some_and(is_name);
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| {
            let before = at.checked_sub(1).map(|index| bytes[index]);
            let after = bytes.get(at + word.len()).copied();
            !(first && before.is_some_and(is_name) || last && after.is_some_and(is_name))
        })
}

/// The offset after the bracket that closes the one at `open`, or the end of the code.
pub(crate) fn after_closing(code: &str, open: usize) -> usize {
    let bytes = code.as_bytes();
    let (opening, closing) = match bytes[open] {
        b'{' => (b'{', b'}'),
        b'[' => (b'[', b']'),
        _ => (b'(', b')'),
    };
    let mut depth = 0usize;
    for (index, byte) in bytes.iter().enumerate().skip(open) {
        if *byte == opening {
            depth += 1;
        } else if *byte == closing {
            depth -= 1;
            if depth == 0 {
                return index + 1;
            }
        }
    }
    bytes.len()
}

/// Skips blanks and further attributes.
pub(crate) fn skip_attributes(code: &str, mut at: usize) -> usize {
    loop {
        at += code[at..].len() - code[at..].trim_start().len();
        if code[at..].starts_with("#[") {
            at = after_closing(code, at + 1);
        } else {
            return at;
        }
    }
}

/// The names of modules declared as `#[cfg(test)] mod name;`.
pub(crate) fn test_modules(code: &str) -> Vec<String> {
    let declarations = test_attributes(code).filter_map(|(_, after)| {
        let rest = &code[skip_attributes(code, after)..];
        let rest = rest.strip_prefix("mod ")?;
        let name = rest[..rest.find([';', '{'])?].trim();
        rest[name.len()..]
            .trim_start()
            .starts_with(';')
            .then(|| name.to_owned())
    });
    declarations.collect()
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Each `#[cfg(…test…)]`: its begin and its end.
fn test_attributes(code: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    code.match_indices("#[cfg(").filter_map(|(at, _)| {
        let end = after_closing(code, at + 1);
        let condition = &code[at..end];
        let for_tests =
            find_words(condition, "test").next().is_some() && !condition.contains("not(test");
        for_tests.then_some((at, end))
    })
}

fn test_parts(code: &str) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    for (at, after) in test_attributes(code) {
        if parts.last().is_some_and(|last| last.contains(&at)) {
            continue;
        }
        let item = skip_attributes(code, after);
        let end = match code[item..].find(['{', ';']) {
            Some(found) if code.as_bytes()[item + found] == b'{' => {
                after_closing(code, item + found)
            }
            Some(found) => item + found + 1,
            None => code.len(),
        };
        parts.push(at..end);
    }
    parts
}

struct Scanner<'a> {
    text: &'a [u8],
    code: Vec<u8>,
    literals: Vec<(usize, String)>,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Scanner<'a> {
        let text = text.as_bytes();
        Scanner {
            text,
            code: Vec::with_capacity(text.len()),
            literals: Vec::new(),
            at: 0,
        }
    }

    fn scan(mut self) -> (String, Vec<(usize, String)>) {
        while self.at < self.text.len() {
            let rest = &self.text[self.at..];
            if rest.starts_with(b"//") {
                let length = rest
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .unwrap_or(rest.len());
                self.fill(length, b' ');
            } else if rest.starts_with(b"/*") {
                self.fill(block_comment(rest), b' ');
            } else if let Some((before, after)) = raw_string(rest).filter(|_| self.at_word_start())
            {
                self.string(before, after);
            } else if rest[0] == b'"' {
                self.string(1, plain_string(rest));
            } else if rest[0] == b'\'' {
                let length = character(rest);
                self.copy(1);
                self.fill(length - 1, TEXT);
            } else {
                self.copy(1);
            }
        }
        // Only ASCII was written in place of text, and all else was copied whole.
        (
            String::from_utf8_lossy(&self.code).into_owned(),
            self.literals,
        )
    }

    fn at_word_start(&self) -> bool {
        // `br"…"` and `cr"…"` are raw strings too: the letter before the `r` is a prefix.
        let before = |back: usize| self.at.checked_sub(back).map(|index| self.text[index]);
        match before(1) {
            Some(b'b' | b'c') => !before(2).is_some_and(is_name),
            Some(byte) => !is_name(byte),
            None => true,
        }
    }

    /// A string of `length` bytes whose content begins after `quote` bytes.
    fn string(&mut self, quote: usize, length: usize) {
        let hashes = quote.saturating_sub(2);
        let closing = if quote == 1 { 1 } else { 1 + hashes };
        let inside = self.at + quote
            ..(self.at + length)
                .saturating_sub(closing)
                .max(self.at + quote);
        let content = String::from_utf8_lossy(&self.text[inside.clone()]).into_owned();
        self.literals.push((inside.start, content));
        self.copy(quote);
        self.fill(inside.len(), TEXT);
        self.copy(length - quote - inside.len());
    }

    fn copy(&mut self, length: usize) {
        let end = (self.at + length).min(self.text.len());
        self.code.extend_from_slice(&self.text[self.at..end]);
        self.at = end;
    }

    fn fill(&mut self, length: usize, with: u8) {
        let end = (self.at + length).min(self.text.len());
        let filled = self.text[self.at..end]
            .iter()
            .map(|byte| if *byte == b'\n' { b'\n' } else { with });
        self.code.extend(filled);
        self.at = end;
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn plain_string(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// For `r"…"` and `r#"…"#`: the bytes before the content and the whole length.
fn raw_string(rest: &[u8]) -> Option<(usize, usize)> {
    let after = rest.strip_prefix(b"r")?;
    let hashes = after.iter().take_while(|byte| **byte == b'#').count();
    if after.get(hashes) != Some(&b'"') {
        return None;
    }
    let quote = hashes + 2;
    let closing: Vec<u8> = [b'"']
        .into_iter()
        .chain(std::iter::repeat_n(b'#', hashes))
        .collect();
    let end = rest[quote..]
        .windows(closing.len())
        .position(|window| window == closing);
    Some((
        quote,
        end.map_or(rest.len(), |end| quote + end + closing.len()),
    ))
}

/// The length of a character literal, or 1 for the mark of a lifetime.
fn character(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        // The escaped character may itself be a quote.
        let close = rest.iter().skip(3).position(|byte| *byte == b'\'');
        return close.map_or(1, |close| close + 4);
    }
    let close = rest.iter().skip(2).take(4).position(|byte| *byte == b'\'');
    match close {
        Some(0) => 3,
        // More than one byte between the quotes: one character outside ASCII, or two lifetimes.
        Some(close) if !rest[1].is_ascii() => close + 3,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new(Path::new("a.rs"), text.to_owned(), false)
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        let source = source(
            "let a = \"unsafe\"; // unsafe\n/* unsafe /* x */ unsafe */ let b = r#\"un\"safe\"#;\n",
        );
        assert!(source.uses("unsafe").is_empty(), "{}", source.code);
        assert_eq!(source.uses("let").len(), 2);
        assert_eq!(source.code.len(), source.text.len());
        assert_eq!(source.literals[0].1, "unsafe");
        assert_eq!(source.literals[1].1, "un\"safe");
    }

    #[test]
    fn lifetimes_and_characters_differ() {
        let source = source(
            "fn f<'a>(x: &'a str) -> char { if x == \"'\" { '\\'' } else { '\"' } } fn g() {}",
        );
        assert_eq!(source.uses("fn").len(), 2, "{}", source.code);
        assert_eq!(source.literals.len(), 1);
    }

    #[test]
    fn text_outside_ascii_keeps_its_place() {
        let source = source("// ü\nlet a = 'ü'; let b = \"ü\"; let c = 1;");
        assert_eq!(source.code.len(), source.text.len());
        assert_eq!(source.uses("let").len(), 3);
    }

    #[test]
    fn test_modules_are_set_apart() {
        let text = "fn a() { x.unwrap() }\n#[cfg(test)]\nmod tests {\n    fn b() { x.unwrap() }\n}\nfn c() {}\n";
        let source = source(text);
        assert_eq!(source.uses(".unwrap()").len(), 1);
        assert_eq!(source.lines_without_tests(), 2);
    }

    #[test]
    fn words_are_whole_words() {
        let source = source("unsafely(unsafe_code, unsafe);");
        assert_eq!(source.uses("unsafe").len(), 1);
    }

    #[test]
    fn modules_for_tests_only_are_named() {
        assert_eq!(
            test_modules("#[cfg(test)]\nmod model;\n#[cfg(test)] mod b { }\nmod c;"),
            ["model"]
        );
    }
}
