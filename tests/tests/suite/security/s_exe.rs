//! S-EXE (CVE-2019-5736): the container opens the runtime's own program for writing.

use dhow_tests::racer::race;
use dhow_tests::{Canary, Kind, Test, for_runtimes};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

/// The program is a script whose interpreter is whatever executes it.
fn an_interpreter_that_is_ourselves(test: &Test) {
    let runtime = Canary::watch(&Kind::Dhow.program().expect("checked"));
    let bundle = test.bundle_running(&["/script"]);
    let script = bundle.rootfs().join("script");
    fs::write(&script, "#!/proc/self/exe\n").expect("write");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("chmod");
    let output = test.run_bundle(&bundle);
    assert_ne!(output.code, Some(0), "{output}");
    // What was executed, if anything, must not have printed the runtime's own help or version.
    assert!(!output.stdout().contains("OCI runtime"), "{output}");
    runtime.assert_untouched();
    let container = test.sleeper("a");
    fs::copy(&script, test.root().join("bundle1/rootfs/script")).expect("copy");
    assert_ne!(container.exec(&["/script"]).code, Some(0));
    runtime.assert_untouched();
}

/// A process in the container watches for each newcomer and opens its program: first by path
/// only, then, once the newcomer has gone on, for writing.
fn racing_for_a_writable_program(test: &Test) {
    let program = Kind::Dhow.program().expect("checked");
    let runtime = Canary::watch(&program);
    let meta = fs::metadata(&program).expect("metadata");
    let bundle = test.bundle_with(|config| {
        config.capabilities(&["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"]);
        config["process"]["noNewPrivileges"] = serde_json::json!(false);
        config.args(&["/bin/probe", "watch-exe", "/seen"]);
    });
    let container = test.create(&bundle, "a");
    container.start();
    race(|_| {
        container.exec(&["/bin/true"]).ok();
    });
    let seen = fs::read_to_string(bundle.rootfs().join("seen")).unwrap_or_default();
    let own = format!("{}:{}", meta.dev(), meta.ino());
    eprintln!("{seen}");
    let ours = seen.lines().filter(|line| !line.contains("/bin/busybox"));
    assert!(ours.count() > 0, "the runtime was never seen: a blind test");
    for line in seen.lines() {
        let is_host = line.split_whitespace().nth(1) == Some(own.as_str());
        assert!(!is_host, "the host's own program was reachable: {line}");
        assert!(
            !line.contains("WRITABLE") || line.contains("busybox"),
            "{line}"
        );
    }
    runtime.assert_untouched();
}

for_runtimes!([Dhow];
    an_interpreter_that_is_ourselves,
    racing_for_a_writable_program,
);
