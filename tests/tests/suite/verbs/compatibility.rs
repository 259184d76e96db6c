//! Options that one rival has and callers of it use: they work, or are refused by name.

use dhow_tests::{Test, for_runtimes, needs};
use serde_json::json;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// crun's: every container whose id matches, and no other.
fn delete_and_kill_take_a_pattern(test: &Test) {
    for name in ["web1", "web2", "base"] {
        let _ = test.sleeper(name);
    }
    let pattern = format!("^{}-web[0-9]+$", test.mark());
    let words = ["kill", "--regex", &pattern, "KILL"];
    test.runtime().args(words).run().ok();
    for name in ["web1", "web2"] {
        test.container(name).wait_for("stopped");
    }
    assert_eq!(test.container("base").status(), "running");
    // What cannot be deleted is said, and does not keep the others.
    let everything = format!("^{}-", test.mark());
    let words = ["delete", "--regex", &everything];
    test.runtime().args(words).run().fails("base");
    for name in ["web1", "web2"] {
        test.container(name)
            .verb(&["state"])
            .run()
            .fails("does not exist");
    }
    let words = ["delete", "--force", "--regex", &everything];
    test.runtime().args(words).run().ok();
    test.container("base")
        .verb(&["state"])
        .run()
        .fails("does not exist");
    // A pattern without a container is no error: there is nothing left to do.
    test.runtime().args(words).run().ok();
}

fn a_broken_pattern_is_refused(test: &Test) {
    for verb in ["delete", "kill"] {
        for (pattern, why) in [
            ("(a", "without its )"),
            ("[a", "without its ]"),
            ("*", "repeats nothing"),
        ] {
            let output = test.runtime().args([verb, "--regex", pattern]).run();
            output.fails("--regex").fails(why);
        }
    }
}

/// crun's `--config`: another document than the bundle's.
fn create_and_run_take_another_document(test: &Test) {
    let bundle = test.bundle();
    let other = test.root().join("other.json");
    bundle.edit(|config| config.args(&["echo", "other"]));
    fs::rename(bundle.path().join("config.json"), &other).expect("rename");
    let path = bundle.path().to_str().expect("a path");
    let file = other.to_str().expect("a path");
    let run = |words: &[&str]| test.runtime().args(words.to_vec()).run();
    let id = test.id("a");
    let said = run(&["run", "--bundle", path, "--config", file, &id]);
    assert_eq!(said.ok().stdout(), "other\n");
    run(&["create", "--bundle", path, "-f", file, &id]).ok();
    run(&["delete", "--force", &id]).ok();
    run(&["create", "--bundle", path, "--config", "/no/such.json", &id]).fails("/no/such.json");
    run(&["create", "--bundle", path, &id]).fails("config.json");
}

fn create_and_run_take_no_subreaper(test: &Test) {
    let bundle = test.bundle();
    let path = bundle.path().to_str().expect("a path");
    let id = test.id("a");
    test.runtime()
        .args(["create", "--no-subreaper", "--bundle", path, &id])
        .run()
        .ok();
    test.runtime().args(["delete", "--force", &id]).run().ok();
    test.runtime()
        .args(["run", "--no-subreaper", "--bundle", path, &id])
        .run()
        .ok();
}

/// crun's and youki's `--log-level`: at `error` warnings are left out, at `debug` every step is told.
fn the_log_has_levels(test: &Test) {
    let bundle = test.bundle_with(|config| {
        config.capabilities(&["CAP_MOON"]);
    });
    let log = |level: &str| {
        let file = test.root().join("out").join(level);
        let command = test
            .runtime()
            .args(["--log-level", level, "--log"])
            .arg(&file);
        let command = command.args(["run", "--bundle"]).arg(bundle.path());
        command.arg(test.id(level)).run().ok();
        fs::read_to_string(&file).unwrap_or_default()
    };
    assert_eq!(log("error"), "");
    let usual = log("warning");
    assert!(
        usual.contains("CAP_MOON") && !usual.contains("level=debug"),
        "{usual}"
    );
    let all = log("debug");
    assert!(
        all.contains("CAP_MOON") && all.contains("level=debug"),
        "{all}"
    );
    let output = test.runtime().args(["--log-level", "moon", "list"]).run();
    output.fails("--log-level").fails("moon");
}

/// crun's `--cgroup-manager`. Without a cgroup there would be no device rules, so that one is refused.
fn the_cgroup_manager_has_a_name(test: &Test) {
    let bundle = test.bundle();
    let run = |name: &str| {
        let command = test
            .runtime()
            .args(["--cgroup-manager", name, "run", "--bundle"]);
        command.arg(bundle.path()).arg(test.id("a")).run()
    };
    run("cgroupfs").ok();
    run("disabled")
        .fails("--cgroup-manager")
        .fails("disabled is not supported");
    run("moon").fails("--cgroup-manager").fails("moon");
    if needs::missing("systemd").is_some() {
        run("systemd").fails("systemd");
    }
}

/// crun's `--log syslog:ID` and `--log journald:ID`: the host's logs, which stand at their places for this
/// command only.
fn the_hosts_logs_take_messages(test: &Test) {
    needs!(test, root);
    for (value, place, expected) in [
        ("syslog:web", "/dev/log", "<11>web: "),
        (
            "journald:web",
            "/run/systemd/journal/socket",
            "PRIORITY=3\nSYSLOG_IDENTIFIER=web\n",
        ),
    ] {
        let path = test.root().join(value.replace(':', "-"));
        let socket = UnixDatagram::bind(&path).expect("listen");
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a limit");
        // A private /dev or /run, so that nothing is made on the host.
        let script = "mount -t tmpfs tmpfs \"$1\" && mkdir -p \"${2%/*}\" && : >\"$2\" \
            && mount --bind \"$0\" \"$2\" && shift 2 && exec \"$@\"";
        let path = path.to_str().expect("a path");
        let words = [
            "unshare",
            "--mount",
            "sh",
            "-c",
            script,
            path,
            &place[..4],
            place,
        ];
        let command = test.runtime_after(&words).args(["--log", value]);
        command
            .args(["state", "no-such-container"])
            .run()
            .fails("does not exist");
        let mut packet = [0; 4096];
        let length = socket.recv(&mut packet).expect("a message");
        let text = String::from_utf8_lossy(&packet[..length]);
        assert!(
            text.contains(expected) && text.contains("does not exist"),
            "{text}"
        );
    }
}

/// Nobody listens: the command says it all the same, and does not fail for it.
fn a_log_that_is_not_there_hides_nothing(test: &Test) {
    let bundle = test.bundle();
    for value in ["journald:web", "syslog:web"] {
        let command = test.runtime().args(["--log", value, "run", "--bundle"]);
        command.arg(bundle.path()).arg(test.id("a")).run().ok();
        assert!(!std::path::Path::new(value).exists(), "a file was made");
    }
}

/// Deprecated by the specification, and no kernel that we run on has it alone.
fn kernel_memory_is_refused_by_name(test: &Test) {
    let container = test.sleeper("a");
    for flag in ["--kernel-memory", "--kernel-memory-tcp"] {
        container.verb(&["update", flag, "100m"]).run().fails(flag);
    }
}

/// What no verb of ours has is never taken for something else.
fn options_that_nobody_has_are_refused_by_name(test: &Test) {
    for verb in [
        "create", "delete", "events", "exec", "features", "kill", "list", "pause", "plan", "ps",
        "resume", "run", "spec", "start", "state", "update",
    ] {
        let output = test.runtime().args([verb, "--moon", "x"]).run();
        output.fails("--moon");
    }
    for option in ["--systemd-log", "--moon"] {
        test.bare_runtime()
            .args([option, "list"])
            .run()
            .fails(option);
    }
    for verb in ["mounts", "info", "completion"] {
        test.runtime()
            .arg(verb)
            .run()
            .fails(&format!("unknown verb {verb:?}"));
    }
}

/// Every option that the help names is taken, with a value where it says so.
fn every_option_of_the_help_is_known(test: &Test) {
    for verb in [
        "create", "delete", "exec", "kill", "list", "ps", "run", "update",
    ] {
        let help = test.runtime().args([verb, "--help"]).run().ok().stdout();
        let options = help
            .lines()
            .filter_map(|line| line.trim_start().split_once("--"));
        for (_, rest) in options.filter(|(short, _)| short.len() <= 4) {
            let name = rest.split([' ', '=']).next().unwrap_or_default();
            let output = test.runtime().args([verb, &format!("--{name}")]).run();
            let text = output.stderr();
            assert!(!text.contains("unknown option"), "{verb} --{name}: {text}");
        }
    }
}

/// The image's signal is sent where none is named (config.md, Annotations), else TERM.
fn kill_takes_the_signal_of_the_image(test: &Test) {
    let script = "trap 'echo HUP; exit 0' HUP; trap 'echo TERM; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    for (annotations, expected) in [
        (
            json!({"org.opencontainers.image.stopSignal": "SIGHUP"}),
            "HUP",
        ),
        (
            json!({"org.opencontainers.image.stopSignal": "moon"}),
            "TERM",
        ),
        (json!({}), "TERM"),
    ] {
        let bundle = test.bundle_with(|config| {
            config["annotations"] = annotations;
            config.args(&["sh", "-c", script]);
        });
        let running = test.run_command(&bundle, expected).spawn();
        let container = test.container(expected);
        let ready = dhow_tests::processes::eventually(Duration::from_secs(10), || {
            running.stdout().contains("ready")
        });
        assert!(ready, "it did not start");
        container.verb(&["kill"]).run().ok();
        assert_eq!(running.wait().ok().stdout(), format!("ready\n{expected}\n"));
    }
}

// Each rival has some of them only.
for_runtimes!([Dhow];
    delete_and_kill_take_a_pattern,
    a_broken_pattern_is_refused,
    create_and_run_take_another_document,
    create_and_run_take_no_subreaper,
    the_log_has_levels,
    the_cgroup_manager_has_a_name,
    the_hosts_logs_take_messages,
    a_log_that_is_not_there_hides_nothing,
    kernel_memory_is_refused_by_name,
    options_that_nobody_has_are_refused_by_name,
    every_option_of_the_help_is_known,
    kill_takes_the_signal_of_the_image,
);
