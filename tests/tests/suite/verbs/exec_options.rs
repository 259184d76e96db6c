//! `exec`: what its process is, by flags and by `--process FILE`.

use dhow_tests::{Kind, Test, for_each_runtime, for_runtimes};
use serde_json::{Value, json};
use std::fs;

fn probe(test: &Test, options: &[&str]) -> Value {
    let container = test.sleeper("a");
    container
        .exec_command(options, &["probe"])
        .run()
        .ok()
        .json()
}

fn env_adds_to_the_container_s(test: &Test) {
    let report = probe(
        test,
        &["--env", "A=1", "--env", "B=two words", "--env", "EMPTY="],
    );
    let env = report["env"].as_array().expect("a list");
    for entry in ["A=1", "B=two words", "EMPTY=", "PATH=/bin"] {
        assert!(env.contains(&json!(entry)), "{entry} is not in {env:?}");
    }
}

fn cwd_is_where_it_says(test: &Test) {
    assert_eq!(probe(test, &["--cwd", "/tmp"])["cwd"], "/tmp");
}

fn user_is_a_number_and_a_group(test: &Test) {
    let report = probe(test, &["--user", "1000:2000"]);
    assert_eq!(report["uid"], json!([1000, 1000, 1000, 1000]));
    assert_eq!(report["gid"], json!([2000, 2000, 2000, 2000]));
    assert_eq!(report["capabilities"]["effective"], "0000000000000000");
    assert_eq!(report["capabilities"]["permitted"], "0000000000000000");
}

fn a_user_without_group_keeps_the_group_of_the_config(test: &Test) {
    let report = probe(test, &["-u", "1000"]);
    assert_eq!(report["uid"][0], 1000);
    assert_eq!(report["gid"][0], 0);
}

fn additional_gids_are_set(test: &Test) {
    let options = [
        "--user",
        "1000:2000",
        "--additional-gids",
        "50",
        "--additional-gids",
        "51",
    ];
    let report = probe(test, &options);
    assert_eq!(report["groups"], test.expected_groups(2000, &[50, 51]));
}

fn cap_adds_a_capability_but_never_an_inheritable_one(test: &Test) {
    let capabilities = probe(test, &["--cap", "CAP_NET_RAW"])["capabilities"].clone();
    // KILL 5, NET_BIND_SERVICE 10, NET_RAW 13, AUDIT_WRITE 29.
    for set in ["bounding", "effective", "permitted"] {
        assert_eq!(capabilities[set], "0000000020002420", "{set}");
    }
    assert_eq!(capabilities["inheritable"], "0000000000000000");
    assert_eq!(capabilities["ambient"], "0000000000000000");
}

fn no_new_privileges_is_set(test: &Test) {
    let bundle = test.bundle_with(|config| {
        config["process"]["noNewPrivileges"] = json!(false);
        config.args(&["sleep", "1000"]);
    });
    let container = test.create(&bundle, "a");
    container.start();
    let ask = |options: &[&str]| {
        let report = container
            .exec_command(options, &["probe"])
            .run()
            .ok()
            .json();
        report["noNewPrivs"].clone()
    };
    assert_eq!(ask(&[]), "0");
    assert_eq!(ask(&["--no-new-privs"]), "1");
}

/// A process document carries everything, as Podman and containerd use it.
fn a_process_file_says_all(test: &Test) {
    let container = test.sleeper("a");
    let process = json!({
        "terminal": false,
        "user": {"uid": 1000, "gid": 2000, "additionalGids": [50, 51], "umask": 0o027},
        "args": ["probe"],
        "env": ["PATH=/bin", "A=1"],
        "cwd": "/tmp",
        "capabilities": {
            "bounding": ["CAP_KILL"], "inheritable": [],
            "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"], "ambient": []
        },
        "rlimits": [{"type": "RLIMIT_CORE", "hard": 0, "soft": 0}],
        "noNewPrivileges": true,
        "oomScoreAdj": 700
    });
    let file = test.root().join("process.json");
    fs::write(&file, process.to_string()).expect("write");
    let command = test.runtime().args(["exec", "--process"]).arg(&file);
    let report = command.arg(container.id()).run().ok().json();
    assert_eq!(report["uid"][0], 1000);
    assert_eq!(report["gid"][0], 2000);
    assert_eq!(report["groups"], test.expected_groups(2000, &[50, 51]));
    let mut env = report["env"].as_array().expect("a list").clone();
    // The rivals add the home directory of the user when it is not given.
    env.retain(|entry| !entry.as_str().is_some_and(|text| text.starts_with("HOME=")));
    assert_eq!(env, ["PATH=/bin", "A=1"]);
    assert_eq!(report["cwd"], "/tmp");
    assert_eq!(report["capabilities"]["bounding"], "0000000000000020");
    assert_eq!(report["rlimits"]["Max core file size"], json!(["0", "0"]));
    assert_eq!(report["noNewPrivs"], "1");
    // runc 1.1 takes these two from config.json, crun 1.8 ignores the second.
    if !test.is(Kind::Runc) {
        assert_eq!(report["umask"], "0027");
    }
    if test.is(Kind::Dhow) {
        assert_eq!(report["oomScoreAdj"], "700");
    }
}

fn a_missing_or_broken_process_file_is_named(test: &Test) {
    let container = test.sleeper("a");
    let run = |path: &str| {
        let command = test.runtime().args(["exec", "--process", path]);
        command.arg(container.id()).run()
    };
    let none = "no such file";
    run("/nonexistent.json").refuses(["/nonexistent.json", none, none]);
    let file = test.root().join("broken.json");
    fs::write(&file, "{\"args\": ").expect("write");
    run(file.to_str().expect("a path")).refuses(["broken.json", "", ""]);
}

fn users_that_are_no_numbers_are_refused(test: &Test) {
    let container = test.sleeper("a");
    for user in [
        "root",
        "-1",
        "4294967295",
        "4294967296",
        "99999999999",
        "0x3e8",
        "1000:",
        "",
    ] {
        let output = container.exec_command(&["--user", user], &["probe"]).run();
        output.fails("user");
    }
}

fn unknown_options_are_refused(test: &Test) {
    let container = test.sleeper("a");
    let output = container.exec_command(&["--moon"], &["true"]).run();
    output.refuses(["--moon", "moon", "moon"]);
}

/// Descriptors of the runtime itself must not take the place of one that the caller never opened: they
/// would let the program reach the host.
fn preserve_fds_of_none_is_refused(test: &Test) {
    let container = test.sleeper("a");
    let command = container.exec_command(&["--preserve-fds", "1"], &["probe"]);
    command.run().fails("descriptor 3 is not open");
}

/// What comes after the id is the command's, dashes and all.
fn words_after_the_id_belong_to_the_command(test: &Test) {
    let container = test.sleeper("a");
    let output = container.exec(&["echo", "--tty", "-e", "x"]).ok();
    assert!(output.stdout().contains("--tty -e x"), "{output}");
}

fn preserve_fds_passes_that_many(test: &Test) {
    let container = test.sleeper("a");
    let ask = |count: &str| {
        let command = test.runtime_with_descriptors(5, "/etc/hostname");
        let command = command.args(["exec", "--preserve-fds", count, container.id(), "probe"]);
        let fds = command.run().ok().json()["fds"].clone();
        fds.as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(ask("0"), ["0", "1", "2"]);
    assert_eq!(ask("2"), ["0", "1", "2", "3", "4"]);
}

for_each_runtime!(
    cwd_is_where_it_says,
    user_is_a_number_and_a_group,
    no_new_privileges_is_set,
    a_process_file_says_all,
    a_missing_or_broken_process_file_is_named,
    unknown_options_are_refused,
    words_after_the_id_belong_to_the_command,
);

// crun 1.8 has no --additional-gids, lets descriptors through, and --env and --cap replace what
// the container has; crun 1.21 takes `--user 1000` for 0.
for_runtimes!([Dhow, Runc];
    additional_gids_are_set,
    preserve_fds_passes_that_many,
    env_adds_to_the_container_s,
    a_user_without_group_keeps_the_group_of_the_config,
    cap_adds_a_capability_but_never_an_inheritable_one,
);

// runc takes `root` for 0 with a warning of Go's parser; crun takes anything for 0.
for_runtimes!([Dhow]; users_that_are_no_numbers_are_refused, preserve_fds_of_none_is_refused);
