//! A bundle: the directory with `config.json`, and the document in it.

mod place;

use crate::error::{Error, Result};
use crate::platform;
use crate::spec::Spec;
use serde::de::DeserializeOwned;
use std::io::Read;
use std::path::{Path, PathBuf};

/// No real configuration comes near this size.
const LIMIT: u64 = 16 << 20;

/// An opened bundle.
#[derive(Debug)]
pub struct Bundle {
    /// Its absolute path.
    pub path: PathBuf,
    /// `config.json`, read.
    pub spec: Spec,
    /// `config.json`, byte for byte.
    pub document: Vec<u8>,
}

impl Bundle {
    /// Opens the bundle in `directory`; `config` names another document than `config.json`.
    ///
    /// # Errors
    /// [`Error::Document`] when the directory or the document is missing, too large, or not what the
    /// specification describes, with the JSON path of the trouble.
    pub fn open(directory: &Path, config: Option<&Path>) -> Result<Self> {
        let refuse = |path: &Path, error: &std::io::Error| Error::Document {
            path: path.to_owned(),
            reason: format!("cannot open the bundle: {}", plain(error)),
        };
        let path = platform::real_path(directory).map_err(|error| refuse(directory, &error))?;
        let config = config.map_or_else(|| path.join("config.json"), Path::to_owned);
        let document = read(&config).map_err(|error| refuse(&config, &error))?;
        let spec = parse(&document).map_err(|reason| Error::Document {
            path: config,
            reason,
        })?;
        Ok(Self {
            path,
            spec,
            document,
        })
    }
}

/// An error of the standard library, without its number.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(std::io::Error::other("not a regular file"));
    }
    let mut document =
        Vec::with_capacity(usize::try_from(metadata.len().min(LIMIT)).unwrap_or(0) + 1);
    file.take(LIMIT + 1).read_to_end(&mut document)?;
    if document.len() as u64 > LIMIT {
        return Err(std::io::Error::other("larger than 16 MiB"));
    }
    Ok(document)
}

/// Reads a document: `config.json` as a [`Spec`], or what `exec --process` is given as a `Process`.
///
/// # Errors
/// What is wrong, and at which JSON path or line.
pub fn parse<T: DeserializeOwned>(document: &[u8]) -> std::result::Result<T, String> {
    // JSON is UTF-8 (RFC 8259, 8.1); below, members that nobody reads are not looked at.
    std::str::from_utf8(document).map_err(|error| format!("not valid JSON: {error}"))?;
    typed(document).or_else(|mistake| {
        // What stands twice says two things (glossary.md, JSON); the untyped reading would take the last.
        if mistake.contains("duplicate field") {
            return Err(mistake);
        }
        // Go programs write absent lists as null, which the typed reading refuses: once more without.
        let mut value: serde_json::Value =
            serde_json::from_slice(document).map_err(|error| format!("not valid JSON: {error}"))?;
        drop_nulls(&mut value);
        serde_json::to_vec(&value).map_or(Err(mistake), |text| typed(&text))
    })
}

fn typed<T: DeserializeOwned>(document: &[u8]) -> std::result::Result<T, String> {
    serde_json::from_slice(document).map_err(|error| {
        if error.classify() != serde_json::error::Category::Data {
            return format!("not valid JSON: {error}");
        }
        let text = error.to_string();
        let text = text.split(" at line ").next().unwrap_or_default();
        match place::path(document, error.line(), error.column()) {
            path if path.is_empty() => text.to_owned(),
            path => format!("{path}: {text}"),
        }
    })
}

fn drop_nulls(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_named_by_its_path() {
        let text = br#"{"ociVersion":"1.0.0","linux":{"namespaces":[{"type":"pid"},{"type":7}]}}"#;
        let error = parse::<Spec>(text).expect_err("a number for a word");
        assert!(error.starts_with("linux.namespaces[1].type: "), "{error}");
        let error = parse::<Spec>(b"{\"ociVersion\":").expect_err("cut off");
        assert!(
            error.starts_with("not valid JSON: ") && error.contains("line 1"),
            "{error}"
        );
    }

    #[test]
    fn what_stands_twice_is_refused() {
        let text = br#"{"ociVersion":"1.0.0","ociVersion":"1.0.1","mounts":null}"#;
        let error = parse::<Spec>(text).expect_err("twice");
        assert!(error.contains("duplicate field `ociVersion`"), "{error}");
    }

    #[test]
    fn text_is_utf_8_also_where_nobody_reads_it() {
        let error =
            parse::<Spec>(b"{\"ociVersion\":\"1.0.0\",\"x\":\"\xff\"}").expect_err("not UTF-8");
        assert!(
            error.starts_with("not valid JSON: invalid utf-8"),
            "{error}"
        );
    }

    #[test]
    fn null_is_absence() {
        let spec: Spec =
            parse(br#"{"ociVersion":"1.0.0","mounts":null,"process":{"cwd":"/","args":null}}"#)
                .expect("valid");
        assert!(spec.mounts.is_empty());
    }
}
