//! A runtime handler of containerd's CRI (`BinaryName`), as Kubernetes uses it.

use dhow_tests::{Image, Test, for_runtimes, needs, processes};
use std::fs;
use std::time::Duration;

const KUBELET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/foreign/cri.py");

/// containerd with everything of its own below `home`; no CNI: the pod has the host's network.
fn configuration(home: &std::path::Path, runtime: &std::path::Path) -> String {
    let at = |name: &str| home.join(name).display().to_string();
    let runtime = runtime.display();
    format!(
        r#"version = 2
root = "{root}"
state = "{state}"
[grpc]
address = "{socket}"
[ttrpc]
address = "{socket}.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
disable_apparmor = true
disable_cgroup = false
restrict_oom_score_adj = true
sandbox_image = "localhost/busy:1"
stream_server_port = "0"
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "tested"
snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tested]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tested.options]
BinaryName = "{runtime}"
SystemdCgroup = false
"#,
        root = at("root"),
        state = at("state"),
        socket = at("sock"),
    )
}

fn a_pod_lives_and_dies(test: &Test) {
    needs!(test, root, containerd, python_grpc);
    let home = test.root().join("cri");
    fs::create_dir_all(home.join("logs")).expect("mkdir");
    let program = test.kind().program().expect("checked before the test");
    fs::write(home.join("config.toml"), configuration(&home, &program)).expect("write");
    let command = test.command(&["containerd", "--config"]);
    let daemon = command
        .arg(home.join("config.toml"))
        .limit(Duration::from_secs(240))
        .spawn();
    let socket = home.join("sock").display().to_string();
    let ctr = |words: &[&str]| test.command(&["ctr", "--address", &socket]).args(words);
    let is_up = processes::eventually(Duration::from_secs(60), || {
        ctr(&["version"]).run().code == Some(0)
    });
    assert!(is_up, "containerd did not start");
    let archive = home.join("image.tar");
    // It is the sandbox's image too: its shell waits for ever.
    Image::busybox()
        .configured(|config| {
            config["Cmd"] = serde_json::json!(["/bin/sh", "-c", "while :; do sleep 1000; done"]);
        })
        .write_docker_archive(&archive, "localhost/busy:1");
    let import = ctr(&[
        "--namespace",
        "k8s.io",
        "images",
        "import",
        "--snapshotter",
        "native",
    ]);
    import.arg(&archive).run().ok();
    let kubelet = test.command(&["/usr/bin/python3", KUBELET, &socket, "localhost/busy:1"]);
    let output = kubelet
        .arg(format!("/{}", test.mark()))
        .arg(home.join("logs"))
        .limit(Duration::from_secs(120))
        .run()
        .ok();
    const RUNNING: u32 = 1;
    let expected = format!(
        "pod runs\ncontainer is in state {RUNNING}\nexec said inside and ended with 3\nlimits changed\n\
         stats tell memory\ncontainer ended with 4\nall is gone\n"
    );
    assert_eq!(output.stdout(), expected);
    let log = fs::read_to_string(home.join("logs/main.log")).expect("the log");
    assert!(log.contains("logged"), "{log}");
    drop(daemon);
    processes::end_marked(test.mark());
    super::remove_groups(test.mark());
}

for_runtimes!([Dhow, Runc]; a_pod_lives_and_dies);
