//! The check that nothing is left sees what is left: shown to fail first.

use dhow_tests::{Dhow, Test, for_runtimes, host, needs, processes};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn complaint(dhow: &Dhow<'_>) -> String {
    let check = AssertUnwindSafe(|| dhow.assert_nothing_left());
    let panic = catch_unwind(check).expect_err("it passed");
    panic.downcast_ref::<String>().expect("a text").clone()
}

fn sees_a_container(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    dhow.sleeper("one", &[]);
    let marked = processes::marked(test.mark());
    let is_seen = |word: &str| marked.iter().any(|process| process.command.contains(word));
    assert!(
        is_seen("sleep 1000") && is_seen("dhow-monitor"),
        "{marked:?}"
    );
    let text = complaint(&dhow);
    assert!(text.contains("container-names/one"), "{text}");
}

fn sees_an_empty_cgroup(test: &Test) {
    needs!(test, root);
    let dhow = Dhow::new(test);
    let mount = host::cgroup_mounts().pop().expect("a cgroup hierarchy");
    let directory = mount.point.join(format!("dhow-{}", test.mark()));
    fs::create_dir(&directory).expect("make a cgroup");
    let text = complaint(&dhow);
    fs::remove_dir(&directory).expect("remove the cgroup");
    assert!(text.contains(test.mark()), "{text}");
}

for_runtimes!([Dhow]; sees_a_container, sees_an_empty_cgroup);
