//! Without root: as a user without id ranges, and as one who has some.
//!
//! The test itself is root; the command line tool is run as the other user, because a process cannot
//! become one for a while.

use super::rig::Rig;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The user whom nobody ever gives ranges.
const NOBODY: u32 = 65534;

struct User {
    uid: u32,
    home: PathBuf,
    programs: PathBuf,
    root: PathBuf,
}

impl User {
    fn new(rig: &Rig, uid: u32) -> Self {
        let home = rig.directory.join(format!("home-{uid}"));
        let programs = rig.directory.join("programs");
        std::fs::create_dir_all(home.join("run")).unwrap();
        std::fs::create_dir_all(&programs).unwrap();
        for path in [&home, &home.join("run")] {
            chown(path, Some(uid), Some(uid)).unwrap();
        }
        std::fs::set_permissions(&rig.directory, PermissionsExt::from_mode(0o755)).unwrap();
        // What the user's containers may change must be his.
        let entries = ["", "bin", "etc", "bin/busybox", "etc/passwd"];
        for entry in entries {
            chown(
                rig.directory.join("rootfs").join(entry),
                Some(uid),
                Some(uid),
            )
            .unwrap();
        }
        // The build's directory need not be open to others.
        let built = rig.engine.config().monitor.parent().unwrap().to_path_buf();
        for name in ["dhow", "dhow-monitor", "dhow-runtime", "dhow-init"] {
            if !programs.join(name).exists() {
                std::fs::copy(built.join(name), programs.join(name)).unwrap();
            }
        }
        Self {
            uid,
            home,
            programs,
            root: rig.directory.join("rootfs"),
        }
    }

    fn dhow(&self, words: &[&str]) -> Output {
        let output = Command::new(self.programs.join("dhow"))
            .args(words)
            // Supplementary groups go with root's id.
            .uid(self.uid)
            .gid(self.uid)
            .env_clear()
            .env("HOME", &self.home)
            .env("XDG_RUNTIME_DIR", self.home.join("run"))
            .current_dir("/")
            .output()
            .unwrap();
        println!("{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Runs a line of shell over a view of the root filesystem.
    fn shell(&self, options: &[&str], line: &str) -> (i32, String) {
        let root = format!("{}:O", self.root.display());
        let mut words = vec!["run", "--rm"];
        words.extend(options);
        words.extend(["--rootfs", root.as_str(), "/bin/sh", "-ec", line]);
        let output = self.dhow(&words);
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), text)
    }

    /// What is left of containers.
    fn left(&self) -> Vec<PathBuf> {
        let data = self.home.join(".local/share/dhow");
        let run = self.home.join("run/dhow");
        [
            data.join("containers"),
            data.join("container-names"),
            data.join("roots"),
            run.join("containers"),
            run.join("runtime"),
        ]
        .iter()
        .flat_map(|path| std::fs::read_dir(path).into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .collect()
    }
}

/// A user with ranges in both files.
fn user_with_ranges() -> Option<u32> {
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let passwd = text("/etc/passwd");
    let groups = text("/etc/subgid");
    text("/etc/subuid").lines().find_map(|line| {
        let name = line.split(':').next()?;
        let has_groups = groups
            .lines()
            .any(|line| line.split(':').next() == Some(name));
        let entry = passwd
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let uid = entry.split(':').nth(2)?.parse().ok()?;
        (has_groups && Path::new("/usr/bin/newuidmap").exists()).then_some(uid)
    })
}

#[test]
fn a_user_without_ranges_has_one_id() {
    let Some(rig) = Rig::new() else { return };
    let user = User::new(&rig, NOBODY);
    let (code, text) = user.shell(&[], "cat /proc/self/uid_map; touch /new; id -u; exit 4");
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!((code, words), (4, vec!["0", "65534", "1", "0"]));
    let (code, _) = user.shell(&["--user", "33"], "true");
    assert_eq!(code, 125);
    let output = user.dhow(&["run", "--rm", "--memory", "64m", "--rootfs", "/:O", "true"]);
    assert_eq!(output.status.code(), Some(125));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("linux.resources.memory") && text.contains("hint:"),
        "{text}"
    );
    assert_eq!(user.left(), Vec::<PathBuf>::new());
}

#[test]
fn the_host_s_root_as_a_throw_away_view() {
    let Some(rig) = Rig::new() else { return };
    let user = User::new(&rig, NOBODY);
    let mark = format!("/usr/dhow-test-{}", std::process::id());
    let line = format!("touch {mark}; ls {mark}; id -u");
    let output = user.dhow(&["run", "--rm", "--rootfs", "/:O", "/bin/sh", "-ec", &line]);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        format!("{mark}\n0\n")
    );
    assert!(!Path::new(&mark).exists());
    assert_eq!(user.left(), Vec::<PathBuf>::new());
}

#[test]
fn a_user_with_ranges_has_many_ids_and_cleans_up_after_all_of_them() {
    let Some(rig) = Rig::new() else { return };
    let Some(uid) = user_with_ranges() else {
        super::rig::skip("no user has ranges in /etc/subuid and /etc/subgid");
        return;
    };
    let user = User::new(&rig, uid);
    let line = "id -u; mkdir /deep; touch /deep/file; chown -R 7:7 /deep; chmod 700 /deep";
    let (code, text) = user.shell(&["--cap-add", "CHOWN"], line);
    assert_eq!((code, text.as_str()), (0, "0\n"));
    let (code, text) = user.shell(&["--user", "web"], "id -u; id -g");
    assert_eq!((code, text.as_str()), (0, "33\n34\n"));
    let own = uid.to_string();
    let (code, text) = user.shell(&["--userns", "keep-id", "--user", &own], "id -u");
    assert_eq!((code, text.trim()), (0, own.as_str()));
    assert_eq!(user.left(), Vec::<PathBuf>::new());
}
