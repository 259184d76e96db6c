//! `list`: what is below `--root`.

use dhow_tests::{Test, for_each_runtime, for_runtimes};
use serde_json::Value;

fn quiet_prints_ids(test: &Test) {
    assert_eq!(
        test.runtime()
            .args(["list", "--quiet"])
            .run()
            .ok()
            .stdout()
            .trim(),
        ""
    );
    let bundle = test.bundle();
    let ids = ["b", "a", "c"].map(|name| test.create(&bundle, name).id().to_owned());
    let text = test.runtime().args(["list", "-q"]).run().ok().stdout();
    let mut listed: Vec<_> = text.lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, [&ids[1], &ids[0], &ids[2]]);
}

fn json_has_the_fields_engines_read(test: &Test) {
    let bundle = test.bundle_running(&["sleep", "1000"]);
    let container = test.create(&bundle, "a");
    container.start();
    let list = test
        .runtime()
        .args(["list", "--format", "json"])
        .run()
        .ok()
        .json();
    let items = list.as_array().expect("a list");
    assert_eq!(items.len(), 1, "{list}");
    assert_eq!(items[0]["id"], container.id());
    assert_eq!(items[0]["pid"], container.pid());
    assert_eq!(items[0]["status"], "running");
    assert_eq!(items[0]["bundle"], bundle.path().to_str().expect("a path"));
    assert!(
        items[0]["created"]
            .as_str()
            .is_some_and(|time| time.contains('T')),
        "{list}"
    );
    assert_eq!(items[0]["owner"], "root");
}

fn json_of_nothing(test: &Test) {
    let text = test
        .runtime()
        .args(["list", "-f", "json"])
        .run()
        .ok()
        .stdout();
    let value: Value = serde_json::from_str(&text).expect("JSON");
    // runc prints null, crun an empty list; both are read as none.
    assert!(value.is_null() || value == serde_json::json!([]), "{text}");
}

fn the_table_has_a_head_and_rows(test: &Test) {
    let container = test.sleeper("a");
    let text = test.runtime().arg("list").run().ok().stdout();
    let mut lines = text.lines();
    let head: Vec<_> = lines.next().expect("a head").split_whitespace().collect();
    let wanted = match test.is(dhow_tests::Kind::Crun) {
        true => [
            "NAME", "PID", "STATUS", "BUNDLE", "PATH", "CREATED", "OWNER",
        ]
        .as_slice(),
        false => &["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"],
    };
    assert_eq!(head, wanted);
    let row = lines.next().expect("a row");
    let pid = container.pid().to_string();
    let cells: Vec<_> = row.split_whitespace().collect();
    assert_eq!(&cells[..3], [container.id(), &pid, "running"]);
}

fn refuses_an_unknown_format(test: &Test) {
    let output = test.runtime().args(["list", "--format", "yaml"]).run();
    output.refuses(["yaml", "invalid format", "invalid format"]);
}

/// A file or a half-made directory below the root is no container, and no reason to fail.
fn strange_entries_do_not_hide_the_others(test: &Test) {
    let container = test.sleeper("a");
    let strange = [
        test.state_root().join("empty"),
        test.state_root().join("file"),
    ];
    std::fs::create_dir(&strange[0]).expect("mkdir");
    std::fs::write(&strange[1], "x").expect("write");
    let text = test.runtime().args(["list", "-q"]).run().ok().stdout();
    std::fs::remove_dir(&strange[0]).expect("rmdir");
    std::fs::remove_file(&strange[1]).expect("remove");
    assert!(text.lines().any(|line| line == container.id()), "{text}");
}

fn a_root_that_is_not_there_has_no_containers(test: &Test) {
    let root = test.root().join("nothing");
    let output = test
        .bare_runtime()
        .arg("--root")
        .arg(&root)
        .args(["list", "-q"])
        .run();
    assert_eq!(output.ok().stdout(), "");
}

for_each_runtime!(
    quiet_prints_ids,
    json_has_the_fields_engines_read,
    json_of_nothing,
    the_table_has_a_head_and_rows,
    refuses_an_unknown_format,
    a_root_that_is_not_there_has_no_containers,
);

// crun fails on an entry without a status file.
for_runtimes!([Dhow, Runc]; strange_entries_do_not_hide_the_others);
