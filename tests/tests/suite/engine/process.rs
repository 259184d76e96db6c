//! What the command is: its environment, directory, user, entry point, first process and limits.

use dhow_tests::{Dhow, Image, Test, for_runtimes, needs};
use serde_json::json;
use std::fs;

/// An engine that has loaded an image of busybox as `box`.
fn with_image<'t>(test: &'t Test, image: &Image) -> Dhow<'t> {
    let dhow = Dhow::new(test);
    let layout = test.root().join("layout");
    image.write_layout(&layout, "box:latest");
    let path = layout.display().to_string();
    dhow.words(&["load", "-q", "-i", &path]).run().ok();
    dhow
}

fn environment(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let file = test.root().join("env");
    fs::write(&file, "# comment\nFILED=one two\nBOTH=file\nHERE\n").expect("write");
    let file = file.display().to_string();
    let options = ["--env-file", &file, "-e", "BOTH=option", "-e", "PASSED"];
    let line = "echo \"$FILED|$BOTH|$PASSED|$HERE|${HIDDEN-none}\"";
    let output = dhow
        .shell(&options, line)
        .env("PASSED", "on")
        .env("HERE", "too")
        .env("HIDDEN", "secret")
        .run()
        .ok();
    assert_eq!(output.stdout(), "one two|option|on|too|none\n");
    let missing = dhow.shell(&["--env-file", "/no/such/file"], "true").run();
    missing.code_is(125).fails("/no/such/file");
}

fn working_directory(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    assert_eq!(
        dhow.shell(&["-w", "/tmp"], "pwd").run().ok().stdout(),
        "/tmp\n"
    );
    assert_eq!(
        dhow.shell(&["-w", "/new/one"], "pwd").run().ok().stdout(),
        "/new/one\n"
    );
    dhow.shell(&["-w", "relative"], "pwd")
        .run()
        .code_is(125)
        .fails("relative");
}

fn users_by_number_and_name(test: &Test) {
    needs!(test, root, busybox);
    let dhow = with_image(test, &Image::busybox());
    let ids = |user: &str| {
        let words = ["/bin/sh", "-c", "id -u; id -g; id -G; echo $HOME"];
        dhow.run_image(&["--rm", "-u", user], "box", &words).run()
    };
    assert_eq!(ids("7").ok().stdout(), "7\n0\n0\n/\n");
    assert_eq!(ids("7:8").ok().stdout(), "7\n8\n8\n/\n");
    assert_eq!(ids("web").ok().stdout(), "33\n34\n34 29\n/srv\n");
    assert_eq!(ids("web:audio").ok().stdout().lines().nth(1), Some("29"));
    ids("stranger").code_is(125).fails("stranger");
}

fn the_image_s_own_settings(test: &Test) {
    needs!(test, root, busybox);
    let image = Image::busybox().configured(|config| {
        config["User"] = json!("33:34");
        config["WorkingDir"] = json!("/srv");
        config["Entrypoint"] = json!(["/bin/echo", "entry"]);
        config["Cmd"] = json!(["default"]);
    });
    let dhow = with_image(test, &image);
    let run = |options: &[&str], words: &[&str]| {
        let options = [&["--rm"], options].concat();
        dhow.run_image(&options, "box", words).run().ok().stdout()
    };
    assert_eq!(run(&[], &[]), "entry default\n");
    assert_eq!(run(&[], &["other", "words"]), "entry other words\n");
    assert_eq!(run(&["--entrypoint", "/bin/pwd"], &[]), "/srv\n");
    let line = "echo $(id -u) $FROM_IMAGE";
    let shell = ["/bin/sh", "-c", line];
    assert_eq!(run(&["--entrypoint", ""], &shell), "33 yes\n");
    let list = r#"["/bin/echo", "from a list"]"#;
    assert_eq!(run(&["--entrypoint", list], &[]), "from a list\n");
}

fn an_init_reaps_and_passes_signals_on(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let line = "(sleep 0.01 &); sleep 0.3; ps -o pid,stat,comm; cat /proc/1/comm";
    let output = dhow.shell(&["--init"], line).run().ok();
    assert!(!output.stdout().contains(" Z"), "no zombie: {output}");
    assert!(output.stdout().ends_with("dhow-init\n"), "{output}");
    // What it starts hears every signal.
    let output = dhow
        .shell(&["--init"], "grep SigBlk /proc/self/status")
        .run();
    assert_eq!(output.ok().stdout(), "SigBlk:\t0000000000000000\n");
    // A shell that is the first process is deaf to TERM; below an init it is not.
    let words = ["/bin/sleep", "1000"];
    dhow.run(&["-d", "--init", "--name", "one"], &words)
        .run()
        .ok();
    dhow.words(&["stop", "--time", "8", "one"]).run().ok();
    assert_eq!(dhow.words(&["wait", "one"]).run().ok().stdout(), "143\n");
}

fn process_limits(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let report = dhow.probe(&["--ulimit", "nofile=100:200", "--ulimit", "core=0"]);
    assert_eq!(report["rlimits"]["Max open files"], json!(["100", "200"]));
    assert_eq!(report["rlimits"]["Max core file size"], json!(["0", "0"]));
    let wrong = dhow.shell(&["--ulimit", "nofile=200:100"], "true").run();
    wrong.code_is(125).fails("nofile");
    let unknown = dhow.shell(&["--ulimit", "nonsense=1"], "true").run();
    unknown.code_is(125).fails("nonsense");
}

for_runtimes!([Dhow];
    environment,
    working_directory,
    users_by_number_and_name,
    the_image_s_own_settings,
    an_init_reaps_and_passes_signals_on,
    process_limits,
);
