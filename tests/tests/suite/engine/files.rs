//! Volumes, mounts and the root filesystem's own flags.

use dhow_tests::{Dhow, Test, for_runtimes, needs};
use std::fs;

fn directories_of_the_host(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let shared = test.root().join("shared");
    fs::create_dir(&shared).expect("make");
    fs::write(shared.join("old"), "from outside\n").expect("write");
    let source = shared.display().to_string();
    let volume = format!("{source}:/data");
    let output = dhow
        .shell(&["-v", &volume], "cat /data/old; echo in >/data/new")
        .run();
    assert_eq!(output.ok().stdout(), "from outside\n");
    assert_eq!(fs::read_to_string(shared.join("new")).expect("new"), "in\n");
    let volume = format!("{source}:/data:ro");
    let output = dhow
        .shell(&["-v", &volume], "cat /data/new && echo x >/data/more")
        .run();
    assert_eq!(output.code_is(1).fails("read-only").stdout(), "in\n");
    let mount = format!("type=bind,source={source},target=/data,readonly");
    let output = dhow
        .shell(&["--mount", &mount], "cat /data/new && echo x >/data/more")
        .run();
    output.code_is(1).fails("read-only");
    assert!(!shared.join("more").exists());
    let mount = "type=bind,source=/no/such/place,target=/data";
    dhow.shell(&["--mount", mount], "true")
        .run()
        .code_is(125)
        .fails("/no/such/place");
}

fn named_volumes_keep_their_files(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    dhow.shell(&["-v", "kept:/data"], "echo x >/data/file")
        .run()
        .ok();
    let mount = "type=volume,source=kept,target=/other";
    let output = dhow
        .shell(&["--mount", mount], "cat /other/file")
        .run()
        .ok();
    assert_eq!(output.stdout(), "x\n");
    dhow.shell(&["-v", "bad/name:/data"], "true")
        .run()
        .code_is(125)
        .fails("bad/name");
}

fn filesystems_in_memory(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let line = "grep ' /scratch ' /proc/mounts; touch /scratch/file && ls /scratch";
    for options in [
        ["--tmpfs", "/scratch:size=1m,mode=1777"],
        ["--mount", "type=tmpfs,target=/scratch,tmpfs-size=1m"],
    ] {
        let output = dhow.shell(&options, line).run().ok();
        let text = output.stdout();
        assert!(
            text.starts_with("tmpfs /scratch tmpfs ") && text.contains("size=1024k"),
            "{text}"
        );
        assert!(text.contains("nosuid") && text.contains("nodev"), "{text}");
        assert!(text.ends_with("file\n"), "{text}");
    }
    let output = dhow
        .shell(&["--shm-size", "2m"], "grep /dev/shm /proc/mounts")
        .run()
        .ok();
    assert!(output.stdout().contains("size=2048k"), "{output}");
}

fn a_read_only_root(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let output = dhow.shell(&["--read-only"], "touch /tmp/file").run();
    output.code_is(1).fails("read-only");
    let options = ["--read-only", "--tmpfs", "/tmp"];
    dhow.shell(&options, "touch /tmp/file").run().ok();
}

/// A link in the root must not lead a mount out of it.
fn targets_stay_inside(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let [outside, shared] = ["outside", "shared"].map(|name| test.root().join(name));
    for path in [&outside, &shared] {
        fs::create_dir(path).expect("make");
    }
    let link = |target: &std::path::Path, name: &str| {
        std::os::unix::fs::symlink(target, dhow.rootfs().join(name)).expect("link");
    };
    link(&outside, "way-out");
    link("/etc".as_ref(), "way-in");
    let volume = |target: &str| format!("{}:{target}", shared.display());
    // What it names is not there inside.
    let output = dhow.shell(&["-v", &volume("/way-out/deep")], "true").run();
    output.code_is(125).fails("/way-out/deep");
    assert_eq!(fs::read_dir(&outside).expect("list").count(), 0);
    let line = "touch /etc/deep/file";
    dhow.shell(&["-v", &volume("/way-in/deep")], line)
        .run()
        .ok();
    assert!(shared.join("file").exists());
}

for_runtimes!([Dhow];
    directories_of_the_host,
    named_volumes_keep_their_files,
    filesystems_in_memory,
    a_read_only_root,
    targets_stay_inside,
);
