//! `exec`: another process inside a running container.

use super::create::{self, PIDFD_SOCKET, Receiver, preserved, write_pid_file};
use super::run::await_execve;
use crate::bundle;
use crate::cli::{Arguments, Global, Usage, switch, usage_error, value};
use crate::error::{At, Error, Result};
use crate::linux::cgroup::cgroup_error;
use crate::linux::container::Container;
use crate::linux::foreground::{self, Terminal};
use crate::linux::join::{self, Order};
use crate::linux::record::{self, Record};
use crate::linux::resctrl;
use crate::plan::invalid::Invalid;
use crate::plan::{Plan, seccomp};
use crate::spec::{Process, Spec};
use crate::state::Verb;
use crate::{logging, platform};
use dhow_sys::signal;
use std::ffi::OsString;
use std::path::Path;

/// The command line.
pub const USAGE: Usage = Usage {
    verb: "exec",
    arguments: "[OPTIONS] ID [--] PROGRAM [ARGUMENTS]",
    summary: "Run another program inside a container",
    flags: &[
        value(
            "process",
            Some('p'),
            "FILE",
            "the process as a JSON document",
        ),
        value("cwd", None, "DIR", "working directory"),
        value(
            "env",
            Some('e'),
            "NAME=VALUE",
            "add to the environment (repeatable)",
        ),
        switch("tty", Some('t'), "give it a terminal"),
        value(
            "user",
            Some('u'),
            "UID[:GID]",
            "run as this user, by number",
        ),
        value(
            "additional-gids",
            Some('g'),
            "GID",
            "add a group (repeatable)",
        ),
        switch("detach", Some('d'), "do not wait for its end"),
        value("pid-file", None, "FILE", "write its process id to FILE"),
        value(
            "console-socket",
            None,
            "SOCKET",
            "where the terminal's controlling side is sent",
        ),
        value("cap", Some('c'), "NAME", "add a capability (repeatable)"),
        switch("no-new-privs", None, "forbid new privileges"),
        value("apparmor", None, "PROFILE", "AppArmor profile"),
        value("process-label", None, "LABEL", "SELinux label"),
        value(
            "preserve-fds",
            None,
            "N",
            "pass N descriptors from 3 on to the program",
        ),
        PIDFD_SOCKET,
        value(
            "cgroup",
            None,
            "[CONTROLLER,…:]PATH",
            "in this cgroup below the container's own (repeatable)",
        ),
        switch(
            "ignore-paused",
            None,
            "also in a paused container: it begins with the resume",
        ),
    ],
    verbatim_after: Some(1),
    example: "dhow-runtime exec -t web sh",
};

/// Runs the verb; the exit code is the program's.
///
/// # Errors
/// [`Error::State`] unless the container is created or running; the step that failed.
pub fn run(global: &Global, arguments: Vec<OsString>) -> Result<u8> {
    let arguments = Arguments::read(&USAGE, arguments)?;
    // Before anything of ours is open, which could pass for what the caller opened.
    let preserve = preserved(&arguments)?;
    let id = arguments
        .words
        .first()
        .ok_or_else(|| usage_error(&USAGE, "the container's id is missing"))?;
    let container = Container::look(&global.root, id)?;
    let verb = Verb::Exec {
        paused: arguments.is_on("ignore-paused"),
    };
    let mut record = container.allowed(verb, "exec in")?;
    choose_cgroup(&mut record, &arguments)?;
    let plan = plan(global, &container, &arguments)?;
    let detach = arguments.is_on("detach");
    let terminal = plan.process.terminal;
    let (socket, mut relay) = create::terminal(&USAGE, &arguments, terminal)?;
    let receiver = Receiver::connect(&arguments)?;
    if !detach {
        signal::block(signal::ALL).at("block signals")?;
    }
    let class = match &plan.intel_rdt {
        None => None,
        Some(_) => resctrl::recorded(&container)?,
    };
    let order = Order {
        record: &record,
        plan: &plan,
        class: class.as_ref(),
        console: socket,
        preserve,
    };
    let (child, channel) = join::join(&order)?;
    // Before the program runs: its terminal has our size from its first call on.
    let received = relay.as_mut().map_or(Ok(()), Terminal::receive);
    let told = received.and_then(|()| Receiver::send(receiver.as_ref(), &child, "setns"));
    let started = told.and_then(|()| launch(&arguments, &record, &plan, &channel, child.pid));
    if let Err(error) = started {
        child.end();
        return Err(error);
    }
    if detach {
        return Ok(0);
    }
    drop(order);
    let exit = foreground::wait(&child, relay)?;
    Ok(exit.code())
}

/// `--cgroup`: another group of the container's than its own.
fn choose_cgroup(record: &mut Record, arguments: &Arguments) -> Result<()> {
    let places: Vec<(Vec<String>, String)> = arguments
        .values("cgroup")
        .map(|text| match text.split_once(':') {
            Some((controllers, path)) => {
                let controllers = controllers.split(',').map(str::to_owned).collect();
                (controllers, path.to_owned())
            }
            None => (Vec::new(), text.to_owned()),
        })
        .collect();
    if places.is_empty() {
        return Ok(());
    }
    let inner = record.group("exec --cgroup in")?.inner(&places);
    record.cgroup = Some(inner.map_err(cgroup_error)?);
    Ok(())
}

fn launch(
    arguments: &Arguments,
    record: &Record,
    plan: &Plan,
    channel: &crate::linux::handshake::Channel,
    pid: u32,
) -> Result<()> {
    write_pid_file(arguments.value("pid-file").map(Path::new), pid)?;
    channel
        .start()
        .at("start the program")
        .map_err(|error| channel.cause(error))?;
    await_execve(channel, plan.seccomp.as_ref(), pid, || {
        record.state("running")
    })
}

/// The container's plan with the new process in the place of the first.
fn plan(global: &Global, container: &Container, arguments: &Arguments) -> Result<Plan> {
    let mut spec = record::document(container)?;
    let process = match arguments.value("process") {
        Some(file) => read_process(Path::new(file))?,
        None => from_flags(&spec, arguments)?,
    };
    spec.process = Some(process);
    // Compiled at creation; the program is kept beside the document.
    if let Some(linux) = &mut spec.linux {
        linux.seccomp = None;
    }
    let mut host = platform::host(&spec);
    host.privileged = true;
    let mut plan = Plan::new(&spec, &host)?;
    if let Some(bytes) = container.read("seccomp")? {
        plan.seccomp = Some(seccomp::Program::from_bytes(&bytes)?);
    }
    for warning in &plan.warnings {
        logging::note(global, "warning", warning);
    }
    Ok(plan)
}

fn read_process(path: &Path) -> Result<Process> {
    let refuse = |reason: String| Error::Document {
        path: path.to_owned(),
        reason,
    };
    let text = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    bundle::parse(&text).map_err(refuse)
}

fn from_flags(spec: &Spec, arguments: &Arguments) -> Result<Process> {
    let mut process = spec
        .process
        .clone()
        .ok_or_else(|| Invalid::new("process", "is missing"))?;
    process.args = arguments.words[1..].to_vec();
    if process.args.is_empty() {
        return Err(usage_error(&USAGE, "the program is missing"));
    }
    process.terminal = arguments.is_on("tty");
    if let Some(cwd) = arguments.value("cwd") {
        process.cwd = cwd.into();
    }
    for entry in arguments.values("env") {
        if !entry.contains('=') || entry.starts_with('=') {
            return Err(usage_error(
                &USAGE,
                &format!("--env: {entry:?} is not NAME=VALUE"),
            ));
        }
        process.env.push(entry.into());
    }
    if let Some(user) = arguments.value("user") {
        (process.user.uid, process.user.gid) = user_of(user)?;
        process.user.additional_gids.clear();
    }
    for group in arguments.values("additional-gids") {
        process.user.additional_gids.push(id(group)?);
    }
    if arguments.is_on("no-new-privs") {
        process.no_new_privileges = true;
    }
    if let Some(profile) = arguments.value("apparmor") {
        process.apparmor_profile = Some(profile.into());
    }
    if let Some(label) = arguments.value("process-label") {
        process.selinux_label = Some(label.into());
    }
    let capabilities = process.capabilities.get_or_insert_default();
    for name in arguments.values("cap") {
        // Never inheritable: that would survive into programs with file capabilities (CVE-2022-29162).
        for set in [
            &mut capabilities.bounding,
            &mut capabilities.effective,
            &mut capabilities.permitted,
        ] {
            set.push(name.into());
        }
    }
    Ok(process)
}

/// `UID[:GID]`, numbers only: names would have to be looked up in files of the image.
fn user_of(text: &str) -> Result<(u32, u32)> {
    match text.split_once(':') {
        Some((user, group)) => Ok((id(user)?, id(group)?)),
        None => Ok((id(text)?, 0)),
    }
}

fn id(text: &str) -> Result<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text
        .parse::<u32>()
        .ok()
        .filter(|number| digits && *number != u32::MAX);
    number.ok_or_else(|| {
        Error::Usage(format!(
            "{text:?} is not a user or group number (0 to 4294967294)"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::{id, user_of};

    #[test]
    fn only_plain_numbers_are_users() {
        assert_eq!(user_of("7:8").ok(), Some((7, 8)));
        assert_eq!(user_of("7").ok(), Some((7, 0)));
        for text in [
            "",
            "-1",
            "+7",
            " 7",
            "7 ",
            "0x7",
            "root",
            "4294967295",
            "4294967296",
            "99999999999",
        ] {
            assert!(id(text).is_err(), "{text:?}");
        }
    }
}
