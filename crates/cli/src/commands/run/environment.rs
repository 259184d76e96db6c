//! `-e` and `--env-file`: variables set, or passed on from the caller by name, and never by accident.

use crate::error::Error;
use std::path::PathBuf;

/// The variables of the files, in order, then those of the command line, which win.
///
/// # Errors
/// A file that cannot be read; a line without a name.
pub(crate) fn collect(files: &[PathBuf], texts: &[String]) -> Result<Vec<(String, String)>, Error> {
    let own = || {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
    };
    let mut found = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(path).map_err(|source| Error::ReadFile {
            path: path.clone(),
            source,
        })?;
        for (number, line) in text.lines().enumerate() {
            let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let place = || format!("{} line {}", path.display(), number + 1);
            add(&mut found, line, place, own())?;
        }
    }
    for text in texts {
        add(&mut found, text, || "--env".into(), own())?;
    }
    Ok(found)
}

/// One entry: `NAME=VALUE`, `NAME` for the caller's value if there is one, `NAME*` for all that begin so.
fn add(
    found: &mut Vec<(String, String)>,
    text: &str,
    place: impl Fn() -> String,
    own: impl Iterator<Item = (String, String)>,
) -> Result<(), Error> {
    let wrong = |reason: &str| Error::Usage {
        what: place(),
        reason: format!("{text:?} {reason}"),
    };
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    if name.is_empty() {
        return Err(wrong("has no name before the ="));
    }
    if name.contains(char::is_whitespace) || text.contains('\0') {
        return Err(wrong("has a name with spaces in it"));
    }
    match (value, name.strip_suffix('*')) {
        (Some(value), _) => found.push((name.into(), value.into())),
        (None, Some(prefix)) => {
            let mut passed: Vec<_> = own.filter(|(name, _)| name.starts_with(prefix)).collect();
            passed.sort();
            found.extend(passed);
        }
        (None, None) => found.extend(own.filter(|(own, _)| own == name)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Result<Vec<(String, String)>, String> {
        let own = [("LC_ALL", "C"), ("LC_TIME", "de"), ("SECRET", "x")];
        let own = own
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut found = Vec::new();
        add(&mut found, text, || "--env".into(), own).map_err(|error| error.to_string())?;
        Ok(found)
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.into(), value.into())
    }

    #[test]
    fn values_names_and_beginnings() {
        assert_eq!(one("A=b=c").unwrap(), [pair("A", "b=c")]);
        assert_eq!(one("A=").unwrap(), [pair("A", "")]);
        assert_eq!(one("SECRET").unwrap(), [pair("SECRET", "x")]);
        assert_eq!(
            one("LC_*").unwrap(),
            [pair("LC_ALL", "C"), pair("LC_TIME", "de")]
        );
        assert!(one("NOT_SET").unwrap().is_empty());
    }

    #[test]
    fn a_name_is_needed() {
        assert!(one("=x").unwrap_err().contains("no name"));
        assert!(one("A B=x").unwrap_err().contains("spaces"));
    }

    #[test]
    fn files_have_comments_and_mistakes_have_a_line() {
        let path = std::env::temp_dir().join(format!("dhow-env-{}", std::process::id()));
        std::fs::write(&path, "# note\r\n\n  A=1\r\nB=two words\n").unwrap();
        let found = collect(std::slice::from_ref(&path), &["A=2".into()]).unwrap();
        assert_eq!(
            found,
            [pair("A", "1"), pair("B", "two words"), pair("A", "2")]
        );
        std::fs::write(&path, "A=1\n=broken\n").unwrap();
        let error = collect(std::slice::from_ref(&path), &[])
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 2"), "{error}");
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(collect(&[path], &[]), Err(Error::ReadFile { .. })));
    }
}
