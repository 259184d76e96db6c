//! `start`: lets the waiting process become the user's program.

use dhow_tests::{Test, for_each_runtime};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

fn runs_the_program(test: &Test) {
    let container = test.sleeper("a");
    assert_eq!(container.status(), "running");
    container.exec(&["true"]).ok();
}

fn refuses_a_second_start(test: &Test) {
    let container = test.sleeper("a");
    let again = container.verb(&["start"]).run();
    again.refuses(["running", "running", "exec.fifo"]);
    assert_eq!(container.status(), "running");
}

fn refuses_a_stopped_container(test: &Test) {
    let container = test.create(&test.bundle(), "a");
    container.start();
    container.wait_for("stopped");
    let again = container.verb(&["start"]).run();
    again.refuses(["stopped", "stopped", "not running"]);
}

fn refuses_an_unknown_id(test: &Test) {
    let id = test.id("nobody");
    let output = test.runtime().args(["start", &id]).run();
    output.refuses(["does not exist", "does not exist", "no such file"]);
}

/// What is wrong with the program shows at `create` or at `start`, and names it.
fn says_when_the_program_is_missing(test: &Test) {
    let bundle = test.bundle_running(&["/bin/nothing-here"]);
    let command = test.run_command(&bundle, "a").run();
    command.code_is(1).fails("nothing-here");
}

fn says_when_the_program_is_not_on_the_path(test: &Test) {
    let bundle = test.bundle_running(&["nothing-here"]);
    test.run_command(&bundle, "a")
        .run()
        .code_is(1)
        .fails("nothing-here");
}

fn says_when_the_program_is_not_executable(test: &Test) {
    let bundle = test.bundle_running(&["/bin/data"]);
    let file = bundle.rootfs().join("bin/data");
    fs::write(&file, "#!/bin/sh\n").expect("write");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("chmod");
    test.run_command(&bundle, "a")
        .run()
        .code_is(1)
        .fails("permission denied");
}

fn finds_the_program_on_the_path_of_the_config(test: &Test) {
    let bundle = test.bundle_with(|config| {
        config["process"]["env"] = serde_json::json!(["PATH=/nowhere:/opt", "A=1"]);
        config.args(&["tool"]);
    });
    fs::create_dir(bundle.rootfs().join("opt")).expect("mkdir");
    fs::copy(
        bundle.rootfs().join("bin/busybox"),
        bundle.rootfs().join("opt/tool"),
    )
    .expect("copy");
    // busybox under a name it does not know.
    test.run_command(&bundle, "a")
        .run()
        .code_is(127)
        .fails("applet not found");
}

fn a_script_with_an_interpreter_runs(test: &Test) {
    let bundle = test.bundle_running(&["/script", "x"]);
    let file = bundle.rootfs().join("script");
    fs::write(&file, "#!/bin/sh\necho \"got $1\"\n").expect("write");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("chmod");
    assert_eq!(test.run_bundle(&bundle).ok().stdout(), "got x\n");
}

for_each_runtime!(
    runs_the_program,
    refuses_a_second_start,
    refuses_a_stopped_container,
    refuses_an_unknown_id,
    says_when_the_program_is_missing,
    says_when_the_program_is_not_on_the_path,
    says_when_the_program_is_not_executable,
    finds_the_program_on_the_path_of_the_config,
    a_script_with_an_interpreter_runs,
);
