//! Debian packages that the suite uses: real peers and the material for root filesystems.
//!
//! None is needed to build or to run dhow. A test whose peer is missing is skipped by name.

use std::process::Command;
use std::time::Duration;

use super::installed;
use crate::child;
use crate::error::Error;

const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Package and reason.
const PACKAGES: [(&str, &str); 26] = [
    ("busybox-static", "the root filesystem of most tests"),
    (
        "uidmap",
        "newuidmap and newgidmap, for rootless containers with a range of ids",
    ),
    (
        "runc",
        "the suite is run against it, so that the suite itself is tested",
    ),
    (
        "crun",
        "the suite is run against it, so that the suite itself is tested",
    ),
    (
        "podman",
        "starts containers through dhow-runtime; makes archives that dhow loads",
    ),
    ("conmon", "podman needs it"),
    ("containerd", "starts containers through dhow-runtime"),
    ("docker.io", "starts containers through dhow-runtime"),
    ("iptables", "docker and CRIU need it"),
    ("buildah", "runs its steps through dhow-runtime"),
    (
        "python3-grpcio",
        "speaks with containerd as Kubernetes does",
    ),
    ("slirp4netns", "podman's rootless network"),
    (
        "fuse-overlayfs",
        "podman's rootless storage where the kernel has no overlay for users",
    ),
    (
        "mmdebstrap",
        "makes the Debian root filesystem that tests load",
    ),
    ("umoci", "makes OCI archives that dhow loads"),
    ("skopeo", "makes OCI and docker archives that dhow loads"),
    (
        "libseccomp-dev",
        "our filters are compared with libseccomp's",
    ),
    (
        "gcc",
        "compiles the helper that asks libseccomp, and the floor of the benchmark",
    ),
    ("g++", "compiles libFuzzer, for cargo xtask fuzz"),
    ("libc6-dev", "headers and the static libc for the same"),
    ("strace", "counts and breaks system calls"),
    ("iproute2", "network devices in tests"),
    ("jq", "examples in the documents use it"),
    ("tmux", "terminals in tests"),
    ("procps", "ps and sysctl, as a peer for the verb ps"),
    ("attr", "extended attributes in layers"),
];

/// Installs what is missing when we are root on Debian; otherwise says what is missing.
///
/// # Errors
/// When `apt-get` or `dpkg-query` is there but cannot be run.
pub(super) fn install() -> Result<(), Error> {
    if !installed("dpkg-query") {
        println!("note: not a Debian system; tests whose peers are missing will be skipped");
        return Ok(());
    }
    let missing = missing()?;
    if missing.is_empty() {
        return Ok(());
    }
    if !is_root() || !installed("apt-get") {
        println!(
            "note: not root, so these packages stay missing and tests that need them are skipped:"
        );
        for name in missing {
            let why = PACKAGES
                .iter()
                .find(|(package, _)| *package == name)
                .map_or("", |(_, why)| why);
            println!("    {name}: {why}");
        }
        return Ok(());
    }
    println!("installing {}", missing.join(" "));
    if !apt(&["install"], &missing)? {
        apt(&["update"], &[])?;
        if !apt(&["install"], &missing)? {
            // One package that this release does not have must not keep the others away.
            for name in &missing {
                if !apt(&["install"], &[name])? {
                    println!("note: cannot install {name}; tests that need it are skipped");
                }
            }
        }
    }
    Ok(())
}

fn missing() -> Result<Vec<&'static str>, Error> {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${Package} ${db:Status-Status}\n"]);
    let listed = child::run(query, LIMIT)?.output;
    let there = |name: &str| {
        listed
            .lines()
            .any(|line| line == format!("{name} installed"))
    };
    Ok(PACKAGES
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !there(name))
        .collect())
}

fn apt(verb: &[&str], names: &[&str]) -> Result<bool, Error> {
    let mut apt = Command::new("apt-get");
    apt.args([
        "-qq",
        "-y",
        "--no-install-recommends",
        "-o",
        "DPkg::Lock::Timeout=600",
    ]);
    apt.args(verb)
        .args(names)
        .env("DEBIAN_FRONTEND", "noninteractive");
    Ok(child::run(apt, LIMIT)?.success())
}

fn is_root() -> bool {
    let mut id = Command::new("id");
    id.arg("-u");
    child::output_of(id, LIMIT).is_ok_and(|output| output.trim() == "0")
}
