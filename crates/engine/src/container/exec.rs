//! A further program in a living container.

use super::attach::own_size;
use crate::bundle::identity::UserFiles;
use crate::doing::Doing;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::runtime::parse_failure;
use crate::status;
use crate::store::Directory;
use crate::view::{ExecOptions, State};
use dhow_sys::fd::{Interest, poll};
use dhow_sys::signal::{self, Set, SignalFd};
use dhow_sys::{Mode, OFlags, fd, file, path, process, pty, tree};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// HUP, USR1, USR2, TERM: passed on always.
const FORWARDED: [u8; 4] = [1, 10, 12, 15];
/// INT and QUIT: passed on unless a terminal's keys give them to the runtime as well.
const KEYS: [u8; 2] = [2, 3];

/// The most that is read of a runtime's log.
const LOG_MAX: usize = 64 * 1024;

/// `exec`
pub(crate) fn exec(engine: &Engine, name: &str, options: &ExecOptions) -> Result<u8> {
    let (directory, record) = engine.open_container(name)?;
    let state = status::state(engine.store(), &directory)?;
    let State::Running { pid, .. } = state else {
        return Err(Error::WrongState {
            verb: "execute in",
            name: record.name,
            state: state.word(),
        });
    };
    if options.command.first().is_none_or(String::is_empty) {
        return Err(Error::invalid("command", "", "names no program"));
    }
    let document = describe(engine, &directory, pid, options)?;
    let living = engine.store().make_living(&record.id)?;
    let name = format!("exec-{}.json", std::process::id());
    file::replace(living.as_fd(), OsStr::new(&name), &document, 0o600, false)
        .doing(|| "write the process to execute".into())?;
    let path = engine.store().living_of(&record.id).join(&name);
    let log = format!("exec-{}.log", std::process::id());
    let runtime = engine.runtime(&record.runtime);
    let mut command = runtime.exec(
        &record.id,
        &path,
        &path.with_file_name(&log),
        options.detach,
    );
    let result = run(&mut command, options).map(|code| match code {
        255 => judge(living.as_fd(), OsStr::new(&log)),
        code => code,
    });
    // A leftover would go with the container.
    let _ = tree::remove_file(living.as_fd(), OsStr::new(&name));
    let _ = tree::remove_file(living.as_fd(), OsStr::new(&log));
    result
}

/// The exit code to pass on for 255. That is a runtime's own failure, as runc's, or a program's own
/// code: the runtime's log tells. The user has read its message already, on standard error.
fn judge(living: BorrowedFd<'_>, log: &OsStr) -> u8 {
    let opened = path::open_beneath(living, log.as_ref(), OFlags::RDONLY, Mode::empty());
    let text = opened.and_then(|file| fd::read_all(file.as_fd(), LOG_MAX));
    let text = text.unwrap_or_default();
    if text.is_empty() {
        return 255;
    }
    let failure = parse_failure(&String::from_utf8_lossy(&text));
    let verb = "execute in";
    Error::Runtime { verb, failure }.exit_code()
}

/// The `process` document: the container's own, changed as asked.
fn describe(
    engine: &Engine,
    directory: &Directory,
    pid: u32,
    options: &ExecOptions,
) -> Result<Vec<u8>> {
    let config: Option<Value> = directory.document("config.json")?;
    let mut process = config
        .and_then(|mut config| config.get_mut("process").map(Value::take))
        .ok_or_else(|| Error::BadState {
            path: "config.json".into(),
            reason: "it has no process".into(),
        })?;
    process["args"] = json!(options.command);
    process["terminal"] = json!(options.tty && !options.detach);
    if let Some(fields) = process.as_object_mut() {
        // The container's own; this one is as large as ours.
        fields.remove("consoleSize");
    }
    if options.tty
        && let Some((width, height)) = own_size()
    {
        process["consoleSize"] = json!({"width": width, "height": height});
    }
    if let Some(workdir) = &options.workdir {
        if !workdir.starts_with('/') {
            return Err(Error::invalid("--workdir", workdir, "is no absolute path"));
        }
        process["cwd"] = json!(workdir);
    }
    if let Some(user) = &options.user {
        become_user(&mut process, pid, user)?;
    }
    if options.privileged {
        let chosen =
            crate::bundle::capabilities::choose(true, &[], &[], &engine.held_capabilities())?;
        process["capabilities"] = json!({
            "bounding": chosen.all, "effective": chosen.all, "permitted": chosen.all,
        });
        process["noNewPrivileges"] = json!(false);
    }
    if options.tty && !has_variable(&process, "TERM") {
        set_variable(&mut process, "TERM", "xterm");
    }
    for (key, value) in &options.env {
        set_variable(&mut process, key, value);
    }
    serde_json::to_vec(&process).map_err(|error| Error::BadState {
        path: "process.json".into(),
        reason: error.to_string(),
    })
}

/// Changes who the process is, by the container's files as they are now.
fn become_user(process: &mut Value, pid: u32, user: &str) -> Result<()> {
    // Through the container's own root: its mounts count.
    let root = path::open_directory(Path::new(&format!("/proc/{pid}/root")))
        .doing(|| "open the container's root".into())?;
    let identity = UserFiles::read(&[root])?.resolve(user, &[])?;
    process["user"] = json!({
        "uid": identity.uid,
        "gid": identity.gid,
        "additionalGids": identity.groups,
    });
    if let Some(home) = identity.home {
        set_variable(process, "HOME", &home);
    }
    let bounding = process["capabilities"]["bounding"].clone();
    process["capabilities"] = if identity.uid == 0 {
        json!({"bounding": bounding, "effective": bounding, "permitted": bounding})
    } else {
        // What root of the container has is not for others.
        json!({"bounding": bounding})
    };
    Ok(())
}

fn has_variable(process: &Value, key: &str) -> bool {
    let prefix = format!("{key}=");
    let env = process["env"].as_array().into_iter().flatten();
    env.filter_map(Value::as_str)
        .any(|entry| entry.starts_with(&prefix))
}

/// Sets a variable of the process's environment, in the place of one of that name.
fn set_variable(process: &mut Value, key: &str, value: &str) {
    if let Some(env) = process["env"].as_array_mut() {
        let prefix = format!("{key}=");
        env.retain(|entry| !entry.as_str().unwrap_or_default().starts_with(&prefix));
        env.push(json!(format!("{key}={value}")));
    }
}

/// Runs the runtime with our own streams and passes signals on.
fn run(command: &mut Command, options: &ExecOptions) -> Result<u8> {
    if !options.interactive {
        command.stdin(Stdio::null());
    }
    if options.detach {
        command.stdout(Stdio::null());
        let output = command.stderr(Stdio::piped()).output();
        let output = output.map_err(|source| spawn_error(command, source))?;
        if output.status.success() {
            return Ok(0);
        }
        return Err(Error::Runtime {
            verb: "execute in",
            failure: parse_failure(&String::from_utf8_lossy(&output.stderr)),
        });
    }
    let by_keys = pty::is_terminal(std::io::stdin().as_fd());
    let forwarded = FORWARDED
        .iter()
        .chain(if by_keys { &[][..] } else { &KEYS });
    let set: Set = forwarded.fold(0, |set, number| set | 1 << (number - 1));
    // The keys' own signals reach the runtime directly; here they must only not end us.
    let held = KEYS.iter().fold(set, |set, number| set | 1 << (number - 1));
    let before = signal::block(held).doing(|| "hold signals".into())?;
    let result = watch(command, set);
    let _ = signal::block(before);
    result
}

fn watch(command: &mut Command, set: Set) -> Result<u8> {
    let signals = SignalFd::new(set).doing(|| "hold signals".into())?;
    let mut child = command
        .spawn()
        .map_err(|source| spawn_error(command, source))?;
    let pidfd = process::open(child.id()).doing(|| "hold the runtime".into())?;
    loop {
        let fds = [
            (pidfd.as_fd(), Interest::Read),
            (signals.as_fd(), Interest::Read),
        ];
        let ready = poll(&fds, None).doing(|| "wait for the runtime".into())?;
        while let Some(number) = signals.next().doing(|| "read a signal".into())? {
            // It may have ended already.
            let _ = process::signal(pidfd.as_fd(), number);
        }
        if ready[0] {
            return code(&mut child);
        }
    }
}

fn code(child: &mut Child) -> Result<u8> {
    use std::os::unix::process::ExitStatusExt;
    let status = child.wait().map_err(|source| Error::Spawn {
        program: "the runtime".into(),
        source,
    })?;
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(255))
}

fn spawn_error(command: &Command, source: std::io::Error) -> Error {
    Error::Spawn {
        program: command.get_program().into(),
        source,
    }
}
