//! JSON for programs.

use crate::error::Error;
use serde::Serialize;

/// One object per line, as docker's `--format json` prints lists, so that `jq` reads a stream.
///
/// # Errors
/// [`Error::Document`] when a value cannot be written as JSON.
pub(crate) fn lines<T: Serialize>(rows: &[T]) -> Result<String, Error> {
    let mut text = String::new();
    for row in rows {
        text.push_str(&serde_json::to_string(row).map_err(Error::Document)?);
        text.push('\n');
    }
    Ok(text)
}

/// One indented document, for people who read it too.
///
/// # Errors
/// [`Error::Document`] when the value cannot be written as JSON.
pub(crate) fn document<T: Serialize>(value: &T) -> Result<String, Error> {
    let mut text = serde_json::to_string_pretty(value).map_err(Error::Document)?;
    text.push('\n');
    Ok(text)
}
