//! Every property of the published schema stands in docs/conformance.md with the test that shows it, and the
//! document names no property that the schema does not have. That the tests exist `cargo xtask style` sees.

use dhow_tests::{Test, for_runtimes, schema};
use std::collections::BTreeSet;

const DOCUMENT: &str = include_str!("../../../../docs/conformance.md");

/// The properties of the table "Properties".
fn listed() -> BTreeSet<String> {
    let (_, table) = DOCUMENT.split_once("\n## Properties ").expect("the table");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split_once('`').map(|(name, _)| name.to_owned()))
        .collect()
}

fn every_property_of_the_schema_has_a_row(_: &Test) {
    let specified: BTreeSet<String> = schema::properties("config-schema.json")
        .into_iter()
        .collect();
    let listed = listed();
    let missing: Vec<_> = specified.difference(&listed).collect();
    assert!(
        missing.is_empty(),
        "docs/conformance.md has no row for {missing:?}"
    );
    let unknown: Vec<_> = listed.difference(&specified).collect();
    assert!(unknown.is_empty(), "the schema has no {unknown:?}");
    assert!(specified.len() > 170, "{}", specified.len());
}

for_runtimes!([Dhow]; every_property_of_the_schema_has_a_row);
