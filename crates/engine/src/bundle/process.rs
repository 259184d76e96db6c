//! The container's process.

use super::{ImageDefaults, Request, hostname};
use crate::error::{Error, Result};
use crate::options::ContainerOptions;
use serde_json::{Value, json};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Where `--init` finds its program in the container.
pub(super) const INIT: &str = "/run/.dhow-init";

/// Entrypoint and command together: what the user gave replaces what the image has, and a given
/// entrypoint drops the image's command too, which was meant for the image's entrypoint.
pub(crate) fn command(options: &ContainerOptions, image: &ImageDefaults) -> Result<Vec<String>> {
    let mut words = options
        .entrypoint
        .clone()
        .unwrap_or_else(|| image.entrypoint.clone());
    if !options.command.is_empty() {
        words.extend_from_slice(&options.command);
    } else if options.entrypoint.is_none() {
        words.extend_from_slice(&image.command);
    }
    if words.first().is_none_or(String::is_empty) {
        return Err(Error::invalid(
            "command",
            words.join(" "),
            "names no program, and the image has none to run: give one after the image",
        ));
    }
    if let Some(word) = words.iter().find(|word| word.contains('\0')) {
        return Err(Error::invalid("command", word, "contains a NUL byte"));
    }
    Ok(words)
}

/// The environment: the image's, then ours where it says nothing, then the user's. Entries of the
/// image without a name or a value are dropped, never filled from the host (CVE-2026-57231).
fn environment<'a>(
    image: &'a [String],
    ours: &[(&'a str, &'a str)],
    user: &'a [(String, String)],
) -> Vec<String> {
    fn set<'a>(all: &mut Vec<(&'a str, &'a str)>, key: &'a str, value: &'a str) {
        all.retain(|(other, _)| *other != key);
        all.push((key, value));
    }
    let mut all: Vec<(&str, &str)> = Vec::new();
    let good = |key: &str, value: &str| {
        !key.is_empty() && !key.contains(['=', '\0']) && !value.contains('\0')
    };
    for (key, value) in ours {
        all.push((key, value));
    }
    for entry in image {
        if let Some((key, value)) = entry.split_once('=')
            && good(key, value)
        {
            set(&mut all, key, value);
        }
    }
    for (key, value) in user {
        if good(key, value) {
            set(&mut all, key, value);
        }
    }
    all.iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect()
}

pub(super) fn compose(request: &Request<'_>) -> Result<Value> {
    let options = request.options;
    let identity = request.identity;
    let mut words = command(options, request.image)?;
    if request.init.is_some() {
        words.splice(0..0, [INIT.to_owned(), "--".to_owned()]);
    }
    let home = identity
        .home
        .as_deref()
        .filter(|home| home.starts_with('/'));
    let home = home.unwrap_or(if identity.uid == 0 { "/root" } else { "/" });
    let mut ours = vec![
        ("PATH", PATH),
        ("HOSTNAME", hostname(request)),
        ("HOME", home),
        ("container", "dhow"),
    ];
    if options.tty {
        ours.push(("TERM", "xterm"));
    }
    let mut process = json!({
        "terminal": options.tty,
        "user": {
            "uid": identity.uid,
            "gid": identity.gid,
            "additionalGids": identity.groups,
        },
        "args": words,
        "env": environment(&request.image.env, &ours, &options.env),
        "cwd": workdir(request)?,
        "capabilities": capabilities(request),
        "rlimits": limits(options),
        "noNewPrivileges": super::security::no_new_privileges(options),
    });
    if let Some(profile) = super::security::apparmor(request)? {
        process["apparmorProfile"] = json!(profile);
    }
    Ok(process)
}

fn workdir(request: &Request<'_>) -> Result<String> {
    if let Some(directory) = &request.options.workdir {
        if !directory.starts_with('/') || directory.contains('\0') {
            return Err(Error::invalid(
                "--workdir",
                directory,
                "is no absolute path",
            ));
        }
        return Ok(directory.clone());
    }
    // An image may have a relative one; docker takes it from `/`.
    let directory = request.image.workdir.trim_start_matches('/');
    Ok(format!("/{}", directory.replace('\0', "")))
}

/// Root has the chosen set. Another user has what was asked for by name, as ambient capabilities so
/// that it survives execve; the rest only bounds what set-user-id programs could get.
fn capabilities(request: &Request<'_>) -> Value {
    let chosen = request.capabilities;
    if request.identity.uid == 0 {
        return json!({
            "bounding": chosen.all,
            "effective": chosen.all,
            "permitted": chosen.all,
        });
    }
    json!({
        "bounding": chosen.all,
        "effective": chosen.asked,
        "permitted": chosen.asked,
        "inheritable": chosen.asked,
        "ambient": chosen.asked,
    })
}

/// The user's limits, and no core dumps: the host's core handler would see the container's memory.
fn limits(options: &ContainerOptions) -> Value {
    let mut limits: Vec<Value> = options
        .ulimits
        .iter()
        .map(|limit| {
            let name = format!("RLIMIT_{}", limit.name.to_ascii_uppercase());
            json!({"type": name, "soft": limit.soft, "hard": limit.hard})
        })
        .collect();
    if !options.ulimits.iter().any(|limit| limit.name == "core") {
        limits.push(json!({"type": "RLIMIT_CORE", "soft": 0, "hard": 0}));
    }
    Value::Array(limits)
}
