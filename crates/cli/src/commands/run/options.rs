//! From flags to what the engine is asked.

use super::environment;
use super::flags::Container;
use crate::error::Error;
use dhow_engine::ContainerOptions;
use dhow_engine::options::{Mount, Root, SecurityOption, Ulimit};
use std::collections::BTreeMap;
use std::str::FromStr;

/// Everything that was asked, checked for form.
///
/// # Errors
/// What has the wrong form, or cannot be had together.
pub(crate) fn collect(arguments: &Container) -> Result<ContainerOptions, Error> {
    let (root, command) = root(arguments)?;
    let (process, files) = (&arguments.process, &arguments.files);
    let (limits, isolation) = (&arguments.limits, &arguments.isolation);
    Ok(ContainerOptions {
        name: arguments.name.clone(),
        command,
        entrypoint: process.entrypoint.as_deref().map(entrypoint).transpose()?,
        env: environment::collect(&process.env_file, &process.env)?,
        workdir: process.workdir.clone(),
        user: process.user.clone(),
        group_add: process.group_add.clone(),
        mounts: mounts(arguments)?,
        read_only: files.read_only,
        memory: sized("--memory", limits.memory.as_deref())?,
        memory_swap: sized("--memory-swap", limits.memory_swap.as_deref())?,
        cpus: limits.cpus.as_deref().map(str::parse).transpose()?,
        pids_limit: limits.pids_limit,
        cap_add: isolation.cap_add.clone(),
        cap_drop: isolation.cap_drop.clone(),
        security: parsed::<SecurityOption>(&isolation.security_opt)?,
        hostname: isolation.hostname.clone(),
        network: isolation
            .network
            .as_deref()
            .map(str::parse)
            .transpose()?
            .unwrap_or_default(),
        init: process.init,
        labels: labels(&process.label)?,
        ulimits: parsed::<Ulimit>(&limits.ulimit)?,
        privileged: isolation.privileged,
        userns: isolation
            .userns
            .as_deref()
            .map(str::parse)
            .transpose()?
            .unwrap_or_default(),
        tty: arguments.tty,
        interactive: arguments.interactive,
        remove: arguments.rm,
        stop_signal: process.stop_signal.clone(),
        shm_size: sized("--shm-size", files.shm_size.as_deref())?,
        ..ContainerOptions::new(root)
    })
}

fn usage(what: &str, reason: impl Into<String>) -> Error {
    Error::Usage {
        what: what.into(),
        reason: reason.into(),
    }
}

/// Root filesystem and command: the first word is the image unless there is a `--rootfs`.
fn root(arguments: &Container) -> Result<(Root, Vec<String>), Error> {
    let words = &arguments.words;
    if let Some(text) = &arguments.rootfs {
        if words.is_empty() && arguments.process.entrypoint.is_none() {
            return Err(usage(
                "--rootfs",
                "a directory says no command to run: add one, such as sh",
            ));
        }
        return Ok((text.parse()?, words.clone()));
    }
    match words.split_first() {
        Some((image, command)) if !image.is_empty() => {
            Ok((Root::Image(image.clone()), command.to_vec()))
        }
        _ => Err(usage(
            "run",
            "no image is named; try `dhow run hello`, or --rootfs DIR with a command",
        )),
    }
}

/// `--entrypoint`: a JSON list of words, one word, or nothing.
fn entrypoint(text: &str) -> Result<Vec<String>, Error> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if !text.starts_with('[') {
        return Ok(vec![text.to_owned()]);
    }
    serde_json::from_str(text).map_err(|error| {
        usage(
            "--entrypoint",
            format!("{text} is no JSON list of words ({error})"),
        )
    })
}

fn parsed<T: FromStr<Err = dhow_engine::Error>>(texts: &[String]) -> Result<Vec<T>, Error> {
    texts
        .iter()
        .map(|text| text.parse().map_err(Error::from))
        .collect()
}

/// A size, with the flag's own name in the message.
fn sized<T: FromStr>(flag: &str, text: Option<&str>) -> Result<Option<T>, Error> {
    let parse = |text: &str| {
        text.parse().map_err(|_| {
            usage(
                flag,
                format!("{text:?} is no size such as 512m or 2g (units b, k, m, g, t)"),
            )
        })
    };
    text.map(parse).transpose()
}

fn mounts(arguments: &Container) -> Result<Vec<Mount>, Error> {
    let files = &arguments.files;
    let mut mounts: Vec<Mount> = parsed(&files.mount)?;
    for text in &files.volume {
        mounts.push(Mount::from_volume(text)?);
    }
    for text in &files.tmpfs {
        mounts.push(Mount::from_tmpfs(text)?);
    }
    Ok(mounts)
}

fn labels(texts: &[String]) -> Result<BTreeMap<String, String>, Error> {
    let split = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        if name.is_empty() {
            return Err(usage(
                "--label",
                format!("{text:?} has no name before the ="),
            ));
        }
        Ok((name.to_owned(), value.to_owned()))
    };
    texts.iter().map(split).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::parse;
    use crate::commands::Command;
    use dhow_engine::options::{Network, Size};

    fn options(line: &[&str]) -> Result<ContainerOptions, String> {
        let line = ["dhow", "run"]
            .iter()
            .chain(line)
            .map(std::ffi::OsString::from);
        let cli = parse(line).map_err(|refusal| format!("{refusal:?}"))?;
        match cli.command {
            Command::Run(arguments) => {
                collect(arguments.container()).map_err(|error| error.to_string())
            }
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn everything_after_the_image_belongs_to_the_command() {
        let found = options(&["--rm", "alpine", "ls", "--rm", "-it", "--", "-x"]).unwrap();
        assert_eq!(found.root, Root::Image("alpine".into()));
        assert_eq!(found.command, ["ls", "--rm", "-it", "--", "-x"]);
        assert!(found.remove && !found.tty);
    }

    #[test]
    fn with_a_directory_every_word_belongs_to_the_command() {
        let found = options(&["-it", "--rootfs", "/:O", "sh", "-c", "true"]).unwrap();
        let root = Root::Directory {
            path: "/".into(),
            overlay: true,
        };
        assert_eq!(
            (found.root, found.command),
            (root, vec!["sh".into(), "-c".into(), "true".into()])
        );
        assert!(found.tty && found.interactive);
        assert!(
            options(&["--rootfs", "/:O"])
                .unwrap_err()
                .contains("no command")
        );
    }

    #[test]
    fn an_unknown_flag_before_the_image_is_a_mistake_not_a_command() {
        assert!(
            options(&["--no-such-flag", "alpine"])
                .unwrap_err()
                .contains("UnknownArgument")
        );
        assert!(options(&[]).unwrap_err().contains("no image"));
    }

    #[test]
    fn dockers_short_flags_and_joined_values_work() {
        let found = options(&[
            "-dit",
            "-m512m",
            "-eA=1",
            "-e",
            "B=2",
            "-uroot:root",
            "-w/w",
            "-hbox",
            "-lx=y",
            "-v/a:/b:ro",
            "--cpus=1.5",
            "--pids-limit",
            "-1",
            "--net=host",
            "x",
        ])
        .unwrap();
        assert_eq!(found.memory, Some(Size(512 << 20)));
        assert_eq!(
            found.env,
            [("A".into(), "1".into()), ("B".into(), "2".into())]
        );
        assert_eq!(
            (found.hostname.as_deref(), found.network),
            (Some("box"), Network::Host)
        );
        assert_eq!((found.pids_limit, found.mounts.len()), (Some(-1), 1));
        assert_eq!(found.labels["x"], "y");
    }

    #[test]
    fn mistakes_name_the_flag() {
        assert!(
            options(&["-m", "lots", "x"])
                .unwrap_err()
                .starts_with("--memory: \"lots\"")
        );
        assert!(
            options(&["--network", "bridge", "x"])
                .unwrap_err()
                .contains("--network bridge")
        );
        assert!(
            options(&["--label", "=v", "x"])
                .unwrap_err()
                .starts_with("--label")
        );
        assert!(
            options(&["--entrypoint", "[1]", "x"])
                .unwrap_err()
                .starts_with("--entrypoint")
        );
        assert!(
            options(&["--pull=always", "x"])
                .unwrap_err()
                .contains("registries")
        );
    }

    #[test]
    fn entry_points_are_a_word_a_list_or_nothing() {
        let of = |text| {
            options(&["--entrypoint", text, "x"])
                .unwrap()
                .entrypoint
                .unwrap()
        };
        assert_eq!(of(""), Vec::<String>::new());
        assert_eq!(of("/bin/sh"), ["/bin/sh"]);
        assert_eq!(of(r#"["a","b c"]"#), ["a", "b c"]);
    }
}
