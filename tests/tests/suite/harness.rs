//! The harness sees what it claims to see: each check is shown to fail first.

mod racing;

use dhow_tests::leak::Snapshot;
use dhow_tests::{Canary, Test, for_runtimes, host, processes, schema};
use serde_json::json;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

fn message(body: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(body)).expect_err("it passed");
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .expect("a panic with a text")
}

fn sees_a_process_left_behind(test: &Test) {
    let before = Snapshot::take(test.mark(), test.root());
    let sleeper = test.command(&["sleep", "1000"]).spawn();
    let news = before.news();
    assert_eq!(news.len(), 1, "{news:?}");
    assert!(news[0].contains("sleep 1000"), "{news:?}");
    drop(sleeper);
    before.assert_unchanged();
}

fn sees_a_mount_left_behind(test: &Test) {
    let before = Snapshot::take(test.mark(), test.root());
    let point = test.root().join("out");
    test.command(&["mount", "-t", "tmpfs", test.mark()])
        .arg(&point)
        .run()
        .ok();
    let news = before.news();
    rustix_unmount(&point);
    assert!(
        news.len() == 1 && news[0].starts_with("mount: "),
        "{news:?}"
    );
    before.assert_unchanged();
}

fn rustix_unmount(point: &std::path::Path) {
    rustix::mount::unmount(point, rustix::mount::UnmountFlags::DETACH).expect("unmount");
}

fn sees_a_cgroup_left_behind(test: &Test) {
    let before = Snapshot::take(test.mark(), test.root());
    let mount = host::cgroup_mounts().pop().expect("a cgroup hierarchy");
    let directory = mount.point.join(test.mark());
    fs::create_dir(&directory).expect("make a cgroup");
    let news = before.news();
    fs::remove_dir(&directory).expect("remove the cgroup");
    assert!(
        news.len() == 1 && news[0].starts_with("cgroup: "),
        "{news:?}"
    );
    before.assert_unchanged();
}

fn sees_state_left_behind(test: &Test) {
    let before = Snapshot::take(test.mark(), test.root());
    let file = test.state_root().join("left");
    fs::write(&file, "").expect("write");
    let news = before.news();
    fs::remove_file(&file).expect("remove");
    assert!(
        news.len() == 1 && news[0].starts_with("state: "),
        "{news:?}"
    );
}

fn a_descriptor_left_open_is_seen(test: &Test) {
    let before = Snapshot::take(test.mark(), test.root());
    let file = fs::File::create(test.root().join("out/open")).expect("create");
    let news = before.news();
    drop(file);
    assert!(
        news.len() == 1 && news[0].starts_with("descriptor: "),
        "{news:?}"
    );
}

fn a_command_past_its_limit_is_ended_with_its_tree(test: &Test) {
    let script = test.root().join("out/tree.sh");
    // The grandchild leaves its process group and its parent, and closes everything.
    fs::write(&script, "setsid sleep 1001 >/dev/null 2>&1 & sleep 1002").expect("write");
    let text = message(|| {
        let command = test.command(&["sh"]).arg(&script);
        let _ = command.limit(Duration::from_millis(300)).run();
    });
    assert!(text.contains("passed its limit"), "{text}");
    assert!(text.contains("sleep 1002"), "{text}");
    assert_eq!(processes::marked(test.mark()), []);
}

fn asserts_fail_when_they_should(test: &Test) {
    let run = |words: &[&str]| test.command(words).run();
    assert!(message(|| drop(run(&["false"]).ok())).contains("expected exit code 0"));
    assert!(message(|| drop(run(&["true"]).fails("x"))).contains("expected a failure"));
    let ls = ["ls", "/nonexistent"];
    assert!(message(|| drop(run(&ls).fails("other"))).contains("in the message"));
    run(&ls).fails("no such file");
}

fn the_canary_sees_a_touch(test: &Test) {
    let canary = Canary::plant(&test.root().join("canary"));
    canary.assert_untouched();
    let file = canary.path().join("secret");
    let text = fs::read(&file).expect("read");
    fs::write(&file, text).expect("write the same again");
    assert!(message(|| canary.assert_untouched()).contains("was touched"));
}

fn an_unknown_need_is_an_error(_: &Test) {
    assert!(message(|| drop(dhow_tests::needs::missing("rooot"))).contains("no such need"));
}

fn the_schema_check_fails_when_it_should(test: &Test) {
    let config = dhow_tests::Config::base(test.mark());
    schema::assert_follows(&config, "config-schema.json");
    let wrong = |change: fn(&mut dhow_tests::Config), text: &str| {
        let mut config = config.clone();
        change(&mut config);
        let found = schema::violations(&config, "config-schema.json").join("\n");
        assert!(found.contains(text), "{found}");
    };
    wrong(
        |c| c["ociVersion"] = json!(1),
        "$.ociVersion: 1 is not of type",
    );
    wrong(|c| c["process"]["cwd"] = json!(null), "$.process.cwd");
    wrong(|c| c["root"] = json!({}), "$.root: path is missing");
    wrong(|c| c.add_namespace("moon", None), "$.linux.namespaces[6]");
}

for_runtimes!([Dhow];
    sees_a_process_left_behind,
    sees_a_mount_left_behind,
    sees_a_cgroup_left_behind,
    sees_state_left_behind,
    a_descriptor_left_open_is_seen,
    a_command_past_its_limit_is_ended_with_its_tree,
    asserts_fail_when_they_should,
    the_canary_sees_a_touch,
    an_unknown_need_is_an_error,
    the_schema_check_fails_when_it_should,
);
