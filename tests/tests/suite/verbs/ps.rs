//! `ps`: the processes of a container, as the host numbers them.

use dhow_tests::{Test, for_each_runtime, for_runtimes};
use serde_json::json;

fn json_is_a_list_of_numbers(test: &Test) {
    let container = test.sleeper("a");
    let pids = container
        .verb(&["ps", "--format", "json"])
        .run()
        .ok()
        .json();
    assert_eq!(pids, json!([container.pid()]));
}

fn lists_processes_of_exec_too(test: &Test) {
    let container = test.sleeper("a");
    let file = test.root().join("pid");
    let options = ["--detach", "--pid-file", file.to_str().expect("a path")];
    container
        .exec_command(&options, &["sleep", "1001"])
        .run()
        .ok();
    let pid: i32 = std::fs::read_to_string(file)
        .expect("a pid")
        .parse()
        .expect("a number");
    let listed = container.verb(&["ps", "-f", "json"]).run().ok().json();
    let mut pids: Vec<_> = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|p| p.as_i64())
        .collect();
    pids.sort_unstable();
    let mut wanted = [Some(i64::from(pid)), Some(i64::from(container.pid()))];
    wanted.sort_unstable();
    assert_eq!(pids, wanted);
}

fn table_has_the_columns_of_ps(test: &Test) {
    let container = test.sleeper("a");
    let text = container.verb(&["ps"]).run().ok().stdout();
    let mut lines = text.lines();
    let head = lines.next().expect("a head");
    assert!(
        head.starts_with("UID") && head.contains("PID") && head.contains("CMD"),
        "{head}"
    );
    let pid = container.pid().to_string();
    let rows: Vec<_> = lines.collect();
    assert_eq!(rows.len(), 1, "{text}");
    assert!(
        rows[0].contains(&pid) && rows[0].contains("sleep 1000"),
        "{text}"
    );
}

fn options_go_to_ps(test: &Test) {
    let container = test.sleeper("a");
    let text = container
        .verb(&["ps"])
        .args(["-o", "pid,comm"])
        .run()
        .ok()
        .stdout();
    let pid = container.pid().to_string();
    let is_listed = text
        .lines()
        .any(|line| line.split_whitespace().eq([pid.as_str(), "sleep"]));
    assert!(is_listed, "{text}");
}

fn refuses_an_unknown_format(test: &Test) {
    let container = test.sleeper("a");
    container
        .verb(&["ps", "--format", "yaml"])
        .run()
        .refuses(["yaml", "invalid format", ""]);
}

fn refuses_an_unknown_id(test: &Test) {
    let id = test.id("nobody");
    let output = test.runtime().args(["ps", &id]).run();
    output.refuses(["does not exist", "does not exist", "no such file"]);
}

for_each_runtime!(
    json_is_a_list_of_numbers,
    lists_processes_of_exec_too,
    refuses_an_unknown_id
);

// crun prints only a column of numbers and has no options for ps.
for_runtimes!([Dhow, Runc];
    table_has_the_columns_of_ps,
    options_go_to_ps,
    refuses_an_unknown_format,
);
