//! Programs: dhow's own, and those that give networks to rootless containers.

use super::super::Check;
use super::answer::ask;
use super::users::find;
use std::path::PathBuf;

const AREA: &str = "programs";

/// dhow's siblings and the network's helpers.
pub(super) fn checks(siblings: &[PathBuf]) -> Vec<Check> {
    let own = [
        ("dhow-runtime", "no container can be made"),
        ("dhow-monitor", "no container can be made"),
        ("dhow-hello", "the built-in image hello cannot be run"),
    ];
    let mut checks: Vec<Check> = own
        .into_iter()
        .map(|(name, cost)| sibling(name, cost, siblings))
        .collect();
    checks.push(network());
    checks
}

fn sibling(name: &'static str, cost: &str, directories: &[PathBuf]) -> Check {
    let looked: Vec<String> = directories
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let Some(path) = directories
        .iter()
        .map(|path| path.join(name))
        .find(|path| path.is_file())
    else {
        let check = Check::ok(AREA, name, format!("not in {}", looked.join(" or ")));
        let fix = format!("install {name} beside dhow");
        return if name == "dhow-hello" {
            check.limited(cost, fix)
        } else {
            check.missing(cost, fix)
        };
    };
    let shown = path.display().to_string();
    if name == "dhow-hello" {
        return Check::ok(AREA, name, shown);
    }
    match ask(&path, &["--version"]) {
        // One that has no version to tell does start all the same.
        Ok(answer) => {
            let version = answer.text.lines().next().map(|line| format!(" ({line})"));
            Check::ok(
                AREA,
                name,
                format!("{shown}{}", version.unwrap_or_default()),
            )
        }
        Err(text) => Check::ok(AREA, name, format!("{shown} does not start: {text}"))
            .missing(cost, "reinstall dhow: the file may be of another system"),
    }
}

fn network() -> Check {
    let helpers = ["pasta", "slirp4netns", "nft"];
    let (found, absent): (Vec<&str>, Vec<&str>) =
        helpers.into_iter().partition(|name| find(name).is_some());
    let words = |names: &[&str], word: &str| {
        (!names.is_empty()).then(|| format!("{} {word}", names.join(" and ")))
    };
    let parts: Vec<String> = [words(&found, "found"), words(&absent, "not found")]
        .into_iter()
        .flatten()
        .collect();
    // Today's networks, none and host, need no helper: their absence costs nothing yet.
    let detail = format!("{}; --network none and host need none", parts.join(", "));
    Check::ok(AREA, "network helpers", detail)
}
