//! What docker and podman have and dhow does not have yet: refused by name, with what to use instead.
//!
//! An option that is silently ignored is worse than one that is missing. When one of these is built,
//! its line here goes.

const NETWORK: &str =
    "containers have no virtual network yet; --network host shares the host's ports and names";
const LIMIT: &str =
    "the limits dhow sets are --memory, --memory-swap, --cpus, --pids-limit and --ulimit";
const NAMESPACE: &str =
    "each container has its own; only --network host and --userns host share one";
const HEALTH: &str = "run the check yourself with `dhow exec`";
const RESTART: &str = "let a systemd unit run `dhow run --rm` with Restart=";
const DEVICE: &str =
    "containers get the standard devices only; --privileged gives all of the host's";
const LOG: &str = "logs are kept in a file; read them with `dhow logs`";
const IMAGE: &str = "images of this host's platform are loaded with `dhow load`";
const REGISTRY: &str =
    "load an archive instead: `docker save IMAGE | dhow load`, or podman save, or skopeo copy";
const FILTER: &str = "use --format=json and a JSON tool such as jq";
const FILES: &str = "share a directory with -v, or use `dhow exec` with cat or tar";
const BUILD: &str = "build with another tool, save to an archive, and `dhow load` it";
const PLAIN: &str = "there is no other way to get it yet";

/// Options by their names, with what to do instead.
const OPTIONS: &[(&[&str], &str)] = &[
    (
        &[
            "--publish",
            "-p",
            "--publish-all",
            "-P",
            "--expose",
            "--ip",
            "--ip6",
            "--mac-address",
            "--network-alias",
            "--net-alias",
            "--link",
            "--link-local-ip",
            "--dns",
            "--dns-option",
            "--dns-opt",
            "--dns-search",
            "--add-host",
            "--hosts-file",
            "--no-hosts",
            "--domainname",
        ],
        NETWORK,
    ),
    (
        &[
            "--cpu-shares",
            "-c",
            "--cpu-quota",
            "--cpu-period",
            "--cpu-rt-period",
            "--cpu-rt-runtime",
            "--cpuset-cpus",
            "--cpuset-mems",
            "--memory-reservation",
            "--memory-swappiness",
            "--kernel-memory",
            "--blkio-weight",
            "--blkio-weight-device",
            "--device-read-bps",
            "--device-write-bps",
            "--device-read-iops",
            "--device-write-iops",
            "--oom-kill-disable",
            "--oom-score-adj",
            "--cgroup-parent",
            "--cgroup-conf",
            "--cgroups",
            "--storage-opt",
        ],
        LIMIT,
    ),
    (
        &[
            "--pid",
            "--ipc",
            "--uts",
            "--cgroupns",
            "--uidmap",
            "--gidmap",
            "--subuidname",
            "--subgidname",
        ],
        NAMESPACE,
    ),
    (
        &[
            "--health-cmd",
            "--health-interval",
            "--health-retries",
            "--health-start-period",
            "--health-start-interval",
            "--health-timeout",
            "--no-healthcheck",
            "--health-on-failure",
        ],
        HEALTH,
    ),
    (&["--restart"], RESTART),
    (
        &["--device", "--device-cgroup-rule", "--gpus", "--rdt-class"],
        DEVICE,
    ),
    (&["--log-driver", "--log-opt"], LOG),
    (&["--platform", "--arch", "--os", "--variant"], IMAGE),
    (
        &["--filter", "--sort", "--last", "--latest", "--size"],
        FILTER,
    ),
    (
        &[
            "--attach",
            "-a",
            "--cidfile",
            "--env-host",
            "--unsetenv",
            "--unsetenv-all",
            "--env-merge",
            "--label-file",
            "--volumes-from",
            "--volume-driver",
            "--stop-timeout",
            "--sysctl",
            "--pod",
            "--replace",
            "--requires",
            "--rmi",
            "--secret",
            "--systemd",
            "--sdnotify",
            "--timeout",
            "--tz",
            "--umask",
            "--passwd",
            "--passwd-entry",
            "--group-entry",
            "--image-volume",
            "--isolation",
            "--preserve-fds",
            "--preserve-fd",
            "--authfile",
            "--tls-verify",
            "--read-only-tmpfs",
            "--chrootdirs",
            "--hostuser",
            "--http-proxy",
            "--init-path",
            "--no-hostname",
            "--personality",
            "--retry",
            "--retry-delay",
            "--conmon-pidfile",
            "--pidfile",
            "--disable-content-trust",
        ],
        PLAIN,
    ),
];

/// Commands by their names, with what to do instead.
const COMMANDS: &[(&[&str], &str)] = &[
    (
        &["pull", "push", "login", "logout", "search", "manifest"],
        REGISTRY,
    ),
    (&["build", "buildx", "commit", "import"], BUILD),
    (&["cp", "export", "diff"], FILES),
    (
        &[
            "stats",
            "top",
            "events",
            "port",
            "rename",
            "update",
            "pause",
            "unpause",
            "container",
        ],
        PLAIN,
    ),
    (
        &[
            "save", "tag", "rmi", "history", "image", "prune", "system", "info",
        ],
        PLAIN,
    ),
    (
        &[
            "network", "compose", "volume", "pod", "secret", "swarm", "service", "kube",
        ],
        PLAIN,
    ),
    (
        &["restart"],
        "`dhow stop` and `dhow start` do it in two steps",
    ),
];

/// The words for an option as it stood on the command line, when it is one of these.
pub(crate) fn option(text: &str) -> Option<(String, &'static str)> {
    let name = text.split('=').next().unwrap_or(text);
    look_up(OPTIONS, name)
}

/// The words for a command, when it is one of these.
pub(crate) fn command(text: &str) -> Option<(String, &'static str)> {
    look_up(COMMANDS, text).map(|(name, instead)| (format!("the command {name}"), instead))
}

/// A short option is named with the long one that it stands behind in the table.
fn look_up(
    table: &'static [(&[&str], &'static str)],
    name: &str,
) -> Option<(String, &'static str)> {
    let (names, instead) = table.iter().find(|(names, _)| names.contains(&name))?;
    let place = names.iter().position(|other| *other == name)?;
    let long = names[..place]
        .last()
        .filter(|_| name.starts_with('-') && !name.starts_with("--"));
    let shown = long.map_or_else(|| name.to_owned(), |long| format!("{long} ({name})"));
    Some((shown, instead))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_both_here_and_refused() {
        let grammar = crate::arguments::command();
        for (names, _) in COMMANDS {
            for name in *names {
                assert!(
                    grammar.find_subcommand(name).is_none(),
                    "{name} exists: remove it here"
                );
            }
        }
        let run = grammar.find_subcommand("run").unwrap();
        let known: Vec<String> = run
            .get_arguments()
            .flat_map(|argument| {
                let long = argument.get_long_and_visible_aliases().unwrap_or_default();
                let short = argument.get_short().map(|letter| format!("-{letter}"));
                long.into_iter()
                    .map(|name| format!("--{name}"))
                    .chain(short)
                    .collect::<Vec<_>>()
            })
            .collect();
        for (names, _) in OPTIONS {
            for name in *names {
                assert!(
                    !known.iter().any(|own| own == name),
                    "{name} exists: remove it here"
                );
            }
        }
    }

    #[test]
    fn a_value_does_not_hide_the_option() {
        assert!(option("--restart=always").is_some());
        assert_eq!(option("-p").unwrap().0, "--publish (-p)");
        assert!(option("--no-such").is_none());
        assert!(command("pull").unwrap().0.contains("the command pull"));
    }
}
