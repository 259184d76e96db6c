//! The command line: what a verb's flags are, how they are read, and how help is printed.
//!
//! The flags and their meaning are runc's, because every engine above calls them so. A table per
//! verb serves both the reading and the help, so neither can know more than the other.

use crate::error::{Error, Result};
use std::ffi::OsString;
use std::path::PathBuf;

/// A flag of a verb.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// Its long name.
    pub name: &'static str,
    /// Its short name.
    pub short: Option<char>,
    /// What its value is called in the help; `None` for a switch.
    pub value: Option<&'static str>,
    /// One line of help.
    pub help: &'static str,
}

/// A switch.
#[must_use]
pub const fn switch(name: &'static str, short: Option<char>, help: &'static str) -> Flag {
    Flag {
        name,
        short,
        value: None,
        help,
    }
}

/// A flag with a value.
#[must_use]
pub const fn value(
    name: &'static str,
    short: Option<char>,
    value: &'static str,
    help: &'static str,
) -> Flag {
    Flag {
        name,
        short,
        value: Some(value),
        help,
    }
}

/// A verb's command line.
#[derive(Debug)]
pub struct Usage {
    /// The verb.
    pub verb: &'static str,
    /// What follows it, as the help shows it.
    pub arguments: &'static str,
    /// One line of help.
    pub summary: &'static str,
    /// Its flags.
    pub flags: &'static [Flag],
    /// How many words come before everything else is taken as it is; `None`: flags everywhere.
    pub verbatim_after: Option<usize>,
    /// One real example.
    pub example: &'static str,
}

/// Which bundle; for every verb that reads one.
pub const BUNDLE: Flag = value(
    "bundle",
    Some('b'),
    "DIR",
    "the bundle [default: the working directory]",
);

/// Which document, where it is not the bundle's own.
pub const CONFIG: Flag = value(
    "config",
    Some('f'),
    "FILE",
    "another document than the bundle's config.json",
);

/// The flags before the verb.
pub const GLOBAL: &[Flag] = &[
    value(
        "root",
        None,
        "DIR",
        "state directory [default: /run/dhow, or $XDG_RUNTIME_DIR/dhow]",
    ),
    value(
        "log",
        None,
        "FILE",
        "write messages to FILE too; journald:ID and syslog:ID are the host's logs",
    ),
    value("log-format", None, "FORMAT", "text or json [default: text]"),
    value(
        "log-level",
        None,
        "LEVEL",
        "error, warning or debug [default: warning]",
    ),
    switch("debug", None, "write what is being done to the log"),
    switch("systemd-cgroup", None, "let systemd make the cgroup"),
    value(
        "cgroup-manager",
        None,
        "NAME",
        "cgroupfs or systemd [default: cgroupfs]",
    ),
    value(
        "rootless",
        None,
        "WORD",
        "true, false or auto [default: auto]",
    ),
    switch("help", Some('h'), "print help"),
    switch("version", Some('v'), "print the version"),
];

/// What was said before the verb.
#[derive(Debug, Clone, Default)]
pub struct Global {
    /// Where containers are remembered.
    pub root: PathBuf,
    /// Where messages go besides standard error: a file, or a log of the host.
    pub log: Option<PathBuf>,
    /// Whether only errors go there.
    pub errors_only: bool,
    /// Whether they are JSON.
    pub json: bool,
    /// Whether every step is told.
    pub debug: bool,
    /// Whether systemd makes the cgroup.
    pub systemd: bool,
    /// `--rootless`, if it decides anything.
    pub rootless: Option<bool>,
}

/// A verb's arguments, read.
#[derive(Debug, Default)]
pub struct Arguments {
    given: Vec<(&'static str, String)>,
    /// Words that are no flags.
    pub words: Vec<String>,
}

impl Arguments {
    /// Reads what follows a verb.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the argument.
    pub fn read(usage: &Usage, arguments: impl IntoIterator<Item = OsString>) -> Result<Self> {
        let mut parser = lexopt::Parser::from_args(arguments);
        let mut read = Self::default();
        loop {
            if usage
                .verbatim_after
                .is_some_and(|count| read.words.len() >= count)
            {
                // The rest belongs to the program; but flags of ours may still stand before it.
                let rest = parser.try_raw_args();
                if let Some(rest) = rest
                    && rest
                        .peek()
                        .is_some_and(|word| !word.to_string_lossy().starts_with('-'))
                {
                    for word in rest {
                        read.words.push(text(word)?);
                    }
                    return Ok(read);
                }
            }
            match parser
                .next()
                .map_err(|error| usage_error(usage, &error.to_string()))?
            {
                None => return Ok(read),
                Some(lexopt::Arg::Value(word)) => read.words.push(text(word)?),
                Some(argument) => {
                    let flag = find(usage.flags, &argument)
                        .ok_or_else(|| unknown(usage.verb, &argument))?;
                    let value =
                        take(&mut parser, flag).map_err(|reason| usage_error(usage, &reason))?;
                    read.given.push((flag.name, value));
                }
            }
        }
    }

    /// The last value of a flag.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.given
            .iter()
            .rev()
            .find(|(given, _)| *given == name)
            .map(|(_, value)| value.as_str())
    }

    /// All values of a flag.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.given
            .iter()
            .filter(move |(given, _)| *given == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether a switch is on.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value != "false")
    }

    /// A number.
    ///
    /// # Errors
    /// [`Error::Usage`]
    pub fn number(&self, name: &str) -> Result<Option<u32>> {
        let parse = |text: &str| {
            text.parse().map_err(|_| {
                Error::Usage(format!("--{name}: {text:?} is not a number of 0 or more"))
            })
        };
        self.value(name).map(parse).transpose()
    }

    /// The container's id, the first word, and that nothing follows it.
    ///
    /// # Errors
    /// [`Error::Usage`]
    pub fn id(&self, usage: &Usage) -> Result<&str> {
        match self.words.as_slice() {
            [id] => Ok(id),
            [] => Err(usage_error(usage, "the container's id is missing")),
            [_, extra, ..] => Err(usage_error(
                usage,
                &format!("unexpected argument {extra:?}"),
            )),
        }
    }
}

/// A complaint about a command line, with the way to the help.
#[must_use]
pub fn usage_error(usage: &Usage, reason: &str) -> Error {
    Error::Usage(format!(
        "{reason} (see `dhow-runtime {} --help`)",
        usage.verb
    ))
}

fn unknown(verb: &str, argument: &lexopt::Arg<'_>) -> Error {
    let shown = match argument {
        lexopt::Arg::Long(name) => format!("--{name}"),
        lexopt::Arg::Short(letter) => format!("-{letter}"),
        lexopt::Arg::Value(word) => word.to_string_lossy().into_owned(),
    };
    Error::Usage(format!(
        "unknown option {shown} (see `dhow-runtime {verb} --help`)"
    ))
}

fn text(word: OsString) -> Result<String> {
    word.into_string()
        .map_err(|word| Error::Usage(format!("{word:?} is not valid UTF-8")))
}

fn find<'a>(flags: &'a [Flag], argument: &lexopt::Arg<'_>) -> Option<&'a Flag> {
    flags.iter().find(|flag| match argument {
        lexopt::Arg::Long(name) => flag.name == *name,
        lexopt::Arg::Short(letter) => flag.short == Some(*letter),
        lexopt::Arg::Value(_) => false,
    })
}

fn take(parser: &mut lexopt::Parser, flag: &Flag) -> std::result::Result<String, String> {
    let value = if flag.value.is_some() {
        parser.value().map_err(|error| error.to_string())?
    } else {
        match parser.optional_value() {
            None => return Ok("true".into()),
            Some(value) if value == "true" || value == "false" => value,
            Some(_) => return Err(format!("--{} is a switch: true or false", flag.name)),
        }
    };
    value
        .into_string()
        .map_err(|value| format!("--{}: {value:?} is not valid UTF-8", flag.name))
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Asked {
    /// A verb with what follows it.
    Verb(Global, String, Vec<OsString>),
    /// General help.
    Help,
    /// The version.
    Version,
}

/// Reads everything up to the verb.
///
/// # Errors
/// [`Error::Usage`]
pub fn read(
    arguments: impl IntoIterator<Item = OsString>,
    default_root: impl FnOnce() -> PathBuf,
) -> Result<Asked> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut global = Global::default();
    let mut root = None;
    while let Some(argument) = parser
        .next()
        .map_err(|error| Error::Usage(error.to_string()))?
    {
        if let lexopt::Arg::Value(verb) = argument {
            let verb = text(verb)?;
            let rest = parser
                .raw_args()
                .map_err(|error| Error::Usage(error.to_string()))?
                .collect();
            global.root = root.unwrap_or_else(default_root);
            return Ok(Asked::Verb(global, verb, rest));
        }
        let flag = find(GLOBAL, &argument).ok_or_else(|| {
            let lexopt::Arg::Long(name) = argument else {
                return Error::Usage("unknown option before the verb".into());
            };
            Error::Usage(format!(
                "unknown option --{name} (see `dhow-runtime --help`)"
            ))
        })?;
        let value = take(&mut parser, flag).map_err(Error::Usage)?;
        match flag.name {
            "root" => root = Some(PathBuf::from(value)),
            "log" => global.log = Some(PathBuf::from(value)),
            "log-format" => {
                global.json = match value.as_str() {
                    "json" => true,
                    "text" => false,
                    other => {
                        return Err(Error::Usage(format!(
                            "--log-format: {other:?} is neither text nor json"
                        )));
                    }
                }
            }
            "log-level" => log_level(&mut global, &value)?,
            "cgroup-manager" => global.systemd = cgroup_manager(&value)?,
            "debug" => global.debug = value == "true",
            "systemd-cgroup" => global.systemd = value == "true",
            "rootless" => global.rootless = rootless(&value)?,
            "version" => return Ok(Asked::Version),
            _ => return Ok(Asked::Help),
        }
    }
    Ok(Asked::Help)
}

fn log_level(global: &mut Global, level: &str) -> Result<()> {
    (global.errors_only, global.debug) = match level {
        "error" => (true, false),
        "warning" => (false, false),
        "debug" => (false, true),
        other => {
            return Err(Error::Usage(format!(
                "--log-level: {other:?} is none of error, warning, debug"
            )));
        }
    };
    Ok(())
}

/// `None`: it decides nothing.
fn rootless(word: &str) -> Result<Option<bool>> {
    match word {
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        "auto" => Ok(None),
        other => Err(Error::Usage(format!(
            "--rootless: {other:?} is none of true, false, auto"
        ))),
    }
}

/// Whether it is systemd.
fn cgroup_manager(name: &str) -> Result<bool> {
    match name {
        "systemd" => Ok(true),
        "cgroupfs" => Ok(false),
        "disabled" => Err(Error::Usage(
            "--cgroup-manager: disabled is not supported: device rules, pause, kill --all and delete need a \
             cgroup; a rootless container goes without by itself where none is to be had"
                .into(),
        )),
        other => Err(Error::Usage(format!(
            "--cgroup-manager: {other:?} is neither cgroupfs nor systemd"
        ))),
    }
}

/// The help of a verb.
#[must_use]
pub fn help(usage: &Usage) -> String {
    let flags = list(usage.flags);
    let options = if usage.flags.is_empty() {
        String::new()
    } else {
        format!("\nOptions:\n{flags}")
    };
    format!(
        "{}\n\nUsage: dhow-runtime [GLOBAL OPTIONS] {} {}\n{options}\nExample:\n  {}\n",
        usage.summary, usage.verb, usage.arguments, usage.example
    )
}

/// The general help, with one line for each verb.
#[must_use]
pub fn general_help(verbs: &[&Usage]) -> String {
    let width = verbs
        .iter()
        .map(|usage| usage.verb.len())
        .max()
        .unwrap_or(0);
    let lines: String = verbs
        .iter()
        .map(|usage| format!("  {:width$}  {}\n", usage.verb, usage.summary))
        .collect();
    format!(
        "dhow-runtime: an OCI runtime\n\nUsage: dhow-runtime [GLOBAL OPTIONS] VERB [ARGUMENTS]\n\n\
         Verbs:\n{lines}\nGlobal options:\n{}\nExample:\n  dhow-runtime spec && dhow-runtime run demo\n",
        list(GLOBAL)
    )
}

fn list(flags: &[Flag]) -> String {
    let left = |flag: &Flag| {
        let short = flag
            .short
            .map_or("    ".to_owned(), |letter| format!("-{letter}, "));
        let value = flag
            .value
            .map_or(String::new(), |value| format!(" {value}"));
        format!("{short}--{}{value}", flag.name)
    };
    let width = flags.iter().map(|flag| left(flag).len()).max().unwrap_or(0);
    flags
        .iter()
        .map(|flag| format!("  {:width$}  {}\n", left(flag), flag.help))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const USAGE: Usage = Usage {
        verb: "exec",
        arguments: "ID PROGRAM",
        summary: "test",
        flags: &[
            switch("tty", Some('t'), ""),
            value("user", Some('u'), "UID", ""),
        ],
        verbatim_after: Some(1),
        example: "",
    };

    fn words(list: &[&str]) -> Vec<OsString> {
        list.iter().map(OsString::from).collect()
    }

    #[test]
    fn flags_stand_before_and_after_the_id_but_not_in_the_program() {
        let read = Arguments::read(
            &USAGE,
            words(&["-t", "web", "--user", "7", "ls", "-t", "--user"]),
        )
        .expect("valid");
        assert_eq!(read.words, ["web", "ls", "-t", "--user"]);
        assert_eq!((read.is_on("tty"), read.value("user")), (true, Some("7")));
        let error = Arguments::read(&USAGE, words(&["--nope", "web"])).expect_err("unknown");
        assert!(error.to_string().contains("--nope"), "{error}");
    }

    #[test]
    fn switches_can_be_turned_off() {
        let read = Arguments::read(&USAGE, words(&["--tty=false", "web"])).expect("valid");
        assert!(!read.is_on("tty"));
    }
}
