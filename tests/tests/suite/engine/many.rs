//! Many at once.

use dhow_tests::{Dhow, Image, Test, for_runtimes, needs};
use std::collections::BTreeSet;
use std::time::Duration;

fn twenty_at_once_succeed_and_leave_nothing(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let running: Vec<_> = (0..20)
        .map(|number| {
            let line = format!("echo {number}; exit {number}");
            dhow.shell(&[], &line)
                .limit(Duration::from_secs(30))
                .spawn()
        })
        .collect();
    for (number, command) in (0..).zip(running) {
        let output = command.wait().code_is(number);
        assert_eq!(output.stdout(), format!("{number}\n"));
    }
    dhow.assert_nothing_left();
}

/// The built-in image is unpacked by whoever comes first, while the others wait for it.
fn ten_first_ones_at_once(test: &Test) {
    needs!(test, root);
    let dhow = Dhow::new(test);
    let hello = || {
        let command = dhow.words(&["run", "--rm", "hello"]);
        command.limit(Duration::from_secs(30)).spawn()
    };
    let running: Vec<_> = (0..10).map(|_| hello()).collect();
    for command in running {
        let output = command.wait().ok();
        assert!(output.stdout().contains("Hello"), "{output}");
    }
    let images = dhow.words(&["images", "-q"]).run().ok().stdout();
    assert_eq!(images.lines().count(), 1);
    dhow.assert_nothing_left();
}

fn eight_loads_of_one_image_at_once(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let archive = test.root().join("docker.tar");
    Image::busybox().write_docker_archive(&archive, "box:1");
    let load = || {
        let command = dhow.command().args(["load", "-q", "-i"]).arg(&archive);
        command.limit(Duration::from_secs(30)).spawn()
    };
    let running: Vec<_> = (0..8).map(|_| load()).collect();
    let ids: BTreeSet<_> = running
        .into_iter()
        .map(|command| command.wait().ok().stdout())
        .collect();
    assert_eq!(ids.len(), 1);
    let output = dhow.run_image(&["--rm"], "box:1", &[]).run().ok();
    assert_eq!(output.stdout(), "default\n");
    let list = dhow.words(&["images", "-q"]).run().ok().stdout();
    assert_eq!(list.lines().count(), 1);
}

fn one_of_ten_gets_the_name(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    let words = ["/bin/sleep", "1000"];
    let running: Vec<_> = (0..10)
        .map(|_| dhow.run(&["-d", "--name", "one"], &words).spawn())
        .collect();
    let outputs: Vec<_> = running.into_iter().map(dhow_tests::Running::wait).collect();
    let (won, lost): (Vec<_>, Vec<_>) = outputs
        .into_iter()
        .partition(|output| output.code == Some(0));
    assert_eq!((won.len(), lost.len()), (1, 9));
    for output in lost {
        output.code_is(125).fails("one");
    }
    assert_eq!(
        dhow.words(&["ps", "-aq"])
            .run()
            .ok()
            .stdout()
            .lines()
            .count(),
        1
    );
}

for_runtimes!([Dhow];
    twenty_at_once_succeed_and_leave_nothing,
    ten_first_ones_at_once,
    eight_loads_of_one_image_at_once,
    one_of_ten_gets_the_name,
);
