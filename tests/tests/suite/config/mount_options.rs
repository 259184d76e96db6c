//! Mount options, as the kernel shows them: what is asked for is never weakened.

use dhow_tests::{Config, Test, for_runtimes, needs};
use serde_json::{Value, json};
use std::fs;

/// The options the kernel shows for the last mount at a point.
fn options(report: &Value, point: &str) -> Vec<String> {
    let mounts = report["mounts"].as_array().expect("a list");
    let mount = mounts
        .iter()
        .rfind(|mount| mount["point"] == point)
        .expect("it is mounted");
    let list = mount["options"].as_array().expect("a list");
    list.iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Mounts the same options several times in one container: (options, shown, not shown).
fn check(test: &Test, kind: (&str, &str), cases: &[(&[&str], &[&str], &[&str])]) {
    let report = test.probe_with(|config: &mut Config| {
        for (number, (asked, ..)) in cases.iter().enumerate() {
            config.add_mount(kind.0, kind.1, &format!("/m{number}"), asked);
        }
    });
    for (number, (asked, shown, absent)) in cases.iter().enumerate() {
        let options = options(&report, &format!("/m{number}"));
        for option in *shown {
            assert!(
                options.iter().any(|o| o == option),
                "{asked:?}: no {option} in {options:?}"
            );
        }
        for option in *absent {
            assert!(
                !options.iter().any(|o| o == option),
                "{asked:?}: {option} in {options:?}"
            );
        }
    }
}

/// The same for new file systems and for binds, which take another path in the kernel.
const COMMON: &[(&[&str], &[&str], &[&str])] = &[
    (&[], &["rw"], &["nosuid", "nodev", "noexec"]),
    (&["ro"], &["ro"], &["rw"]),
    (&["ro", "rw"], &["rw"], &["ro"]),
    (&["nosuid"], &["nosuid"], &["nodev"]),
    (&["nosuid", "suid"], &[], &["nosuid"]),
    (&["nodev"], &["nodev"], &["noexec"]),
    (&["noexec"], &["noexec"], &["nosuid"]),
    (
        &["ro", "nosuid", "nodev", "noexec"],
        &["ro", "nosuid", "nodev", "noexec"],
        &[],
    ),
    (&["noatime"], &["noatime"], &["relatime"]),
    (&["relatime"], &["relatime"], &["noatime"]),
    (&["strictatime"], &[], &["noatime", "relatime"]),
    (&["nodiratime"], &["nodiratime"], &[]),
];

fn new_file_systems_have_their_options(test: &Test) {
    check(test, ("tmpfs", "tmpfs"), COMMON);
}

fn binds_have_their_options(test: &Test) {
    needs!(test, root);
    // A bind starts from the flags of the mount it is taken from: one without any.
    let source = test.root().join("source");
    fs::create_dir(&source).expect("mkdir");
    let options = [
        "mount",
        "-t",
        "tmpfs",
        "-o",
        "suid,dev,exec,relatime",
        "tmpfs",
    ];
    test.command(&options).arg(&source).run().ok();
    let cases: Vec<(Vec<&str>, &[&str], &[&str])> = COMMON
        .iter()
        .filter(|(asked, ..)| !asked.is_empty())
        .map(|(asked, shown, absent)| ([&["bind"], *asked].concat(), *shown, *absent))
        .collect();
    let cases: Vec<(&[&str], &[&str], &[&str])> = cases
        .iter()
        .map(|(asked, shown, absent)| (asked.as_slice(), *shown, *absent))
        .collect();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        check(test, ("bind", source.to_str().expect("a path")), &cases);
    }));
    test.command(&["umount"]).arg(&source).run().ok();
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

fn nosymfollow_holds(test: &Test) {
    check(
        test,
        ("tmpfs", "tmpfs"),
        &[(&["nosymfollow"], &["nosymfollow"], &[])],
    );
    check(
        test,
        ("bind", "/etc"),
        &[(&["bind", "nosymfollow"], &["nosymfollow"], &[])],
    );
}

fn propagation_words_work(test: &Test) {
    let report = test.probe_with(|config| {
        for word in [
            "private",
            "slave",
            "shared",
            "unbindable",
            "rprivate",
            "rslave",
            "rshared",
        ] {
            config.add_mount("tmpfs", "tmpfs", &format!("/{word}"), &[word]);
        }
    });
    let mounts = report["mounts"].as_array().expect("a list");
    let fields = |point: &str| {
        let mount = mounts
            .iter()
            .find(|mount| mount["point"] == point)
            .expect("it is mounted");
        mount["propagation"].to_string()
    };
    for word in ["/shared", "/rshared"] {
        assert!(fields(word).contains("shared:"), "{word}: {}", fields(word));
    }
    for word in ["/private", "/rprivate", "/slave", "/rslave"] {
        assert!(
            !fields(word).contains("shared:"),
            "{word}: {}",
            fields(word)
        );
    }
    assert!(fields("/unbindable").contains("unbindable"));
}

/// The recursive forms reach what is mounted below, the plain ones do not.
fn recursive_options_reach_below(test: &Test) {
    needs!(test, root);
    let source = test.root().join("source");
    fs::create_dir_all(source.join("below")).expect("mkdir");
    test.command(&["mount", "-t", "tmpfs", "tmpfs"])
        .arg(source.join("below"))
        .run()
        .ok();
    let source_text = source.to_str().expect("a path");
    let words = ["ro", "rro", "rnosuid", "rnodev", "rnoexec", "rnoatime"];
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        test.probe_with(|config| {
            for word in words {
                config.add_mount("bind", source_text, &format!("/{word}"), &["rbind", word]);
            }
        })
    }));
    test.command(&["umount"])
        .arg(source.join("below"))
        .run()
        .ok();
    let report = outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let has = |point: &str, option: &str| options(&report, point).iter().any(|o| o == option);
    assert!(has("/ro", "ro") && !has("/ro/below", "ro"));
    for word in &words[1..] {
        let option = &word[1..];
        assert!(has(&format!("/{word}"), option), "{word}");
        assert!(has(&format!("/{word}/below"), option), "{word} below");
    }
}

fn rnosymfollow_reaches_below(test: &Test) {
    let report = test.probe_with(|config| {
        config.add_mount("bind", "/sys", "/mnt", &["rbind", "rnosymfollow", "ro"]);
    });
    assert!(options(&report, "/mnt").iter().any(|o| o == "nosymfollow"));
}

/// A word that is no option and no data of a bind is a mistake, not decoration.
fn an_unknown_option_of_a_bind_is_refused(test: &Test) {
    let output = test.run_with(|config| {
        config.add_mount("bind", "/etc", "/mnt", &["bind", "moon"]);
    });
    output.fails("mounts[5].options");
}

/// `defaults` and friends are words of fstab, not of any file system.
fn words_of_fstab_are_accepted(test: &Test) {
    test.run_with(|config| {
        config.add_mount(
            "tmpfs",
            "tmpfs",
            "/m",
            &["defaults", "rw", "async", "nomand", "loud"],
        );
    })
    .ok();
}

/// In a user namespace the flags of the host's mount are locked; keeping them is no error.
fn locked_flags_are_kept_in_a_user_namespace(test: &Test) {
    needs!(test, root, userns);
    let source = test.root().join("source");
    fs::create_dir(&source).expect("mkdir");
    let options = ["mount", "-t", "tmpfs", "-o", "nosuid,nodev,noexec", "tmpfs"];
    test.command(&options).arg(&source).run().ok();
    let map = json!([{"containerID": 0, "hostID": 600_000_000, "size": 65_536}]);
    let bundle = test.bundle_with(|config| {
        config.add_namespace("user", None);
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map;
        config.add_mount(
            "bind",
            source.to_str().expect("a path"),
            "/mnt",
            &["bind", "ro"],
        );
        config.args(&["/bin/probe"]);
    });
    bundle.give_to(600_000_000);
    let output = test.run_bundle(&bundle);
    test.command(&["umount"]).arg(&source).run().ok();
    let report = output.ok().json();
    let shown = self::options(&report, "/mnt");
    for option in ["ro", "nosuid", "nodev", "noexec"] {
        assert!(
            shown.iter().any(|o| o == option),
            "{option} is not in {shown:?}"
        );
    }
}

// crun 1.8 cannot undo an option by its opposite, keeps file systems private, and refuses rnoatime.
for_runtimes!([Dhow, Runc];
    new_file_systems_have_their_options,
    binds_have_their_options,
    propagation_words_work,
    recursive_options_reach_below,
);

// crun loses them, runc 1.1 is refused by the kernel; both hand words of fstab on as data.
for_runtimes!([Dhow]; locked_flags_are_kept_in_a_user_namespace, words_of_fstab_are_accepted);

// runc 1.1 does not know it, crun ignores it.
for_runtimes!([Dhow]; nosymfollow_holds, rnosymfollow_reaches_below);

// The rivals hand it on as data, which a bind ignores.
for_runtimes!([Dhow]; an_unknown_option_of_a_bind_is_refused);
