//! S-AF (the kernel's CVE-2026-31431 among others): a socket of a family that no container needs is
//! a way into old or privileged parts of the kernel. Every family is asked for in a container with
//! the engine's default filter, through both interfaces of the machine.

use dhow_tests::{Dhow, Test, for_runtimes, needs, program};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Families 0 to 45, all that Linux has (`linux/socket.h`).
const FAMILIES: std::ops::Range<u32> = 0..46;

/// Open to everybody: unix, inet, inet6, netlink, packet, can, smc, xdp.
const OPEN: [u32; 8] = [1, 2, 10, 16, 17, 29, 43, 44];

/// With CAP_NET_ADMIN also: key, rds, pppox, mpls, tipc, bluetooth, rxrpc, ieee802154, nfc, kcm,
/// qipcrtr, mctp.
const OPEN_TO_ADMIN: [u32; 12] = [15, 21, 24, 28, 30, 31, 33, 36, 39, 41, 42, 45];

const ALG: u32 = 38;
const VSOCK: u32 = 40;
const EPERM: i64 = 1;
const ENOSYS: i64 = 38;

/// With CAP_NET_RAW the kernel itself refuses none of the open ones by EPERM, which then only the
/// filter says.
const RAW: [&str; 2] = ["--cap-add", "NET_RAW"];
const ADMIN: [&str; 4] = ["--cap-add", "NET_RAW", "--cap-add", "NET_ADMIN"];

/// What the filter must say: nothing to the open ones, EPERM to all others.
fn compare(found: &BTreeMap<u32, i64>, open: &[u32]) {
    let is_shut = |family: &u32| found.get(family) == Some(&EPERM);
    let wrong: Vec<_> = FAMILIES
        .filter(|family| is_shut(family) == open.contains(family))
        .map(|family| (family, found.get(&family)))
        .collect();
    assert!(wrong.is_empty(), "family and errno: {wrong:?}");
    assert!(is_shut(&ALG) && is_shut(&VSOCK));
}

fn opened_to_admin() -> Vec<u32> {
    [&OPEN[..], &OPEN_TO_ADMIN].concat()
}

/// The errno of each family through the machine's own interface; 0 for a socket.
fn native(dhow: &Dhow<'_>, options: &[&str]) -> BTreeMap<u32, i64> {
    let numbers: Vec<String> = FAMILIES.map(|family| family.to_string()).collect();
    let mut words = vec!["/bin/probe", "sockets"];
    words.extend(numbers.iter().map(String::as_str));
    let options = [&["--rm"], options].concat();
    let answer: Value = dhow.run(&options, &words).run().ok().json();
    let errno = |family: u32| answer[family.to_string()]["errno"].as_i64().unwrap_or(0);
    FAMILIES.map(|family| (family, errno(family))).collect()
}

fn every_family(test: &Test) {
    needs!(test, root, busybox);
    let dhow = Dhow::new(test);
    compare(&native(&dhow, &RAW), &OPEN);
    compare(&native(&dhow, &ADMIN), &opened_to_admin());
    let unconfined = [&ADMIN[..], &["--security-opt", "seccomp=unconfined"]].concat();
    let without = native(&dhow, &unconfined);
    // It was the filter that said so: without it the kernel has its own answers.
    let shut = FAMILIES.filter(|family| without[family] == EPERM).count();
    assert_eq!(shut, 0, "{without:?}");
}

/// The lines that the 32-bit program printed, by call and family.
fn answers(text: &str, call: &str) -> BTreeMap<u32, i64> {
    let line = |line: &str| {
        let mut words = line.split(' ');
        (words.next() == Some(call)).then_some(())?;
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

/// The program, or why this machine has none.
fn program_of_32_bits(test: &Test) -> Result<std::path::PathBuf, String> {
    if !cfg!(target_arch = "x86_64") {
        return Err("needs an x86 machine".to_owned());
    }
    let source = include_str!("../../../src/rig/socket32.c");
    let program = program::compile(&test.root().join("out"), "socket32", source)?;
    let output = test.command(&[&program]).run();
    let runs = output.code == Some(0) && !answers(&output.stdout(), "socketcall").is_empty();
    runs.then_some(program)
        .ok_or("needs the 32-bit interface of x86".to_owned())
}

fn every_family_through_the_32_bit_interface(test: &Test) {
    needs!(test, root, busybox);
    let program = match program_of_32_bits(test) {
        Ok(program) => program,
        Err(reason) => return test.skip(&reason),
    };
    let dhow = Dhow::new(test);
    let inside = Path::new("bin/socket32");
    fs::copy(program, dhow.rootfs().join(inside)).expect("copy");
    for (options, open) in [(&RAW[..], OPEN.to_vec()), (&ADMIN, opened_to_admin())] {
        let options = [&["--rm"], options].concat();
        let text = dhow.run(&options, &["/bin/socket32"]).run().ok().stdout();
        compare(&answers(&text, "socket"), &open);
        // The old door is shut to all: it would lead past every rule about families.
        let door = answers(&text, "socketcall");
        assert_eq!(door.len(), FAMILIES.count());
        assert!(door.values().all(|errno| *errno == ENOSYS), "{door:?}");
    }
}

for_runtimes!([Dhow]; every_family, every_family_through_the_32_bit_interface);
