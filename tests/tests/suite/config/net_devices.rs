//! `linux.netDevices`: a device of the host moves in, with its addresses, and comes back when there
//! is no container.

use dhow_tests::{Test, for_runtimes, needs};
use serde_json::json;
use std::process::Command;

/// One end of a veth pair of the host, with addresses of both families; gone with the test.
struct Device {
    name: String,
}

impl Device {
    fn new(test: &Test, number: u32) -> Self {
        // Device names have 15 bytes; the mark of a test is longer, and its end is its own.
        let mark = test.mark();
        let name = format!("d{number}{}", &mark[mark.len().saturating_sub(8)..]);
        let peer = format!("p{}", &name[1..]);
        ip(&["link", "add", &name, "type", "veth", "peer", "name", &peer]);
        ip(&[
            "link",
            "set",
            &name,
            "address",
            "02:00:00:00:00:01",
            "mtu",
            "1400",
            "up",
        ]);
        ip(&["addr", "add", "192.0.2.7/24", "brd", "+", "dev", &name]);
        ip(&["addr", "add", "2001:db8::7/64", "dev", &name, "nodad"]);
        Self { name }
    }

    /// What the host shows of it: nothing when it is not there.
    fn on_the_host(&self) -> String {
        let output = Command::new("ip")
            .args(["-o", "addr", "show", "dev", &self.name, "scope", "global"])
            .output();
        let output = output.expect("ip runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn assert_unmoved(&self, before: &str) {
        assert!(before.contains("192.0.2.7/24"), "{before}");
        assert_eq!(self.on_the_host(), before);
        let link = Command::new("ip")
            .args(["-o", "link", "show", "up", "dev", &self.name])
            .output();
        assert!(!link.expect("ip runs").stdout.is_empty(), "it is down");
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // Either end takes the other with it; this one stays on the host.
        let peer = format!("p{}", &self.name[1..]);
        let _ = Command::new("ip").args(["link", "del", &peer]).output();
    }
}

fn ip(words: &[&str]) {
    let output = Command::new("ip").args(words).output().expect("ip runs");
    assert!(
        output.status.success(),
        "ip {words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn a_device_moves_in_with_its_addresses(test: &Test) {
    needs!(test, root, ip, busybox);
    let device = Device::new(test, 1);
    let output = test.run_with(|config| {
        config["linux"]["netDevices"] = json!({ &device.name: {} });
        let script = format!(
            "ip -o addr; cd /sys/class/net/{}; cat mtu flags",
            device.name
        );
        config["process"]["args"] = json!(["sh", "-c", script]);
    });
    let text = output.ok().stdout();
    assert!(
        text.contains(&format!(
            "{}    inet 192.0.2.7/24 brd 192.0.2.255",
            device.name
        )),
        "{text}"
    );
    assert!(text.contains("inet6 2001:db8::7/64 scope global"), "{text}");
    assert!(text.contains("\n1400"), "{text}");
    let flags = text
        .lines()
        .find_map(|line| line.strip_prefix("0x"))
        .expect("the flags");
    let flags = u32::from_str_radix(flags, 16).expect("a number");
    assert_eq!(flags & 1, 1, "it is not up: {flags:#x}");
    assert_eq!(device.on_the_host(), "");
}

fn a_device_gets_another_name(test: &Test) {
    needs!(test, root, ip, busybox);
    let device = Device::new(test, 1);
    let report = test.probe_with(|config| {
        config["linux"]["netDevices"] = json!({ &device.name: {"name": "lan0"} });
    });
    assert_eq!(report["links"], json!(["lan0", "lo"]));
}

fn a_template_takes_the_first_free_number(test: &Test) {
    needs!(test, root, ip, busybox);
    let devices = [Device::new(test, 1), Device::new(test, 2)];
    let report = test.probe_with(|config| {
        config["linux"]["netDevices"] = json!({
            &devices[0].name: {"name": "lan%d"}, &devices[1].name: {"name": "lan%d"},
        });
    });
    assert_eq!(report["links"], json!(["lan0", "lan1", "lo"]));
}

fn a_device_joins_a_namespace_with_a_path(test: &Test) {
    needs!(test, root, ip, busybox);
    let first = test.sleeper("first");
    let device = Device::new(test, 1);
    let path = format!("/proc/{}/ns/net", first.pid());
    let report = test.probe_with(|config| {
        config.drop_namespace("network");
        config.add_namespace("network", Some(&path));
        config["linux"]["netDevices"] = json!({ &device.name: {"name": "lan0"} });
    });
    assert_eq!(report["links"], json!(["lan0", "lo"]));
}

/// Kernel parameters and hooks may be about the device, so it is there before them.
fn a_kernel_parameter_of_the_device_is_set(test: &Test) {
    needs!(test, root, ip, busybox);
    let device = Device::new(test, 1);
    let output = test.run_with(|config| {
        config["linux"]["netDevices"] = json!({ &device.name: {"name": "lan0"} });
        config["linux"]["sysctl"] = json!({"net.ipv4.conf.lan0.forwarding": "1"});
        config["process"]["args"] = json!(["cat", "/proc/sys/net/ipv4/conf/lan0/forwarding"]);
    });
    assert_eq!(output.ok().stdout(), "1\n");
}

/// A name that is taken, a program that is missing, a hook that fails: the host has its device as before.
fn a_failed_birth_gives_the_device_back(test: &Test) {
    needs!(test, root, ip, busybox);
    let devices = [Device::new(test, 1), Device::new(test, 2)];
    let before = [devices[0].on_the_host(), devices[1].on_the_host()];
    let unmoved = || {
        devices[0].assert_unmoved(&before[0]);
        devices[1].assert_unmoved(&before[1]);
    };
    // The first moves before the second is refused.
    let output = test.run_with(|config| {
        config["linux"]["netDevices"] = json!({
            &devices[0].name: {"name": "lan0"}, &devices[1].name: {"name": "lo"},
        });
    });
    output.fails("\"lo\" is a device of the container already");
    unmoved();
    let both = json!({ &devices[0].name: {"name": "lan0"}, &devices[1].name: {} });
    let output = test.run_with(|config| {
        config["linux"]["netDevices"] = both.clone();
        config["process"]["args"] = json!(["/bin/there-is-none"]);
    });
    output.fails("there-is-none");
    unmoved();
    let output = test.run_with(|config| {
        config["linux"]["netDevices"] = both.clone();
        config["hooks"] = json!({"createRuntime": [{"path": "/bin/false"}]});
    });
    output.fails("createRuntime");
    unmoved();
}

fn what_cannot_move_is_refused_by_name(test: &Test) {
    needs!(test, root, ip, busybox);
    let absent =
        |config: &mut dhow_tests::Config| config["linux"]["netDevices"] = json!({"dhow-none": {}});
    test.run_with(absent)
        .fails("\"dhow-none\" into the container: netlink(RTM_GETLINK");
    // The loopback device belongs to its namespace.
    let loopback = |config: &mut dhow_tests::Config| {
        config["linux"]["netDevices"] = json!({"lo": {"name": "other"}});
    };
    test.run_with(loopback)
        .fails("\"lo\" into the container: netlink(RTM_SETLINK");
    let output = test.run_with(|config| {
        config.drop_namespace("network");
        config["linux"]["netDevices"] = json!({"dhow-none": {}});
    });
    output.fails("linux.netDevices: needs a network namespace");
    let own = format!("/proc/{}/ns/net", std::process::id());
    let output = test.run_with(|config| {
        config.drop_namespace("network");
        config.add_namespace("network", Some(&own));
        config["linux"]["netDevices"] = json!({"dhow-none": {}});
    });
    output.fails("linux.netDevices: would change the host");
}

// The rivals here are older than the property.
for_runtimes!([Dhow];
    a_device_moves_in_with_its_addresses,
    a_device_gets_another_name,
    a_template_takes_the_first_free_number,
    a_device_joins_a_namespace_with_a_path,
    a_kernel_parameter_of_the_device_is_set,
    a_failed_birth_gives_the_device_back,
    what_cannot_move_is_refused_by_name,
);
