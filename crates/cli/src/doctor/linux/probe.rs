//! Trying what must not be tried in this process: `dhow __probe NAME DIRECTORY`, a child of its own.
//!
//! Namespaces and mounts made here go away with the child; it writes only beneath the directory that
//! its caller made and removes.

use dhow_sys::mount::{self, Filesystem};
use dhow_sys::{Mode, OFlags, namespace, path};
use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

/// Runs the probe `name`; on failure standard output says which call failed.
pub(crate) fn run(name: &str, directory: &Path) -> ExitCode {
    let result = match name {
        "namespaces-user" => in_user_namespace(0).and_then(|()| namespaces()),
        "namespaces-root" => namespaces(),
        "mounts" => mounts(),
        "overlay-user" => {
            in_user_namespace(namespace::MOUNT).and_then(|()| overlay(directory, true))
        }
        "overlay-root" => in_mount_namespace().and_then(|()| overlay(directory, false)),
        name => Err(format!("there is no probe {name:?}").into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            // The caller reads this; if it is gone, nobody does.
            let _ = crate::output::print(&text.to_string());
            ExitCode::FAILURE
        }
    }
}

/// A failure in words: kernel calls and files mix here, and only the text goes to the caller.
type Tried = Result<(), Box<dyn std::error::Error>>;

/// Becomes root of a new user namespace in which only the own id is mapped.
fn in_user_namespace(more: u64) -> Tried {
    let (user, group) = (
        dhow_sys::id::effective_user(),
        dhow_sys::id::effective_group(),
    );
    namespace::unshare(namespace::USER | more)?;
    let write = |file: &str, text: String| {
        fs::write(file, &text).map_err(|error| format!("write({file}, {text:?}) = {error}"))
    };
    // Linux 3.19 wants this before an unprivileged gid map.
    write("/proc/self/setgroups", "deny".into())?;
    write("/proc/self/uid_map", format!("0 {user} 1"))?;
    write("/proc/self/gid_map", format!("0 {group} 1"))?;
    Ok(())
}

fn in_mount_namespace() -> Tried {
    Ok(namespace::unshare(namespace::MOUNT)?)
}

/// Makes one namespace of every kind, and names those that fail.
fn namespaces() -> Tried {
    let kinds = [
        ("mount", namespace::MOUNT),
        ("pid", namespace::PID),
        ("network", namespace::NETWORK),
        ("ipc", namespace::IPC),
        ("uts", namespace::UTS),
        ("cgroup", namespace::CGROUP),
        ("time", namespace::TIME),
    ];
    let refused: Vec<String> = kinds
        .iter()
        .filter_map(|(name, flag)| {
            let error = namespace::unshare(*flag).err()?;
            Some(format!("{name}: {}", error.name()))
        })
        .collect();
    if refused.is_empty() {
        Ok(())
    } else {
        Err(refused.join(", ").into())
    }
}

/// Makes a filesystem by the new mount API and changes its attributes.
fn mounts() -> Tried {
    in_user_namespace(namespace::MOUNT)?;
    let made = Filesystem::open("tmpfs").and_then(|new| new.mount(mount::NOSUID))?;
    let change = mount::Change {
        set: mount::RDONLY,
        ..mount::Change::default()
    };
    Ok(mount::change(made.as_fd(), change)?)
}

/// Mounts an overlay of directories in `directory`, reads through it and writes through it.
fn overlay(directory: &Path, user: bool) -> Tried {
    let inside = |name: &str| directory.join(name);
    for name in ["lower", "upper", "work"] {
        fs::create_dir(inside(name)).map_err(|error| format!("mkdir({name}) = {error}"))?;
    }
    fs::write(inside("lower").join("file"), "below")?;
    let filesystem = Filesystem::open("overlay")?;
    for (key, name) in [
        ("lowerdir", "lower"),
        ("upperdir", "upper"),
        ("workdir", "work"),
    ] {
        let path = inside(name);
        filesystem.set(key, &path.to_string_lossy())?;
    }
    if user {
        filesystem.flag("userxattr")?;
    }
    let made = filesystem.mount(0)?;
    let flags = OFlags::RDWR | OFlags::APPEND;
    let file = path::open_in_root(made.as_fd(), Path::new("file"), flags, Mode::empty())?;
    dhow_sys::fd::write_once(file.as_fd(), b", above")?;
    let copied = fs::read_to_string(inside("upper").join("file"))?;
    if copied == "below, above" {
        Ok(())
    } else {
        Err(format!("the copy reads {copied:?}").into())
    }
}
