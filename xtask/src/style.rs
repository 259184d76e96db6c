//! `cargo xtask style`: the rules that a compiler does not know.
//!
//! Each rule is one function from a file to findings, tested with a sample that fails and one that
//! passes. What clippy can check, clippy checks.

mod allow;
mod calls;
mod names;
mod platform;
mod promises;
mod size;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::error::Error;
use crate::repository::{self, Metadata, Package};
use allow::Allowed;
use source::Source;

/// One place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The file, from the repository's root.
    pub(crate) path: PathBuf,
    /// The line, from 1.
    pub(crate) line: usize,
    /// The rule's name, as the list of exceptions writes it.
    pub(crate) rule: &'static str,
    /// What is wrong and what to do.
    pub(crate) why: String,
}

impl Finding {
    /// A finding in `path` at `line`.
    pub(crate) fn new(path: &Path, line: usize, rule: &'static str, why: String) -> Finding {
        Finding {
            path: path.to_path_buf(),
            line,
            rule,
            why,
        }
    }
}

/// `cargo xtask style`.
///
/// # Errors
/// When a file cannot be read or the list of exceptions is malformed.
pub(crate) fn task(mut arguments: lexopt::Parser) -> Result<ExitCode, Error> {
    if let Some(argument) = arguments.next()? {
        return Err(argument.unexpected().into());
    }
    let findings = findings(&repository::metadata()?)?;
    for finding in &findings {
        println!(
            "{}:{}: {}: {}",
            finding.path.display(),
            finding.line,
            finding.rule,
            finding.why
        );
    }
    println!("style: {} findings", findings.len());
    Ok(if findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// All findings in the repository, less the exceptions.
///
/// # Errors
/// When a file cannot be read or the list of exceptions is malformed.
pub(crate) fn findings(metadata: &Metadata) -> Result<Vec<Finding>, Error> {
    let root = repository::root();
    let (mut findings, mut tests) = (Vec::new(), Vec::new());
    for package in &metadata.packages {
        let files = rust_files(&root, &root.join(package.folder()))?;
        let for_tests = files_for_tests(&files);
        for (path, text) in files {
            let all_test = for_tests.contains(&path) || is_test_path(&path);
            let source = Source::new(&path, text, all_test);
            findings.extend(check(package, &source));
            // The rules themselves name ids in their samples.
            if package.name != "xtask" && source.has_tests() {
                tests.push(source.text);
            }
        }
        findings.extend(unforbidden(package, &root)?);
    }
    findings.extend(documents(&root, &tests)?);
    findings.sort();
    findings.dedup();
    let list = root.join(allow::FILE);
    let allowed = fs::read_to_string(&list).map_err(|source| Error::Read { path: list, source })?;
    Ok(Allowed::parse(&allowed)?.apply(findings))
}

fn check(package: &Package, source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let everywhere = [
        size::files,
        size::functions,
        names::modules,
        names::headers,
        platform::conditions,
        calls::unwraps,
        calls::unsafes,
    ];
    let shipped = [
        calls::programs,
        calls::paths,
        calls::open_places,
        calls::panics,
    ];
    for rule in everywhere {
        findings.extend(rule(source));
    }
    // The integration suite plays the attacker and the foreign tool: it may do what users may.
    for rule in shipped.iter().filter(|_| package.shipped()) {
        findings.extend(rule(source));
    }
    findings
}

/// What the documents promise.
fn documents(root: &Path, tests: &[String]) -> Result<Vec<Finding>, Error> {
    let mut findings = promises::untested(&read(&root.join("SECURITY.md"))?, tests);
    // Short names: the runtime's sources and the suite are what most rows are about.
    let places = ["crates/runtime/src", "tests/tests/suite", ""].map(|place| root.join(place));
    let find = |path: &str| {
        let texts = places
            .iter()
            .filter_map(|place| fs::read_to_string(place.join(path)).ok());
        texts.reduce(|all, text| all + &text)
    };
    for document in ["docs/conformance.md", "docs/cves.md"] {
        let text = read(&root.join(document))?;
        findings.extend(promises::missing(document, &text, find));
    }
    let conformance = "docs/conformance.md";
    let text = read(&root.join(conformance))?;
    findings.extend(promises::uncounted(conformance, &text));
    let cves = read(&root.join("docs/cves.md"))?;
    findings.extend(promises::misfiled(&cves, find));
    Ok(findings)
}

/// Crate roots that do not forbid unsafe code.
fn unforbidden(package: &Package, root: &Path) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    if package.name == "dhow-sys" {
        return Ok(findings);
    }
    let kinds = ["lib", "bin", "custom-build", "proc-macro"];
    for target in package
        .targets
        .iter()
        .filter(|target| kinds.iter().any(|kind| target.is(kind)))
    {
        let text = read(&target.src_path)?;
        if !text.contains("#![forbid(unsafe_code)]") {
            let path = target
                .src_path
                .strip_prefix(root)
                .unwrap_or(&target.src_path);
            let why = format!(
                "the crate root of {} begins with #![forbid(unsafe_code)]",
                target.name
            );
            findings.push(Finding::new(path, 1, "forbid-unsafe", why));
        }
    }
    Ok(findings)
}

/// The Rust files below `folder`, with their text, by their path from `root`.
fn rust_files(root: &Path, folder: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let failed = |source| Error::Read {
            path: folder.clone(),
            source,
        };
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = read(&path)?;
                files.push((path.strip_prefix(root).unwrap_or(&path).to_path_buf(), text));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Files that are modules declared as `#[cfg(test)] mod name;`, and those below them.
fn files_for_tests(files: &[(PathBuf, String)]) -> BTreeSet<PathBuf> {
    let mut folders = Vec::new();
    for (path, text) in files {
        let source = Source::new(path, text.clone(), false);
        let stem = path.file_stem().unwrap_or_default();
        let own = path.with_file_name(stem);
        let below = if stem == "lib" || stem == "main" {
            path.parent().unwrap_or(Path::new(""))
        } else {
            &own
        };
        folders.extend(
            source::test_modules(&source.code)
                .iter()
                .map(|name| below.join(name)),
        );
    }
    let declared = |path: &PathBuf| {
        folders
            .iter()
            .any(|folder| *path == folder.with_extension("rs") || path.starts_with(folder))
    };
    files
        .iter()
        .map(|(path, _)| path)
        .filter(|path| declared(path))
        .cloned()
        .collect()
}

fn is_test_path(path: &Path) -> bool {
    let in_suite = path.starts_with("tests");
    in_suite
        || path.iter().any(|part| part == "tests" || part == "benches")
        || path.ends_with("tests.rs")
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.to_path_buf(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_test_modules_are_known() {
        let files = vec![
            (
                PathBuf::from("crates/a/src/plan.rs"),
                "#[cfg(test)]\nmod model;\nmod real;".to_owned(),
            ),
            (PathBuf::from("crates/a/src/plan/model.rs"), String::new()),
            (PathBuf::from("crates/a/src/plan/real.rs"), String::new()),
        ];
        let found: Vec<_> = files_for_tests(&files).into_iter().collect();
        assert_eq!(found, [PathBuf::from("crates/a/src/plan/model.rs")]);
    }

    #[test]
    fn the_suite_and_tests_folders_are_test_code() {
        assert!(is_test_path(Path::new("tests/src/lib.rs")));
        assert!(is_test_path(Path::new("crates/image/tests/layers.rs")));
        assert!(!is_test_path(Path::new("crates/image/src/lib.rs")));
    }
}
