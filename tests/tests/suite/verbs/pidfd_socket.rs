//! `--pidfd-socket`: whoever asks holds the process by a descriptor, whose meaning never changes.

use dhow_tests::console::DescriptorSocket;
use dhow_tests::{Test, for_runtimes, processes};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::process::{Signal, pidfd_send_signal};
use std::fs;
use std::time::Duration;

fn listen(test: &Test) -> DescriptorSocket {
    DescriptorSocket::listen(test.root().join("out/pidfd.sock"))
}

/// The process behind a pidfd.
fn pid_of(pidfd: &OwnedFd) -> i32 {
    let info = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
    let text = fs::read_to_string(info).expect("fdinfo");
    let pid = text.lines().find_map(|line| line.strip_prefix("Pid:"));
    pid.and_then(|pid| pid.trim().parse().ok())
        .expect("a pidfd")
}

fn received(socket: &DescriptorSocket) -> (String, OwnedFd) {
    let (word, mut descriptors) = socket.receive();
    assert_eq!(descriptors.len(), 1, "one descriptor is sent");
    let word = String::from_utf8(word).expect("a word");
    (word, descriptors.remove(0))
}

fn has_ended(pidfd: &OwnedFd) -> bool {
    let limit = processes::timespec(Duration::from_secs(10));
    poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&limit)).is_ok_and(|count| count > 0)
}

fn create_sends_its_first_process(test: &Test) {
    let socket = listen(test);
    let bundle = test.bundle_running(&["sleep", "1000"]);
    let container = test.container("a");
    let create = test
        .runtime()
        .args(["create", "--pidfd-socket"])
        .arg(socket.path());
    let create = create.arg("--bundle").arg(bundle.path());
    create.arg(container.id()).run().ok();
    let (word, pidfd) = received(&socket);
    assert_eq!(
        (word.as_str(), pid_of(&pidfd)),
        ("standard", container.pid())
    );
    container.start();
    assert_eq!(pid_of(&pidfd), container.pid());
    pidfd_send_signal(&pidfd, Signal::KILL).expect("signal it");
    assert!(has_ended(&pidfd));
    container.wait_for("stopped");
}

fn run_sends_its_first_process(test: &Test) {
    let socket = listen(test);
    let bundle = test.bundle_running(&["sleep", "1000"]);
    let run = test
        .runtime()
        .args(["run", "--pidfd-socket"])
        .arg(socket.path());
    let run = run
        .arg("--bundle")
        .arg(bundle.path())
        .arg(test.id("a"))
        .spawn();
    let (word, pidfd) = received(&socket);
    let container = test.container("a");
    assert_eq!(
        (word.as_str(), pid_of(&pidfd)),
        ("standard", container.pid())
    );
    pidfd_send_signal(&pidfd, Signal::KILL).expect("signal it");
    run.wait().code_is(137);
}

fn exec_sends_its_process(test: &Test) {
    let socket = listen(test);
    let container = test.sleeper("a");
    let path = socket.path().to_str().expect("a path");
    let options = ["--pidfd-socket", path];
    let executed = container.exec_command(&options, &["sleep", "1001"]).spawn();
    let (word, pidfd) = received(&socket);
    assert_eq!(word, "setns");
    assert_ne!(pid_of(&pidfd), container.pid());
    pidfd_send_signal(&pidfd, Signal::TERM).expect("signal it");
    assert!(has_ended(&pidfd));
    executed.wait().code_is(143);
    assert_eq!(container.status(), "running");
}

/// Also with a user namespace, where a first process clones the second.
fn exec_in_a_user_namespace_sends_the_right_one(test: &Test) {
    dhow_tests::needs!(test, root, userns);
    let socket = listen(test);
    let bundle = test.bundle_with(|config| {
        config.add_namespace("user", None);
        let map = serde_json::json!([{"containerID": 0, "hostID": 100_000, "size": 65_536}]);
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map;
        config.args(&["sleep", "1000"]);
    });
    let container = test.create(&bundle, "a");
    container.start();
    let path = socket.path().to_str().expect("a path");
    let options = ["--detach", "--pidfd-socket", path];
    container
        .exec_command(&options, &["sleep", "1001"])
        .run()
        .ok();
    let (_, pidfd) = received(&socket);
    let process = processes::describe(pid_of(&pidfd)).expect("it runs");
    assert_eq!(process.command, "sleep 1001");
}

/// Nothing was made when nobody listens.
fn a_socket_without_a_listener_is_refused(test: &Test) {
    let container = test.sleeper("a");
    let nowhere = test.root().join("out/nobody.sock");
    let path = nowhere.to_str().expect("a path");
    let output = container
        .exec_command(&["--pidfd-socket", path], &["true"])
        .run();
    output.fails("connect to the pidfd socket");
    let id = test.id("b");
    let create = test
        .runtime()
        .args(["create", "--pidfd-socket", path, "--bundle"]);
    let output = create.arg(test.bundle().path()).arg(&id).run();
    output.fails("connect to the pidfd socket");
    let state = test.runtime().args(["state", &id]).run();
    state.fails("does not exist");
}

// runc has it since 1.2, crun 1.8 not at all.
for_runtimes!([Dhow];
    create_sends_its_first_process,
    run_sends_its_first_process,
    exec_sends_its_process,
    exec_in_a_user_namespace_sends_the_right_one,
    a_socket_without_a_listener_is_refused,
);
