//! `buildah run --runtime PATH`, and the steps of a Containerfile.

use dhow_tests::{Cmd, Image, Test, for_runtimes, needs};
use std::fs;

/// buildah with everything of its own below the test's root, its containers made by the runtime.
fn buildah(test: &Test, words: &[&str]) -> Cmd {
    let at = |name: &str| test.root().join("buildah").join(name);
    let program = test.kind().program().expect("checked before the test");
    test.command(&["buildah", "--root"])
        .arg(at("root"))
        .arg("--runroot")
        .arg(at("run"))
        .args(["--storage-driver", "vfs"])
        .env("BUILDAH_ISOLATION", "oci")
        .env("BUILDAH_RUNTIME", program)
        .args(words)
}

/// Makes the image `localhost/busy`.
fn prepare(test: &Test) {
    let archive = test.root().join("image.tar");
    Image::busybox().write_docker_archive(&archive, "localhost/busy:1");
    let source = format!("docker-archive:{}", archive.display());
    buildah(test, &["pull", "--quiet", &source]).run().ok();
}

fn a_step_runs(test: &Test) {
    needs!(test, root, buildah);
    prepare(test);
    let working = buildah(test, &["from", "localhost/busy:1"])
        .run()
        .ok()
        .stdout();
    let working = working.trim();
    let run = ["run", "--network", "none", working, "--"];
    let output = buildah(test, &run)
        .args(["/bin/sh", "-c", "echo out; echo made >/file; exit 3"])
        .run();
    assert_eq!(output.code_is(3).stdout(), "out\n");
    let output = buildah(test, &run).args(["/bin/cat", "/file"]).run().ok();
    assert_eq!(output.stdout(), "made\n");
    buildah(test, &["rm", "--all"]).run().ok();
}

fn a_containerfile_is_built(test: &Test) {
    needs!(test, root, buildah);
    prepare(test);
    let context = test.root().join("context");
    fs::create_dir(&context).expect("mkdir");
    let file =
        "FROM localhost/busy:1\nRUN echo one >/made\nRUN echo two >>/made && test ! -e /nothing\n";
    fs::write(context.join("Containerfile"), file).expect("write");
    let build = [
        "build",
        "--isolation",
        "oci",
        "--network",
        "none",
        "--tag",
        "localhost/made",
    ];
    buildah(test, &build).arg(&context).run().ok();
    let working = buildah(test, &["from", "localhost/made"])
        .run()
        .ok()
        .stdout();
    let run = [
        "run",
        "--network",
        "none",
        working.trim(),
        "--",
        "/bin/cat",
        "/made",
    ];
    assert_eq!(buildah(test, &run).run().ok().stdout(), "one\ntwo\n");
    // A step that fails is told with its code.
    fs::write(
        context.join("Containerfile"),
        "FROM localhost/busy:1\nRUN exit 6\n",
    )
    .expect("write");
    let failed = buildah(test, &build).arg(&context).run();
    failed.fails("exit status 6");
    buildah(test, &["rm", "--all"]).run().ok();
}

for_runtimes!([Dhow, Runc]; a_step_runs, a_containerfile_is_built);
