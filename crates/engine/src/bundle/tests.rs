//! The document as data.

use super::*;
use crate::idmap::Range;
use crate::options::{Mount, Root};

struct Case {
    options: ContainerOptions,
    image: ImageDefaults,
    root: RootFilesystem,
    identity: Identity,
    maps: Option<Maps>,
    host: Host,
    sources: Vec<Source>,
}

impl Case {
    fn new() -> Self {
        let mut options = ContainerOptions::new(Root::Image("x".into()));
        options.command = vec!["run".into()];
        Self {
            options,
            image: ImageDefaults::default(),
            root: RootFilesystem::Overlay(vec!["lowerdir=/l".into()]),
            identity: Identity::default(),
            maps: None,
            host: Host {
                limits_processes: true,
                cgroup: Some("/dhow/x".into()),
                processors: vec![0, 3],
                ..Host::default()
            },
            sources: Vec::new(),
        }
    }

    fn try_compose(&self) -> Result<Value> {
        let options = &self.options;
        let chosen = capabilities::choose(
            options.privileged,
            &options.cap_add,
            &options.cap_drop,
            &|_| true,
        )?;
        compose(&Request {
            id: "0123456789abcdef",
            options,
            image: &self.image,
            root: &self.root,
            identity: &self.identity,
            capabilities: &chosen,
            maps: self.maps.as_ref(),
            host: &self.host,
            directory: Path::new("/c"),
            generated: &["hosts"],
            sources: &self.sources,
            init: None,
            seccomp: None,
        })
    }

    fn compose(&self) -> Value {
        self.try_compose().expect("valid")
    }
}

fn destinations(config: &Value) -> Vec<&str> {
    let mounts = config["mounts"].as_array().expect("mounts");
    mounts
        .iter()
        .filter_map(|mount| mount["destination"].as_str())
        .collect()
}

fn options_at<'a>(config: &'a Value, target: &str) -> Vec<&'a str> {
    let mounts = config["mounts"].as_array().expect("mounts");
    let mount = mounts.iter().find(|mount| mount["destination"] == target);
    let options = mount.expect(target)["options"].as_array().expect("options");
    options.iter().filter_map(Value::as_str).collect()
}

fn kinds(config: &Value) -> Vec<&str> {
    let all = config["linux"]["namespaces"]
        .as_array()
        .expect("namespaces");
    all.iter().filter_map(|one| one["type"].as_str()).collect()
}

#[test]
fn hardened_unless_asked_otherwise() {
    let config = Case::new().compose();
    let process = &config["process"];
    assert_eq!(process["noNewPrivileges"], true);
    assert_eq!(
        process["capabilities"]["effective"]
            .as_array()
            .map(Vec::len),
        Some(11)
    );
    assert!(process["capabilities"].get("inheritable").is_none());
    assert_eq!(
        process["rlimits"],
        json!([{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}])
    );
    let linux = &config["linux"];
    assert_eq!(linux["resources"]["pids"]["limit"], 2048);
    assert_eq!(
        linux["resources"]["devices"],
        json!([{"allow": false, "access": "rwm"}])
    );
    assert!(linux["seccomp"].is_object());
    let masked = linux["maskedPaths"].as_array().expect("masked");
    for path in [
        "/proc/kcore",
        "/sys/firmware",
        "/sys/devices/system/cpu/cpu3/thermal_throttle",
    ] {
        assert!(masked.contains(&json!(path)), "{path}");
    }
    assert!(options_at(&config, "/sys").contains(&"ro"));
    assert!(options_at(&config, "/sys/fs/cgroup").contains(&"ro"));
    assert_eq!(
        kinds(&config),
        ["pid", "ipc", "uts", "mount", "cgroup", "network"]
    );
    assert_eq!(config["hostname"], "0123456789ab");
}

#[test]
fn the_root_is_the_first_mount_and_parents_come_before_children() {
    let mut case = Case::new();
    case.options.mounts = vec![
        Mount::from_tmpfs("/a/b/c").expect("tmpfs"),
        Mount::from_tmpfs("/dev/shm:size=1m").expect("tmpfs"),
        Mount::from_tmpfs("/a").expect("tmpfs"),
    ];
    case.sources = vec![Source::Nothing; 3];
    let config = case.compose();
    let all = destinations(&config);
    assert_eq!(all[0], "/");
    let at = |target: &str| all.iter().position(|one| *one == target).expect(target);
    assert!(at("/a") < at("/a/b/c") && at("/proc") < at("/a"));
    // The user's takes the place of ours.
    assert_eq!(all.iter().filter(|one| **one == "/dev/shm").count(), 1);
    assert!(options_at(&config, "/dev/shm").contains(&"size=1048576"));
    case.options.mounts[0] = Mount::from_tmpfs("/a").expect("tmpfs");
    let error = case.try_compose().expect_err("twice");
    assert!(error.to_string().contains("twice"), "{error}");
}

#[test]
fn a_user_namespace_changes_what_can_be_mounted() {
    let mut case = Case::new();
    case.maps = Some(Maps::of_user(1000, 1000, &[(100_000, 3)], &[(100_000, 3)]));
    case.options.network = Network::Host;
    case.options.privileged = true;
    case.host.devices = vec![Device {
        path: "/dev/fuse".into(),
        block: false,
        number: (10, 229),
        mode: 0o666,
    }];
    let config = case.compose();
    // Group 5 has no place in three ids, sysfs shows another's network, and no device can be made.
    assert!(!options_at(&config, "/dev/pts").contains(&"gid=5"));
    assert!(options_at(&config, "/sys").contains(&"rbind"));
    assert_eq!(config["linux"]["devices"], json!([]));
    assert_eq!(
        config["linux"]["uidMappings"][1],
        json!(Range {
            container: 1,
            host: 100_000,
            size: 3
        })
    );
    assert_eq!(
        config["linux"]["uidMappings"][0],
        json!({"containerID": 0, "hostID": 1000, "size": 1})
    );
    assert!(kinds(&config).contains(&"user") && !kinds(&config).contains(&"network"));
}

#[test]
fn privileged_takes_the_walls_away() {
    let mut case = Case::new();
    case.options.privileged = true;
    let config = case.compose();
    assert_eq!(config["linux"]["maskedPaths"], json!([]));
    assert_eq!(config["linux"]["readonlyPaths"], json!([]));
    assert!(config["linux"].get("seccomp").is_none());
    assert_eq!(config["process"]["noNewPrivileges"], false);
    assert_eq!(config["linux"]["resources"]["devices"][0]["allow"], true);
}

#[test]
fn an_image_never_widens_anything() {
    let mut case = Case::new();
    let env = [
        "AWS_SECRET",
        "*",
        "=x",
        "A",
        "",
        "GOOD=1",
        "B\0=2",
        "C=3\0",
        "GOOD=2",
    ];
    case.image.env = env.map(str::to_owned).to_vec();
    case.image.workdir = "../etc".into();
    case.options.env = vec![("HOME".into(), "/mine".into())];
    let config = case.compose();
    let env: Vec<&str> = config["process"]["env"]
        .as_array()
        .expect("env")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(env.contains(&"GOOD=2") && env.contains(&"HOME=/mine"));
    assert!(
        env.iter()
            .all(|one| !one.starts_with("AWS_SECRET") && !one.starts_with("A="))
    );
    assert_eq!(env.iter().filter(|one| one.starts_with("GOOD=")).count(), 1);
    assert_eq!(env.len(), 5, "{env:?}");
    assert_eq!(config["process"]["cwd"], "/../etc");
}

#[test]
fn commands() {
    let image = ImageDefaults {
        entrypoint: vec!["entry".into()],
        command: vec!["default".into()],
        ..ImageDefaults::default()
    };
    let mut options = ContainerOptions::default();
    let words = |options: &ContainerOptions| command(options, &image).expect("a command");
    assert_eq!(words(&options), ["entry", "default"]);
    options.command = vec!["mine".into()];
    assert_eq!(words(&options), ["entry", "mine"]);
    options.entrypoint = Some(vec!["other".into()]);
    assert_eq!(words(&options), ["other", "mine"]);
    options.command.clear();
    // The image's command was meant for the image's entrypoint.
    assert_eq!(words(&options), ["other"]);
    options.entrypoint = Some(Vec::new());
    let error = command(&options, &image).expect_err("nothing to run");
    assert_eq!(error.kind(), crate::Kind::InvalidInput);
}

#[test]
fn another_user_has_only_what_was_asked_for() {
    let mut case = Case::new();
    case.identity.uid = 33;
    case.options.cap_add = vec!["NET_RAW".into()];
    let sets = &case.compose()["process"]["capabilities"];
    assert_eq!(sets["ambient"], json!(["CAP_NET_RAW"]));
    assert_eq!(sets["effective"], json!(["CAP_NET_RAW"]));
    assert_eq!(sets["bounding"].as_array().map(Vec::len), Some(12));
}

#[test]
fn limits() {
    let mut case = Case::new();
    case.options.memory = "64m".parse().ok();
    case.options.cpus = "1.5".parse().ok();
    case.options.pids_limit = Some(-1);
    case.options.ulimits = vec!["core=5:6".parse().expect("limit")];
    let config = case.compose();
    let resources = &config["linux"]["resources"];
    assert_eq!(
        resources["memory"],
        json!({"limit": 64 << 20, "swap": 128 << 20})
    );
    assert_eq!(
        resources["cpu"],
        json!({"quota": 150_000, "period": 100_000})
    );
    assert!(resources.get("pids").is_none());
    assert_eq!(
        config["process"]["rlimits"],
        json!([{"type": "RLIMIT_CORE", "soft": 5, "hard": 6}])
    );
    case.host.limits_processes = false;
    case.options.pids_limit = None;
    assert!(case.compose()["linux"]["resources"].get("pids").is_none());
}

#[test]
fn security_options() {
    let mut case = Case::new();
    case.options.security = [
        "seccomp=unconfined",
        "mask=/etc/secret",
        "unmask=/proc/kcore:/proc/sys",
    ]
    .iter()
    .map(|text| text.parse().expect("an option"))
    .collect();
    let linux = &case.compose()["linux"];
    assert!(linux.get("seccomp").is_none());
    let has = |list: &str, path: &str| {
        linux[list]
            .as_array()
            .expect("a list")
            .contains(&json!(path))
    };
    assert!(has("maskedPaths", "/etc/secret") && !has("maskedPaths", "/proc/kcore"));
    assert!(!has("readonlyPaths", "/proc/sys") && has("readonlyPaths", "/proc/irq"));
    case.options.security = vec!["apparmor=mine".parse().expect("an option")];
    let error = case.try_compose().expect_err("no AppArmor");
    assert_eq!(error.kind(), crate::Kind::Unsupported);
    case.host.apparmor = true;
    assert_eq!(case.compose()["process"]["apparmorProfile"], "mine");
}
