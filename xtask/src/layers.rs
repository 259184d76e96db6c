//! `cargo xtask layers`: the crate table of ARCHITECTURE.md is the truth, and Cargo must agree.
//!
//! A picture of the layers that nothing checks is wrong within a month. So the table that people
//! read is the one that is enforced: every crate stands in it, every row is a crate, and no crate
//! uses one that its row does not name. The walls that the table cannot show (who may talk to the
//! kernel, who may be async) are checked here too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::ExitCode;

use crate::error::Error;
use crate::repository::{self, Metadata, Package};

const DOCUMENT: &str = "ARCHITECTURE.md";

/// Crates of others that only some of ours may use, and why.
const WALLS: [(&[&str], &[&str], &str); 2] = [
    (
        &["libc", "rustix", "nix", "windows-sys", "windows"],
        &["sys"],
        "kernel and Windows calls go through dhow-sys, the only crate that may be unsafe",
    ),
    (
        &["tokio", "hyper", "reqwest", "async-std", "smol"],
        &["image", "engine", "build", "api", "cli"],
        "nothing async may come near a clone",
    ),
];

/// A row of the table: what the crate builds and which of our crates it may use.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    kind: String,
    may_use: BTreeSet<String>,
}

/// `cargo xtask layers`.
///
/// # Errors
/// When ARCHITECTURE.md cannot be read or has no crate table.
pub(crate) fn task(mut arguments: lexopt::Parser) -> Result<ExitCode, Error> {
    if let Some(argument) = arguments.next()? {
        return Err(argument.unexpected().into());
    }
    let findings = findings(&repository::metadata()?)?;
    for finding in &findings {
        println!("{finding}");
    }
    println!("layers: {} findings", findings.len());
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Where the table and Cargo disagree, one sentence each.
///
/// # Errors
/// When ARCHITECTURE.md cannot be read or has no crate table.
pub(crate) fn findings(metadata: &Metadata) -> Result<Vec<String>, Error> {
    let path = repository::root().join(DOCUMENT);
    let text = fs::read_to_string(&path).map_err(|source| Error::Read { path, source })?;
    let table = table(&text)?;
    let crates: Vec<&Package> = metadata
        .packages
        .iter()
        .filter(|package| package.shipped())
        .collect();
    Ok(compare(&table, &crates))
}

fn compare(table: &BTreeMap<String, Row>, crates: &[&Package]) -> Vec<String> {
    let mut findings = Vec::new();
    for package in crates {
        let name = short(package);
        let Some(row) = table.get(&name) else {
            findings.push(format!("{DOCUMENT} has no row for the crate `{name}`"));
            continue;
        };
        findings.extend(kinds(&name, row, package));
        let dependencies = package
            .dependencies
            .iter()
            .filter(|one| one.kind.as_deref() != Some("dev"));
        for dependency in dependencies {
            findings.extend(allowed(&name, row, &dependency.name));
        }
    }
    let existing: BTreeSet<String> = crates.iter().map(|package| short(package)).collect();
    for name in table.keys().filter(|name| !existing.contains(*name)) {
        findings.push(format!(
            "{DOCUMENT} has a row for `{name}`, but there is no such crate"
        ));
    }
    findings.sort();
    findings.dedup();
    findings
}

/// A row that says `bin NAME` has that program, and one that does not has none.
fn kinds(name: &str, row: &Row, package: &Package) -> Vec<String> {
    let programs = package.targets.iter().filter(|target| target.is("bin"));
    let mut findings: Vec<String> = programs
        .filter(|target| !row.kind.contains(&format!("`{}`", target.name)))
        .map(|target| {
            format!(
                "`{name}` builds the program `{}`, which its row does not say",
                target.name
            )
        })
        .collect();
    if row.kind.contains("bin") && !package.has_program() {
        findings.push(format!(
            "the row of `{name}` says bin, but it builds no program"
        ));
    }
    findings
}

fn allowed(name: &str, row: &Row, dependency: &str) -> Option<String> {
    if let Some(ours) = dependency.strip_prefix("dhow-") {
        let fine = row.may_use.contains(ours);
        return (!fine).then(|| {
            format!("`{name}` uses `{ours}`, which its row in {DOCUMENT} does not allow")
        });
    }
    let wall = WALLS
        .iter()
        .find(|(theirs, may, _)| theirs.contains(&dependency) && !may.contains(&name));
    wall.map(|(_, _, why)| format!("`{name}` uses `{dependency}`: {why}"))
}

fn short(package: &Package) -> String {
    let folder = package.folder();
    folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The table whose header begins with `| crate`.
fn table(text: &str) -> Result<BTreeMap<String, Row>, Error> {
    let rows = text
        .lines()
        .skip_while(|line| !line.starts_with("| crate"))
        .skip(2);
    let rows = rows
        .take_while(|line| line.starts_with('|'))
        .filter_map(row);
    let table: BTreeMap<String, Row> = rows.collect();
    if table.is_empty() {
        let why = "no crate table found: its header begins with \"| crate\"".to_owned();
        return Err(Error::Form {
            what: DOCUMENT.into(),
            why,
        });
    }
    Ok(table)
}

fn row(line: &str) -> Option<(String, Row)> {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let name = quoted(cells.first()?).next()?;
    let may_use = quoted(cells.last()?).collect();
    Some((
        name,
        Row {
            kind: (*cells.get(1)?).to_owned(),
            may_use,
        },
    ))
}

/// The words in `code quotes`.
fn quoted(cell: &str) -> impl Iterator<Item = String> + '_ {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::{Dependency, Target};

    const TABLE: &str = "\
text

| crate | kind | reason | may use |
|---|---|---|---|
| `sys` | lib | calls | – |
| `runtime` | bin `dhow-runtime`, lib | birth | `sys` |

more";

    fn package(name: &str, programs: &[&str], uses: &[&str]) -> Package {
        let target = |name: &&str| Target {
            name: (*name).to_owned(),
            kind: vec!["bin".into()],
            src_path: "x".into(),
        };
        let dependency = |name: &&str| Dependency {
            name: (*name).to_owned(),
            kind: None,
        };
        Package {
            name: format!("dhow-{name}"),
            manifest_path: repository::root()
                .join("crates")
                .join(name)
                .join("Cargo.toml"),
            dependencies: uses.iter().map(dependency).collect(),
            targets: programs.iter().map(target).collect(),
        }
    }

    fn found(packages: &[Package]) -> Vec<String> {
        compare(&table(TABLE).unwrap(), &packages.iter().collect::<Vec<_>>())
    }

    #[test]
    fn agreement_is_silent() {
        let packages = [
            package("sys", &[], &["rustix"]),
            package("runtime", &["dhow-runtime"], &["dhow-sys", "serde"]),
        ];
        assert_eq!(found(&packages), Vec::<String>::new());
    }

    #[test]
    fn each_disagreement_is_named() {
        let runtime = package(
            "runtime",
            &["dhow-runtime", "other"],
            &["dhow-engine", "rustix", "tokio"],
        );
        let text = found(&[runtime, package("engine", &[], &[])]).join("\n");
        for part in [
            "`runtime` uses `engine`",
            "uses `rustix`",
            "uses `tokio`",
            "program `other`",
        ] {
            assert!(text.contains(part), "{part} not in {text}");
        }
        assert!(text.contains("no row for the crate `engine`"), "{text}");
        assert!(
            text.contains("row for `sys`, but there is no such crate"),
            "{text}"
        );
    }

    #[test]
    fn a_test_may_use_what_its_crate_may_not() {
        let mut sys = package("sys", &[], &["dhow-runtime"]);
        sys.dependencies[0].kind = Some("dev".into());
        assert!(!found(&[sys]).join("\n").contains("`sys` uses"));
    }

    #[test]
    fn a_document_without_a_table_is_refused() {
        assert!(
            table("no table")
                .unwrap_err()
                .to_string()
                .contains("no crate table")
        );
    }
}
