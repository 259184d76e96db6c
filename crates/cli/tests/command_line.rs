//! The built program as a user meets it, without any container: text, streams and exit codes.
//!
//! What containers do is tested by the integration suite; here stands only what the command line
//! promises by itself.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A root of our own, so that nothing touches the user's store; removed at the end.
struct Own(PathBuf);

impl Own {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dhow-cli-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).expect("a directory of our own");
        Self(path)
    }

    fn dhow(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dhow"));
        command
            .args(arguments)
            .env("DHOW_ROOT", self.0.join("root"))
            .env("DHOW_RUN", self.0.join("run"))
            // Looked for before anything else, and never started here: this package builds neither.
            .env("DHOW_RUNTIME", env!("CARGO_BIN_EXE_dhow-hello"))
            .env("DHOW_MONITOR", env!("CARGO_BIN_EXE_dhow-hello"))
            .env_remove("CLICOLOR_FORCE")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.dhow(arguments).output().expect("dhow starts")
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn help_and_version_go_to_standard_output_and_succeed() {
    let own = Own::new("help");
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["run", "--help"],
        &["ps", "-h"],
    ] {
        let output = own.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(
            !output.stdout.is_empty() && output.stderr.is_empty(),
            "{arguments:?}"
        );
    }
    assert_eq!(
        text(&own.run(&["--version"]).stdout),
        concat!("dhow ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn mistakes_go_to_standard_error_with_125() {
    let own = Own::new("mistakes");
    let cases: [(&[&str], &str); 6] = [
        (&[], "Usage"),
        (&["frobnicate"], "unrecognized subcommand"),
        (&["run"], "no image is named"),
        (&["run", "--frob", "x"], "unexpected argument '--frob'"),
        (
            &["run", "-p", "80:80", "x"],
            "--publish (-p) is not in dhow yet",
        ),
        (&["pull", "x"], "dhow load"),
    ];
    for (arguments, message) in cases {
        let output = own.run(arguments);
        assert_eq!(output.status.code(), Some(125), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let said = text(&output.stderr);
        assert!(said.contains(message), "{arguments:?}: {said}");
        assert!(!said.contains('\x1b'), "colour in a pipe: {said:?}");
    }
}

#[test]
fn no_terminal_is_no_reason_to_hang() {
    let own = Own::new("terminal");
    let output = own.run(&["run", "-it", "hello"]);
    assert_eq!(output.status.code(), Some(125));
    assert!(text(&output.stderr).contains("standard input is no terminal"));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let own = Own::new("pipe");
    for arguments in [&["completion", "bash"][..], &["--help"]] {
        let mut child = own
            .dhow(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn completions_and_manual_pages_are_made_from_the_grammar() {
    let own = Own::new("man");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = text(&own.run(&["completion", shell]).stdout);
        assert!(script.contains("pids-limit"), "{shell}");
    }
    let pages = own.0.join("man");
    std::fs::create_dir(&pages).unwrap();
    let output = own.run(&["__man", pages.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let page = std::fs::read_to_string(pages.join("dhow-run.1")).unwrap();
    assert!(page.contains("pids\\-limit"));
    let output = own.run(&["__man", "/nonexistent/place"]);
    assert_eq!(output.status.code(), Some(125));
    assert!(text(&output.stderr).contains("cannot write to /nonexistent/place"));
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;

    #[test]
    fn an_image_that_is_not_here_is_told_with_the_ways_to_get_it() {
        let own = Own::new("image");
        for arguments in [
            &["run", "alpine"][..],
            &["create", "alpine"],
            &["inspect", "--type=image", "alpine"],
        ] {
            let output = own.run(arguments);
            assert_eq!(output.status.code(), Some(125), "{arguments:?}");
            let said = text(&output.stderr);
            assert!(
                said.contains("alpine") && said.contains("| dhow load"),
                "{arguments:?}: {said}"
            );
        }
        let output = own.run(&["load", "--input", "/nonexistent.tar"]);
        let said = text(&output.stderr);
        assert!(!said.contains("registries"), "{said}");
        assert_eq!(said.matches("No such file").count(), 1, "{said}");
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let own = Own::new("full");
        let output = own
            .dhow(&["completion", "bash"])
            .stdout(full)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(125));
        assert!(text(&output.stderr).starts_with("error: cannot write the output\n  caused by: "));
    }

    #[test]
    fn doctor_reports_as_json_and_leaves_nothing_behind() {
        let own = Own::new("doctor");
        let output = own.run(&["doctor", "--format=json"]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let runs = report["containers_run"].as_bool().unwrap();
        assert_eq!(output.status.code(), Some(i32::from(!runs)));
        let checks = report["checks"].as_array().unwrap();
        for check in checks {
            let well = check["status"] == "ok";
            assert_eq!(well, check.get("fix").is_none(), "{check}");
            assert_eq!(well, check.get("cost").is_none(), "{check}");
        }
        let overlay = checks
            .iter()
            .find(|check| check["name"] == "overlay without root")
            .unwrap();
        assert!(
            !overlay["detail"].as_str().unwrap().starts_with("not tried"),
            "{overlay}"
        );
        let left: Vec<_> = std::fs::read_dir(&own.0).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        let output = own.run(&["doctor"]);
        assert!(text(&output.stdout).contains("\nlimits\n"));
    }

    #[test]
    fn hello_fits_on_a_small_terminal() {
        let output = Command::new(env!("CARGO_BIN_EXE_dhow-hello"))
            .output()
            .unwrap();
        let page = text(&output.stdout);
        assert!(page.starts_with("Hello from dhow."));
        assert!(page.lines().count() <= 25, "{page}");
        assert!(
            page.lines().all(|line| line.chars().count() <= 80),
            "{page}"
        );
        assert!(!page.contains('\x1b'));
    }
}
