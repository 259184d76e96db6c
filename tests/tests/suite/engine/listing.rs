//! What dhow says about containers, images, this host and itself.

use dhow_tests::{Dhow, Test, for_runtimes, needs};
use serde_json::Value;

fn lines(text: &str) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).expect("each line is JSON");
    text.lines().map(parse).collect()
}

fn containers(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    dhow.sleeper("runs", &["--label", "a=b"]);
    dhow.run(&["--name", "ended"], &["/bin/sh", "-c", "exit 4"])
        .run()
        .code_is(4);
    let running = lines(&dhow.words(&["ps", "--format", "json"]).run().ok().stdout());
    assert_eq!(running.len(), 1);
    assert_eq!(running[0]["Names"], "runs");
    assert_eq!(running[0]["Labels"], "a=b");
    let all = lines(
        &dhow
            .words(&["ps", "-a", "--format", "json"])
            .run()
            .ok()
            .stdout(),
    );
    let names: Vec<_> = all.iter().map(|entry| &entry["Names"]).collect();
    assert_eq!(names, ["ended", "runs"], "youngest first");
    assert!(
        all[0]["Status"]
            .as_str()
            .is_some_and(|text| text.starts_with("Exited (4)"))
    );
    let table = dhow.words(&["ps", "-a"]).run().ok().stdout();
    assert!(
        table.starts_with("CONTAINER ID") && table.lines().count() == 3,
        "{table}"
    );
    assert!(
        table.contains("runs") && table.contains("Exited (4)"),
        "{table}"
    );
    let ids = dhow.words(&["ps", "-aq", "--no-trunc"]).run().ok().stdout();
    assert!(
        ids.lines().all(|id| id.len() == 64) && ids.lines().count() == 2,
        "{ids}"
    );
}

fn all_about_one(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    dhow.run(
        &["--name", "one", "--label", "a=b"],
        &["/bin/sh", "-c", "exit 4"],
    )
    .run();
    let about = dhow.words(&["inspect", "one"]).run().ok().json();
    assert_eq!(about.as_array().map(Vec::len), Some(1));
    assert_eq!(about[0]["state"]["code"], 4, "{about}");
    assert_eq!(about[0]["labels"]["a"], "b", "{about}");
    dhow.words(&["run", "--rm", "hello"]).run().ok();
    let about = dhow
        .words(&["inspect", "--type", "image", "hello"])
        .run()
        .ok()
        .json();
    assert_eq!(about[0]["names"][0], "hello:latest", "{about}");
    dhow.words(&["inspect", "nothing"])
        .run()
        .code_is(125)
        .fails("nothing");
}

fn images(test: &Test) {
    needs!(test, root);
    let dhow = Dhow::new(test);
    assert_eq!(dhow.words(&["images", "-q"]).run().ok().stdout(), "");
    dhow.words(&["run", "--rm", "hello"]).run().ok();
    let all = lines(
        &dhow
            .words(&["images", "--format", "json"])
            .run()
            .ok()
            .stdout(),
    );
    assert_eq!(all.len(), 1);
    assert_eq!(
        (&all[0]["Repository"], &all[0]["Tag"]),
        (&"hello".into(), &"latest".into())
    );
    let table = dhow.words(&["images"]).run().ok().stdout();
    assert!(
        table.starts_with("REPOSITORY") && table.contains("hello"),
        "{table}"
    );
}

fn the_doctor_finds_this_host_fit(test: &Test) {
    needs!(test, root);
    let dhow = Dhow::new(test);
    let text = dhow.words(&["doctor"]).run().ok().stdout();
    for word in [
        "user namespaces",
        "overlay",
        "cgroups",
        "dhow-monitor",
        "seccomp",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let report = dhow
        .words(&["doctor", "--format", "json"])
        .run()
        .ok()
        .json();
    assert!(report.is_object() || report.is_array(), "{report}");
    // It looks, and leaves nothing.
    assert!(!dhow.store().join("containers").exists() || dhow.left().is_empty());
}

fn completions_and_manual_pages(test: &Test) {
    let dhow = Dhow::new(test);
    for shell in ["bash", "zsh", "fish"] {
        let script = dhow.words(&["completion", shell]).run().ok().stdout();
        for word in ["run", "doctor", "rootfs"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
    let script = dhow.words(&["completion", "bash"]).run().ok().stdout();
    let file = test.root().join("script");
    std::fs::write(&file, script).expect("write");
    test.command(&["bash", "-n"]).arg(&file).run().ok();
    let directory = test.root().join("man");
    std::fs::create_dir(&directory).expect("make");
    let program = dhow_tests::program::binary("dhow").expect("it is built");
    let generate = test.command(&[&program]).arg("__man");
    generate.arg(&directory).run().ok();
    let page = std::fs::read_to_string(directory.join("dhow-run.1")).expect("a page");
    assert!(page.contains(".TH") && page.contains("rootfs"), "{page}");
    dhow.words(&["completion", "no-such-shell"])
        .run()
        .fails("no-such-shell");
}

fn wrong_command_lines(test: &Test) {
    let dhow = Dhow::new(test);
    dhow.words(&["nonsense"])
        .run()
        .code_is(125)
        .fails("nonsense");
    dhow.words(&["ps", "--nonsense"])
        .run()
        .code_is(125)
        .fails("--nonsense");
    dhow.words(&["run"]).run().code_is(125).fails("image");
    for verb in ["stop", "rm", "logs", "start", "wait", "attach"] {
        dhow.words(&[verb, "nobody"])
            .run()
            .code_is(125)
            .fails("nobody");
    }
    assert!(!dhow.store().join("containers").exists() || dhow.left().is_empty());
}

for_runtimes!([Dhow];
    containers,
    all_about_one,
    images,
    the_doctor_finds_this_host_fit,
    completions_and_manual_pages,
    wrong_command_lines,
);
