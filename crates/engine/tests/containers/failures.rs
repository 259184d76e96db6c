//! What is refused, and that nothing stays of it.

use super::rig::Rig;
use dhow_engine::options::Root;
use dhow_engine::{ContainerOptions, Kind};

#[test]
fn programs_that_cannot_run() {
    let Some(rig) = Rig::new() else { return };
    let mut options = rig.options(&["/bin/nope"]);
    options.remove = true;
    let error = rig.engine.run_detached(&options).unwrap_err();
    assert_eq!((error.kind(), error.exit_code()), (Kind::NotFound, 127));
    assert!(error.hint().unwrap().contains("no such program"), "{error}");
    options.command = vec!["/etc/passwd".into()];
    let error = rig.engine.run_detached(&options).unwrap_err();
    assert_eq!((error.kind(), error.exit_code()), (Kind::InvalidInput, 126));
    assert!(rig.left().is_empty(), "{:?}", rig.left());
    // Without --rm the container stays, not started.
    options.remove = false;
    options.name = Some("stays".into());
    rig.engine.run_detached(&options).unwrap_err();
    assert_eq!(rig.state("stays").word(), "created");
}

#[test]
fn impossible_options() {
    let Some(rig) = Rig::new() else { return };
    type Change = fn(&mut ContainerOptions);
    let cases: [(&str, Change); 12] = [
        ("--name", |options| options.name = Some("../x".into())),
        ("--hostname", |options| {
            options.hostname = Some("a b".into())
        }),
        ("--user", |options| options.user = Some("nobody".into())),
        ("--user", |options| options.user = Some("-1".into())),
        ("--workdir", |options| options.workdir = Some("x".into())),
        ("--cap-add", |options| options.cap_add = vec!["X".into()]),
        ("--memory", |options| options.memory = "1k".parse().ok()),
        ("--memory-swap", |options| {
            options.memory_swap = "1g".parse().ok()
        }),
        ("--env", |options| {
            options.env = vec![(String::new(), "x".into())]
        }),
        ("--stop-signal", |options| {
            options.stop_signal = Some("NOPE".into())
        }),
        ("command", |options| options.command.clear()),
        ("--mount", |options| {
            options.mounts = vec!["type=bind,source=/nonexistent/x,target=/y".parse().unwrap()];
        }),
    ];
    for (option, change) in cases {
        let mut options = rig.options(&["/bin/true"]);
        change(&mut options);
        let error = rig.engine.create(&options).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidInput, "{option}: {error}");
        assert!(error.to_string().contains(option), "{option}: {error}");
        assert!(rig.left().is_empty(), "{option}: {:?}", rig.left());
    }
}

#[test]
fn roots_that_are_none() {
    let Some(rig) = Rig::new() else { return };
    let link = rig.directory.join("link");
    std::os::unix::fs::symlink("rootfs", &link).unwrap();
    let file = rig.directory.join("file");
    std::fs::write(&file, "").unwrap();
    for path in [link, file, rig.directory.join("missing")] {
        for overlay in [false, true] {
            let mut options = rig.options(&["/bin/true"]);
            options.root = Root::Directory {
                path: path.clone(),
                overlay,
            };
            let error = rig.engine.create(&options).unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidInput, "{}", path.display());
            assert!(error.to_string().contains("--rootfs"), "{error}");
        }
    }
    let options = ContainerOptions::new(Root::Image("nothing-of-this-name".into()));
    let error = rig.engine.create(&options).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
}

#[test]
fn names_belong_to_one() {
    let Some(rig) = Rig::new() else { return };
    let mut options = rig.options(&["/bin/true"]);
    options.name = Some("mine".into());
    rig.engine.create(&options).unwrap();
    let error = rig.engine.create(&options).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.hint().unwrap().contains("--name"), "{error}");
    rig.engine.remove("mine", false).unwrap();
    // Sixteen at once: one wins, the others are told.
    let made = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|_| {
                let (engine, options) = (rig.again(), options.clone());
                scope.spawn(move || engine.create(&options).map_err(|error| error.kind()))
            })
            .collect();
        let results: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        assert!(
            results
                .iter()
                .all(|result| !matches!(result, Err(kind) if *kind != Kind::Conflict))
        );
        results.iter().filter(|result| result.is_ok()).count()
    });
    assert_eq!(made, 1);
}

#[test]
fn prefixes() {
    let Some(rig) = Rig::new() else { return };
    let mut ids = Vec::new();
    // More than there are first digits, so that two begin alike.
    for _ in 0..17 {
        ids.push(rig.engine.create(&rig.options(&["/bin/true"])).unwrap().id);
    }
    assert_eq!(rig.engine.inspect(&ids[0]).unwrap().summary.id, ids[0]);
    assert_eq!(
        rig.engine.inspect(&ids[0][..20]).unwrap().summary.id,
        ids[0]
    );
    let twin = ids
        .iter()
        .map(|id| &id[..1])
        .find(|digit| ids.iter().filter(|id| id.starts_with(digit)).count() > 1);
    let error = rig.engine.inspect(twin.unwrap()).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidInput);
    for missing in ["", "nope", "../x", "zz", &"0".repeat(65)] {
        let error = rig.engine.inspect(missing).unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound, "{missing:?}");
    }
}
