//! S-SECTAB: every system call number from 0 to 600, through the three interfaces of an x86 kernel, in
//! a container with the engine's default filter. The kernel's answer is compared with the profile
//! read literally, name by name, with the numbers of the C library's headers: neither our table of
//! numbers nor our compiler is asked.

use dhow_tests::{Dhow, Test, for_runtimes, needs, program};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const NUMBERS: std::ops::Range<u32> = 0..601;
const ENOSYS: u64 = 38;

/// Calls newer than the headers of the oldest host that runs this, the same on both interfaces.
const NEWER: [(u32, &str); 21] = [
    (451, "cachestat"),
    (452, "fchmodat2"),
    (453, "map_shadow_stack"),
    (454, "futex_wake"),
    (455, "futex_wait"),
    (456, "futex_requeue"),
    (457, "statmount"),
    (458, "listmount"),
    (459, "lsm_get_self_attr"),
    (460, "lsm_set_self_attr"),
    (461, "lsm_list_modules"),
    (462, "mseal"),
    (463, "setxattrat"),
    (464, "getxattrat"),
    (465, "listxattrat"),
    (466, "removexattrat"),
    (467, "open_tree_attr"),
    (468, "file_getattr"),
    (469, "file_setattr"),
    (470, "listns"),
    (471, "rseq_slice_yield"),
];

/// Names by number, as the C library's header has them.
fn names(header: &str) -> BTreeMap<u32, String> {
    let words = ["-E", "-dM", "-include", header, "-x", "c", "/dev/null"];
    let output = Command::new("cc").args(words).output().expect("run cc");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let define = |line: &str| {
        let (name, number) = line.strip_prefix("#define __NR_")?.split_once(' ')?;
        Some((number.parse().ok()?, name.to_owned()))
    };
    let mut names: BTreeMap<u32, String> = text.lines().filter_map(define).collect();
    assert!(names.len() > 300, "{header} has {} names", names.len());
    names.extend(NEWER.map(|(number, name)| (number, name.to_owned())));
    names
}

/// Whether a rule holds for a call whose arguments are all 0.
fn holds(rule: &Value) -> bool {
    let conditions = rule["args"].as_array().map_or(&[][..], Vec::as_slice);
    conditions
        .iter()
        .all(|condition| match condition["op"].as_str() {
            Some("SCMP_CMP_EQ") => condition["value"] == 0,
            Some("SCMP_CMP_MASKED_EQ") => condition["valueTwo"].as_u64().unwrap_or(0) == 0,
            other => panic!("a condition that this test does not read: {other:?}"),
        })
}

fn names_it(rule: &Value, name: &str) -> bool {
    let names = rule["names"].as_array().expect("a list");
    names.iter().any(|known| known == name)
}

/// What the profile says: 0 for open, else the errno.
fn expected(profile: &Value, names: &BTreeMap<u32, String>, number: u32) -> u64 {
    let rules = profile["syscalls"].as_array().expect("a list");
    let is_named = |name: &String| rules.iter().any(|rule| names_it(rule, name));
    let newest = names.iter().rev().find(|(_, name)| is_named(name));
    if newest.is_some_and(|(newest, _)| number > *newest) {
        return ENOSYS;
    }
    let default = profile["defaultErrnoRet"].as_u64().expect("a number");
    let Some(name) = names.get(&number) else {
        return default;
    };
    let rule = rules
        .iter()
        .find(|rule| names_it(rule, name) && holds(rule));
    rule.map_or(default, |rule| match rule["action"].as_str() {
        Some("SCMP_ACT_ALLOW") => 0,
        Some("SCMP_ACT_ERRNO") => rule["errnoRet"].as_u64().unwrap_or(1),
        other => panic!("an action that this test does not read: {other:?}"),
    })
}

/// The filter that the engine asked the runtime for.
fn profile(dhow: &Dhow<'_>) -> Value {
    dhow.run(&["-d"], &["/bin/sleep", "1000"]).run().ok();
    let containers = fs::read_dir(dhow.store().join("containers")).expect("list");
    let paths = containers.flatten().map(|entry| entry.path());
    let configs = paths.filter_map(|path| find(&path, "config.json"));
    let config = configs.last().expect("a bundle");
    let config: Value = serde_json::from_slice(&fs::read(config).expect("read")).expect("JSON");
    config["linux"]["seccomp"].clone()
}

fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    let mut entries = fs::read_dir(directory).ok()?.flatten();
    entries.find_map(|entry| {
        let path = entry.path();
        match path.is_dir() {
            true => find(&path, name),
            false => path.ends_with(name).then_some(path),
        }
    })
}

/// The program's lines for one interface, by number.
fn answers(text: &str, interface: &str) -> BTreeMap<u32, String> {
    let line = |line: &str| {
        let mut words = line.split(' ');
        (words.next() == Some(interface)).then_some(())?;
        Some((words.next()?.parse().ok()?, words.next()?.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

fn every_number_through_every_interface(test: &Test) {
    needs!(test, root, busybox, cc);
    if !cfg!(target_arch = "x86_64") {
        return test.skip("needs an x86 machine");
    }
    let source = include_str!("../../../src/rig/numbers.c");
    let program = match program::compile(&test.root().join("out"), "numbers", source) {
        Ok(program) => program,
        Err(reason) => return test.skip(&reason),
    };
    let dhow = Dhow::new(test);
    let profile = profile(&dhow);
    fs::copy(program, dhow.rootfs().join("bin/numbers")).expect("copy");
    let text = dhow.run(&["--rm"], &["/bin/numbers"]).run().ok().stdout();
    let mut different = Vec::new();
    for (interface, header) in [("x86_64", "asm/unistd_64.h"), ("i386", "asm/unistd_32.h")] {
        let (names, found) = (names(header), answers(&text, interface));
        // All but those that would end the program that asks.
        assert!(found.len() + 4 >= NUMBERS.count(), "{interface}");
        for (number, answer) in found {
            let expected = expected(&profile, &names, number).to_string();
            if answer != expected {
                let name = names.get(&number);
                different.push(format!(
                    "{interface} {number} {name:?}: {answer}, not {expected}"
                ));
            }
        }
    }
    assert!(different.is_empty(), "{different:#?}");
    // x32 is no interface of the profile: whoever calls through it is ended.
    let x32 = answers(&text, "x32");
    assert!(x32.len() + 4 >= NUMBERS.count());
    let alive: Vec<_> = x32
        .iter()
        .filter(|(_, answer)| *answer != "killed")
        .collect();
    assert!(alive.is_empty(), "{alive:?}");
}

for_runtimes!([Dhow]; every_number_through_every_interface);
