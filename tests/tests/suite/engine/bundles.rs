//! Bundles and runtimes are exchangeable: runc's bundle by our runtime, ours by runc.

use dhow_tests::{Dhow, Test, for_runtimes, needs, program};
use serde_json::json;
use std::fs;

fn a_bundle_of_runc_s_runs(test: &Test) {
    needs!(test, root, busybox, runc);
    let bundle = test.bundle();
    fs::remove_file(bundle.path().join("config.json")).expect("remove");
    let runc = program::Kind::Runc.program().expect("a need of this test");
    test.command(&[&runc])
        .arg("spec")
        .cwd(bundle.path())
        .run()
        .ok();
    bundle.edit(|config| {
        assert_eq!(config["process"]["args"], json!(["sh"]));
        config["process"]["terminal"] = json!(false);
    });
    let command = test.run_command(&bundle, "a");
    let output = command.stdin(b"hostname; exit 5\n").run().code_is(5);
    assert_eq!(output.stdout(), "runc\n");
}

fn a_bundle_of_ours_runs_by_runc(test: &Test) {
    needs!(test, root, busybox, runc);
    let dhow = Dhow::new(test);
    let root = dhow.rootfs().display().to_string();
    let line = "hostname; id -u; exit 6";
    let words = ["/bin/sh", "-c", line];
    let options = [
        "create", "--name", "one", "-h", "ours", "-u", "7", "--rootfs", &root,
    ];
    dhow.words(&options).args(words).run().ok();
    let about = dhow.words(&["inspect", "one"]).run().ok().json();
    let bundle = about[0]["bundle"].as_str().expect("a path").to_owned();
    let runc = program::Kind::Runc.program().expect("a need of this test");
    let command = test
        .command(&[&runc])
        .arg("--root")
        .arg(test.root().join("runc"));
    let command = command
        .args(["run", "--bundle", &bundle])
        .arg(test.id("by-runc"));
    let output = command.run().code_is(6);
    assert_eq!(output.stdout(), "ours\n7\n");
    dhow.words(&["rm", "one"]).run().ok();
    dhow.assert_nothing_left();
}

fn another_runtime_by_its_path(test: &Test) {
    needs!(test, root, busybox, runc);
    let dhow = Dhow::new(test);
    let root = dhow.rootfs().display().to_string();
    let run = |root: &str| {
        let words = ["--runtime", "runc", "run", "--rm", "--rootfs", root];
        dhow.words(&words)
            .args(["/bin/sh", "-c", "echo in; exit 7"])
            .run()
    };
    assert_eq!(run(&root).code_is(7).stdout(), "in\n");
    // Only ours mounts the root itself, and it says so.
    run(&format!("{root}:O")).code_is(125).fails("--rootfs DIR");
    let words = [
        "--runtime",
        "/no/such/runtime",
        "run",
        "--rm",
        "--rootfs",
        &root,
    ];
    let output = dhow.words(&words).arg("/bin/true").run();
    output.code_is(125).fails("/no/such/runtime");
    dhow.assert_nothing_left();
}

for_runtimes!([Dhow];
    a_bundle_of_runc_s_runs,
    a_bundle_of_ours_runs_by_runc,
    another_runtime_by_its_path,
);
