//! From a position in a JSON text to the path of the value there.
//!
//! The parser reports a mistake by line and column; people look for `linux.namespaces[1].type`. Only
//! documents with a mistake are read this way, so that the good ones cost nothing.

/// The JSON path of the value at a position; both numbers begin at 1, columns count bytes.
pub(super) fn path(document: &[u8], line: usize, column: usize) -> String {
    let start: usize = document
        .split_inclusive(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let end = (start + column).min(document.len());
    let mut walk = Walk::default();
    let mut rest = &document[..end];
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'"' => walk.text(after),
            _ => {
                walk.punctuation(byte);
                after
            }
        };
    }
    walk.render()
}

/// A container that is open at the position.
enum Level {
    Object(String),
    Array(usize),
}

#[derive(Default)]
struct Walk {
    levels: Vec<Level>,
    /// The last text, a key if a colon follows.
    text: String,
}

impl Walk {
    /// Takes a string whose opening quote was read; returns what follows it.
    fn text<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let mut length = 0;
        while length < rest.len() && rest[length] != b'"' {
            length += if rest[length] == b'\\' { 2 } else { 1 };
        }
        let length = length.min(rest.len());
        self.text = String::from_utf8_lossy(&rest[..length]).into_owned();
        &rest[(length + 1).min(rest.len())..]
    }

    fn punctuation(&mut self, byte: u8) {
        match byte {
            b'{' => self.levels.push(Level::Object(String::new())),
            b'[' => self.levels.push(Level::Array(0)),
            b'}' | b']' => {
                self.levels.pop();
            }
            b':' => {
                if let Some(Level::Object(key)) = self.levels.last_mut() {
                    *key = std::mem::take(&mut self.text);
                }
            }
            b',' => match self.levels.last_mut() {
                Some(Level::Array(index)) => *index += 1,
                Some(Level::Object(key)) => key.clear(),
                None => {}
            },
            _ => {}
        }
    }

    fn render(&self) -> String {
        let mut path = String::new();
        for level in &self.levels {
            match level {
                Level::Object(key) if key.is_empty() => {}
                Level::Object(key) if path.is_empty() => path.push_str(key),
                Level::Object(key) => {
                    path.push('.');
                    path.push_str(key);
                }
                Level::Array(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn positions_become_paths() {
        let text = b"{\"a\": [1, {\"b\\\"c\": 2, \"d\": [[true]]}],\n \"e\": null}";
        let at = |needle: &str| {
            let offset = String::from_utf8_lossy(text).find(needle).expect("needle") + needle.len();
            let line = text[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
            let start = text[..offset]
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1);
            path(text, line, offset - start)
        };
        assert_eq!(at("[1"), "a[0]");
        assert_eq!(at(": 2"), "a[1].b\\\"c");
        assert_eq!(at("true"), "a[1].d[0][0]");
        assert_eq!(at("null"), "e");
        assert_eq!(at("[[true]]}"), "a[1]");
    }
}
