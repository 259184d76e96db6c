//! What the engine tells the monitor on its command line.

use lexopt::prelude::*;
use std::ffi::OsString;
use std::path::PathBuf;

/// The command line:
/// `dhow-monitor --id ID --container DIR --run DIR [--tty COLSxROWS] [--stdin] [--attached]
/// [--log-max BYTES] [--oom FILE] [--at-exit WORD]… -- RUNTIME [GLOBAL OPTION]…`
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    /// The container's id.
    pub(crate) id: String,
    /// Its durable directory: the bundle, the log, `started` and `exit`.
    pub(crate) container: PathBuf,
    /// Its volatile directory: the sockets, the lock and the pid file.
    pub(crate) run: PathBuf,
    /// The size of its terminal, if it has one: columns and rows.
    pub(crate) tty: Option<(u16, u16)>,
    /// Whether its standard input stays open.
    pub(crate) stdin: bool,
    /// Whether the engine at the other end of standard input wants its output.
    pub(crate) attached: bool,
    /// The size at which the log is rotated.
    pub(crate) log_max: Option<u64>,
    /// The cgroup file that counts kills for want of memory.
    pub(crate) oom: Option<PathBuf>,
    /// What to become at the very end when no engine waits.
    pub(crate) at_exit: Vec<OsString>,
    /// The runtime and its global options.
    pub(crate) runtime: Vec<OsString>,
}

impl Arguments {
    /// Parses a command line, program name included.
    pub(crate) fn parse(words: impl Iterator<Item = OsString>) -> Result<Self, lexopt::Error> {
        let mut parser = lexopt::Parser::from_iter(words);
        let mut parsed = Self::default();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("id") => parsed.id = parser.value()?.string()?,
                Long("container") => parsed.container = parser.value()?.into(),
                Long("run") => parsed.run = parser.value()?.into(),
                Long("tty") => parsed.tty = Some(parser.value()?.parse_with(size)?),
                Long("stdin") => parsed.stdin = true,
                Long("attached") => parsed.attached = true,
                Long("log-max") => parsed.log_max = Some(parser.value()?.parse()?),
                Long("oom") => parsed.oom = Some(parser.value()?.into()),
                Long("at-exit") => parsed.at_exit.push(parser.value()?),
                Value(word) => {
                    parsed.runtime.push(word);
                    parsed.runtime.extend(parser.raw_args()?);
                }
                _ => return Err(argument.unexpected()),
            }
        }
        let missing = [
            ("--id", parsed.id.is_empty()),
            ("--container", parsed.container.as_os_str().is_empty()),
            ("--run", parsed.run.as_os_str().is_empty()),
            ("-- RUNTIME", parsed.runtime.is_empty()),
        ];
        match missing.iter().find(|(_, missing)| *missing) {
            Some((name, _)) => Err(format!("{name} is missing").into()),
            None => Ok(parsed),
        }
    }
}

fn size(text: &str) -> Result<(u16, u16), &'static str> {
    let form = "not COLUMNSxROWS";
    let (columns, rows) = text.split_once('x').ok_or(form)?;
    Ok((
        columns.parse().map_err(|_| form)?,
        rows.parse().map_err(|_| form)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        let words = line.split(' ').map(OsString::from);
        Arguments::parse(words).map_err(|error| error.to_string())
    }

    #[test]
    fn a_full_line() {
        let line = "m --id a --container /c --run /r --tty 80x24 --at-exit x --at-exit -y -- /bin/rt --root /q";
        let parsed = parse(line).expect("valid");
        assert_eq!(parsed.tty, Some((80, 24)));
        assert_eq!(parsed.at_exit, ["x", "-y"]);
        assert_eq!(parsed.runtime, ["/bin/rt", "--root", "/q"]);
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        let error = parse("m --id a --container /c --run /r").expect_err("no runtime");
        assert!(error.contains("RUNTIME"), "{error}");
        let error = parse("m --container /c --run /r -- x").expect_err("no id");
        assert!(error.contains("--id"), "{error}");
        let error = parse("m --colour").expect_err("unknown");
        assert!(error.contains("--colour"), "{error}");
        let error = parse("m --tty 80").expect_err("size");
        assert!(error.contains("COLUMNSxROWS"), "{error}");
    }
}
