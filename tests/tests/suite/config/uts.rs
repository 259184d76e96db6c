//! `hostname` and `domainname`.

use dhow_tests::{Test, for_each_runtime, for_runtimes};
use serde_json::json;

fn the_hostname_is_set(test: &Test) {
    let report = test.probe_with(|config| config["hostname"] = json!("moon.example"));
    assert_eq!(report["hostname"], "moon.example");
}

fn the_domainname_is_set(test: &Test) {
    let report = test.probe_with(|config| config["domainname"] = json!("example.net"));
    assert_eq!(report["domainname"], "example.net");
}

/// Else the host would be renamed.
fn a_hostname_without_its_namespace_is_refused(test: &Test) {
    let before = rustix::system::uname().nodename().to_owned();
    let output = test.run_with(|config| config.drop_namespace("uts"));
    output.refuses(["hostname", "uts", "uts"]);
    assert_eq!(rustix::system::uname().nodename(), before.as_c_str());
}

fn a_name_too_long_is_refused(test: &Test) {
    let output = test.run_with(|config| config["hostname"] = json!("x".repeat(65)));
    output.refuses(["hostname", "sethostname", "sethostname"]);
}

for_each_runtime!(
    the_hostname_is_set,
    a_hostname_without_its_namespace_is_refused,
    a_name_too_long_is_refused,
);

// runc 1.1 does not know it.
for_runtimes!([Dhow, Crun]; the_domainname_is_set);
