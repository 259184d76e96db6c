//! `cargo xtask faults`: every call of every verb fails once, and the numbers go into docs/faults.md.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use super::results::{Outcome, Results};
use super::suite::Suite;
use crate::build::{self, Audience};
use crate::child;
use crate::error::Error;
use crate::repository;

/// The tests that make the sweeps; each appends one line to the file that [`TABLE`] names.
const FILTER: &str = "faults::";
/// Names that file.
pub(super) const TABLE: &str = "DHOW_FAULTS";
/// What is replaced in the document stands between these lines.
const BEGIN: &str = "<!-- cargo xtask faults writes what follows -->";
const END: &str = "<!-- and no more -->";

/// What came of the faults of one verb.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    faults: u32,
    refused: u32,
    tolerated: u32,
    wrong: u32,
}

/// `cargo xtask faults`.
///
/// # Errors
/// When the command line is wrong, Cargo cannot be run, or the document cannot be written. A fault that came to
/// something wrong is counted, and the document says so.
pub(crate) fn task(mut arguments: lexopt::Parser) -> Result<ExitCode, Error> {
    if let Some(argument) = arguments.next()? {
        return Err(argument.unexpected().into());
    }
    let metadata = repository::metadata()?;
    let table = metadata.target_directory.join("faults.txt");
    write(&table, "")?;
    let programs = build::programs(&metadata, "tested", Audience::Tests)?;
    let mut suite = Suite::new(&metadata, &programs, Some(FILTER), true)?;
    suite.table = Some(table.clone());
    let mut results = Results::default();
    suite.integration(&mut results)?;
    let rows = rows(&read(&table)?);
    if rows.is_empty() {
        let why = "no sweep has run to its end".to_owned();
        results.add("table of faults", Outcome::Failed(why));
    } else {
        let document = repository::root().join("docs/faults.md");
        let text = replaced(&read(&document)?, &page(&rows)?).ok_or_else(|| Error::Form {
            what: "docs/faults.md".into(),
            why: format!("it has no line {BEGIN:?} with {END:?} after it"),
        })?;
        write(&document, &text)?;
        println!("written: {}", document.display());
    }
    print!("{}", results.report());
    println!("{}", results.last_line());
    Ok(if results.failed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The rows by their titles: errors first, then what moved one byte, then kills.
fn rows(text: &str) -> BTreeMap<(bool, bool, String), Row> {
    text.lines().filter_map(row).collect()
}

/// `VERB: N faults, N clear errors, N tolerated, N wrong`
fn row(line: &str) -> Option<((bool, bool, String), Row)> {
    let (title, rest) = line.rsplit_once(": ")?;
    let mut numbers = rest.split(", ").map(|part| {
        let number = part.split(' ').next();
        number.and_then(|number| number.parse().ok())
    });
    let mut next = || numbers.next().flatten();
    let row = Row {
        faults: next()?,
        refused: next()?,
        tolerated: next()?,
        wrong: next()?,
    };
    let key = (
        title.ends_with("killed"),
        title.ends_with("one byte"),
        title.to_owned(),
    );
    Some((key, row))
}

fn page(rows: &BTreeMap<(bool, bool, String), Row>) -> Result<String, Error> {
    let release = read(&PathBuf::from("/proc/sys/kernel/osrelease"))?;
    let version: Vec<&str> = release.split(['.', '-']).take(2).collect();
    let mut date = Command::new("date");
    date.env("LC_ALL", "C").arg("+%-d %B %Y");
    let date = child::output_of(date, Duration::from_secs(10))?;
    let head = format!("Linux {}, {}:\n", version.join("."), date.trim());
    Ok(format!("{head}\n{}", table(rows)))
}

fn table(rows: &BTreeMap<(bool, bool, String), Row>) -> String {
    let head = "| verb | faults | clear errors | tolerated | wrong |\n|---|---|---|---|---|\n";
    let line = |(title, row): (&str, &Row)| {
        let Row {
            faults,
            refused,
            tolerated,
            wrong,
        } = row;
        format!("| {title} | {faults} | {refused} | {tolerated} | {wrong} |\n")
    };
    let sum = rows.values().fold([0; 4], |sum, row| {
        [
            sum[0] + row.faults,
            sum[1] + row.refused,
            sum[2] + row.tolerated,
            sum[3] + row.wrong,
        ]
    });
    let [faults, refused, tolerated, wrong] = sum;
    let all = Row {
        faults,
        refused,
        tolerated,
        wrong,
    };
    let lines = rows
        .iter()
        .map(|((_, _, title), row)| (title.as_str(), row));
    let lines: String = lines.chain([("all", &all)]).map(line).collect();
    format!("{head}{lines}")
}

/// The document with this between its two lines.
fn replaced(document: &str, middle: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{middle}\n{END}{after}"))
}

fn read(path: &PathBuf) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.clone(),
        source,
    })
}

fn write(path: &PathBuf, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|source| Error::Write {
        path: path.clone(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "\
run, killed: 5 faults, 0 clear errors, 5 tolerated, 0 wrong
run, rootless: 30 faults, 10 clear errors, 19 tolerated, 1 wrong
kill: 3 faults, 1 clear errors, 2 tolerated, 0 wrong
state, one byte: 2 faults, 1 clear errors, 1 tolerated, 0 wrong
";

    #[test]
    fn kinds_of_faults_stand_together_and_are_added_up() {
        let lines: Vec<String> = table(&rows(LINES)).lines().map(str::to_owned).collect();
        assert_eq!(
            lines[2..],
            [
                "| kill | 3 | 1 | 2 | 0 |",
                "| run, rootless | 30 | 10 | 19 | 1 |",
                "| state, one byte | 2 | 1 | 1 | 0 |",
                "| run, killed | 5 | 0 | 5 | 0 |",
                "| all | 40 | 12 | 27 | 1 |",
            ]
        );
    }

    #[test]
    fn only_what_is_between_the_lines_is_replaced() {
        let document = format!("above\n{BEGIN}\nold\n{END}\nbelow\n");
        let new = replaced(&document, "new\n").expect("both lines");
        assert_eq!(new, format!("above\n{BEGIN}\n\nnew\n\n{END}\nbelow\n"));
        assert_eq!(replaced("above", "new"), None);
    }
}
