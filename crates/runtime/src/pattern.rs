//! Extended regular expressions (`regex(7)`) over container ids, for `--regex`.
//!
//! Ids are ASCII (see `check_id`), so a pattern is read and matched byte by byte. Matching keeps the set of
//! places reached so far: its time is bounded by pattern times text, whatever the pattern is.

use std::collections::BTreeSet;

/// The longest pattern, and the deepest nesting of groups: far above what names ids.
const LONGEST: usize = 1024;
const DEEPEST: usize = 32;
/// The most repetitions that `{…}` may ask for (`RE_DUP_MAX`).
const MOST: usize = 255;

/// A pattern, read.
#[derive(Debug)]
pub struct Pattern(Vec<Vec<Node>>);

#[derive(Debug)]
enum Node {
    Byte(u8),
    Any,
    Class(bool, Vec<(u8, u8)>),
    Start,
    End,
    Group(Vec<Vec<Node>>),
    Repeat(Box<Node>, usize, Option<usize>),
}

type Places = BTreeSet<usize>;

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("is longer than {LONGEST} bytes"));
        }
        let mut reader = Reader {
            text: text.as_bytes(),
            at: 0,
            depth: 0,
        };
        let alternatives = reader.alternatives()?;
        if reader.at < text.len() {
            return Err("has a ) too many".into());
        }
        Ok(Self(alternatives))
    }

    /// Whether it matches anywhere in the text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let everywhere = (0..=text.len()).collect();
        !after_one_of(&self.0, text.as_bytes(), &everywhere).is_empty()
    }
}

/// The places that are reached from `from` over one of the alternatives.
fn after_one_of(alternatives: &[Vec<Node>], text: &[u8], from: &Places) -> Places {
    let over = |sequence: &Vec<Node>| {
        sequence
            .iter()
            .fold(from.clone(), |places, node| node.after(text, &places))
    };
    alternatives.iter().flat_map(over).collect()
}

impl Node {
    fn after(&self, text: &[u8], from: &Places) -> Places {
        let step = |takes: &dyn Fn(u8) -> bool| {
            let next = |&place: &usize| {
                let fits = text.get(place).is_some_and(|byte| takes(*byte));
                fits.then_some(place + 1)
            };
            from.iter().filter_map(next).collect()
        };
        match self {
            Self::Byte(wanted) => step(&|byte| byte == *wanted),
            Self::Any => step(&|_| true),
            Self::Class(negated, ranges) => step(&|byte| {
                let inside = ranges
                    .iter()
                    .any(|(first, last)| (*first..=*last).contains(&byte));
                inside != *negated
            }),
            Self::Start => from.iter().copied().filter(|place| *place == 0).collect(),
            Self::End => {
                let at_end = |place: &usize| *place == text.len();
                from.iter().copied().filter(at_end).collect()
            }
            Self::Group(alternatives) => after_one_of(alternatives, text, from),
            Self::Repeat(node, least, most) => node.repeated(text, from, *least, *most),
        }
    }

    fn repeated(&self, text: &[u8], from: &Places, least: usize, most: Option<usize>) -> Places {
        let mut places = from.clone();
        for _ in 0..least {
            places = self.after(text, &places);
        }
        let mut reached = places.clone();
        for _ in least..most.unwrap_or(usize::MAX) {
            places = self.after(text, &places);
            places.retain(|place| !reached.contains(place));
            if places.is_empty() {
                break;
            }
            reached.extend(&places);
        }
        reached
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek();
        self.at += usize::from(byte.is_some());
        byte
    }

    /// Up to the end, or to a `)` that somebody else has opened.
    fn alternatives(&mut self) -> Result<Vec<Vec<Node>>, String> {
        let mut alternatives = vec![Vec::new()];
        loop {
            match self.peek() {
                None | Some(b')') => return Ok(alternatives),
                Some(b'|') => {
                    self.at += 1;
                    alternatives.push(Vec::new());
                }
                Some(_) => {
                    let node = self.repeats()?;
                    if let Some(last) = alternatives.last_mut() {
                        last.push(node);
                    }
                }
            }
        }
    }

    fn repeats(&mut self) -> Result<Node, String> {
        let mut node = self.atom()?;
        loop {
            let (least, most) = match self.peek() {
                Some(b'*') => (0, None),
                Some(b'+') => (1, None),
                Some(b'?') => (0, Some(1)),
                Some(b'{') => self.bounds()?,
                _ => return Ok(node),
            };
            self.at += 1;
            node = Node::Repeat(Box::new(node), least, most);
        }
    }

    /// `{m}`, `{m,}` or `{m,n}`; the closing brace is left to the caller.
    fn bounds(&mut self) -> Result<(usize, Option<usize>), String> {
        let rest = &self.text[self.at + 1..];
        let wrong = || "has a { without the } or the numbers of {m,n}".to_owned();
        let end = rest
            .iter()
            .position(|byte| *byte == b'}')
            .ok_or_else(wrong)?;
        let inside = std::str::from_utf8(&rest[..end]).map_err(|_| wrong())?;
        let number = |text: &str| match text.parse::<usize>() {
            Ok(number) if number <= MOST => Ok(number),
            Ok(number) => Err(format!("repeats {number} times; the most is {MOST}")),
            Err(_) => Err(wrong()),
        };
        let (least, most) = match inside.split_once(',') {
            None => (number(inside)?, Some(number(inside)?)),
            Some((least, "")) => (number(least)?, None),
            Some((least, most)) => (number(least)?, Some(number(most)?)),
        };
        if most.is_some_and(|most| most < least) {
            return Err(wrong());
        }
        self.at += 1 + end;
        Ok((least, most))
    }

    fn atom(&mut self) -> Result<Node, String> {
        Ok(match self.take() {
            Some(b'.') => Node::Any,
            Some(b'^') => Node::Start,
            Some(b'$') => Node::End,
            Some(b'[') => self.class()?,
            Some(b'(') => self.group()?,
            Some(b'\\') => Node::Byte(self.take().ok_or("ends with a backslash")?),
            Some(byte @ (b'*' | b'+' | b'?' | b'{')) => {
                return Err(format!("has a {} that repeats nothing", char::from(byte)));
            }
            Some(byte) => Node::Byte(byte),
            None => return Err("ends too early".into()),
        })
    }

    fn group(&mut self) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("has more than {DEEPEST} groups in each other"));
        }
        let alternatives = self.alternatives()?;
        self.take().ok_or("has a ( without its )")?;
        self.depth -= 1;
        Ok(Node::Group(alternatives))
    }

    fn class(&mut self) -> Result<Node, String> {
        let open = "has a [ without its ]";
        let negated = self.peek() == Some(b'^');
        self.at += usize::from(negated);
        let mut ranges = Vec::new();
        loop {
            let first = self.take().ok_or(open)?;
            // A bracket that comes first is one of the class.
            if first == b']' && !ranges.is_empty() {
                return Ok(Node::Class(negated, ranges));
            }
            if first == b'[' && self.peek() == Some(b':') {
                return Err("names a class such as [:alpha:]; write [a-z] instead".into());
            }
            let is_range = self.peek() == Some(b'-')
                && !matches!(self.text.get(self.at + 1), Some(b']') | None);
            let last = if is_range {
                self.at += 1;
                self.take().ok_or(open)?
            } else {
                first
            };
            if last < first {
                return Err("has a range that ends before it begins".into());
            }
            ranges.push((first, last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn what_is_matched() {
        for (pattern, yes, no) in [
            ("web", "my-web-1", "wed"),
            ("^web$", "web", "web1"),
            ("^w.b$", "wxb", "wxxb"),
            ("^(a|bc)+$", "abcbca", "abb"),
            ("^a{2,3}$", "aaa", "aaaa"),
            ("^a{2}$", "aa", "a"),
            ("^a{1,}b?$", "aaab", "b"),
            ("^[a-c_]*$", "ab_c", "abd"),
            ("^[^0-9]+$", "web-x", "web1"),
            ("^[]x-]$", "-", "y"),
            (r"^a\.b$", "a.b", "axb"),
            ("^$", "", "a"),
            ("^(a*)*$", "aaaa", "ab"),
            ("", "anything", "\u{0}never"),
        ] {
            let parsed = Pattern::parse(pattern).expect(pattern);
            assert!(parsed.matches(yes), "{pattern} and {yes}");
            assert!(
                pattern.is_empty() || !parsed.matches(no),
                "{pattern} and {no}"
            );
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for (pattern, why) in [
            ("(a", "without its )"),
            ("a)", "too many"),
            ("[a", "without its ]"),
            ("*", "repeats nothing"),
            ("a{3,2}", "numbers of"),
            ("a{1000}", "the most is 255"),
            ("[z-a]", "before it begins"),
            ("[[:alpha:]]", "[:alpha:]"),
            ("\\", "backslash"),
        ] {
            let error = Pattern::parse(pattern).expect_err(pattern);
            assert!(error.contains(why), "{pattern}: {error}");
        }
        assert!(Pattern::parse(&"(".repeat(40)).is_err_and(|why| why.contains("groups")));
    }

    /// Patterns that other matchers take for ever for.
    #[test]
    fn no_pattern_takes_long() {
        let parsed = Pattern::parse(&format!("^{}{}$", "(a*)*".repeat(20), "b")).expect("valid");
        assert!(!parsed.matches(&"a".repeat(255)));
    }
}
