//! Single acts, each saying how the kernel answered: `{"ok":true,…}` or `{"errno":N}`.

use crate::{race, watch, watch_joining};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::thread;
use std::time::Duration;

/// How an act ended.
pub(crate) enum Done {
    /// With something to print.
    Said(Value),
    /// With this exit code.
    Code(u8),
}

/// Does what is named.
pub(crate) fn perform(act: &str, words: &[String]) -> Done {
    let word = |number: usize| words.get(number).map_or("", String::as_str);
    let answer = match act {
        "exit" => return Done::Code(word(0).parse().unwrap_or(255)),
        "sleep" => return sleep(),
        "bomb" => return bomb(),
        "leave-group" => return leave_group(),
        "open" => open(word(0), word(1)),
        "read" => read(word(0)),
        "write" => write(word(0), word(1)),
        "stat" => each(words, stat),
        "mkdir" => result(rustix::fs::mkdir(word(0), Mode::RWXU).map(|()| Value::Null)),
        "chdir" => result(rustix::process::chdir(word(0)).map(|()| Value::Null)),
        "getcwd" => cwd(),
        "uname" => uname(),
        "socket" => socket(word(0)),
        "sockets" => each(words, socket),
        "chroot" => result(rustix::process::chroot(word(0)).map(|()| Value::Null)),
        "sethostname" => {
            result(rustix::system::sethostname(word(0).as_bytes()).map(|()| Value::Null))
        }
        "fork" => fork(word(0)),
        "memory" => memory(word(0)),
        "exchange" => return race::exchange(word(0), word(1)),
        "watch-joining" => return watch_joining::newcomers(word(0)),
        "watch-exe" => return watch::programs(word(0)),
        _ => {
            eprintln!("probe: no such act: {act}");
            return Done::Code(64);
        }
    };
    Done::Said(answer)
}

fn result(outcome: Result<Value, Errno>) -> Value {
    match outcome {
        Ok(value) => json!({"ok": true, "value": value}),
        Err(errno) => {
            json!({"ok": false, "errno": errno.raw_os_error(), "error": errno.to_string()})
        }
    }
}

fn each(words: &[String], act: fn(&str) -> Value) -> Value {
    words
        .iter()
        .map(|word| (word.clone(), act(word)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Sleeps until a signal ends it.
fn sleep() -> Done {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

/// Goes over to the process group of its parent, and sleeps there.
fn leave_group() -> Done {
    use rustix::process::{getpgid, getppid, setpgid};
    match getpgid(getppid()).and_then(|group| setpgid(None, Some(group))) {
        Ok(()) => sleep(),
        Err(errno) => {
            eprintln!("probe: cannot join the group of the parent: {errno}");
            Done::Code(9)
        }
    }
}

/// Makes copies of itself that do the same, as many as it may and for ever.
fn bomb() -> Done {
    loop {
        if Command::new("/proc/self/exe")
            .arg0("/bin/probe")
            .arg("bomb")
            .spawn()
            .is_err()
        {
            thread::yield_now();
        }
    }
}

fn open(path: &str, how: &str) -> Value {
    let flags = match how {
        "w" => OFlags::WRONLY,
        "rw" => OFlags::RDWR,
        "a" => OFlags::WRONLY | OFlags::APPEND,
        _ => OFlags::RDONLY,
    };
    // Not blocking: a FIFO or a serial line would wait for ever.
    let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    result(rustix::fs::open(path, flags, Mode::empty()).map(|_| Value::Null))
}

fn read(path: &str) -> Value {
    let outcome = fs::read(path).map(|bytes| json!(String::from_utf8_lossy(&bytes)));
    result(outcome.map_err(|error| errno(&error)))
}

/// Writes to a file that exists; never creates one.
fn write(path: &str, text: &str) -> Value {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let outcome = rustix::fs::open(path, flags, Mode::empty())
        .and_then(|file| rustix::io::write(&file, text.as_bytes()));
    result(outcome.map(|count| json!(count)))
}

fn stat(path: &str) -> Value {
    let outcome = fs::symlink_metadata(path).map(|meta| {
        let kind = meta.file_type();
        let kind = [
            (kind.is_dir(), "directory"),
            (kind.is_file(), "file"),
            (kind.is_symlink(), "link"),
            (kind.is_char_device(), "char"),
            (kind.is_block_device(), "block"),
            (kind.is_fifo(), "fifo"),
            (kind.is_socket(), "socket"),
        ]
        .into_iter()
        .find_map(|(is, name)| is.then_some(name));
        json!({
            "kind": kind,
            "mode": format!("{:o}", meta.mode() & 0o7777),
            "uid": meta.uid(),
            "gid": meta.gid(),
            "size": meta.len(),
            "inode": meta.ino(),
            "device": meta.dev(),
            "major": rustix::fs::major(meta.rdev()),
            "minor": rustix::fs::minor(meta.rdev()),
        })
    });
    result(outcome.map_err(|error| errno(&error)))
}

fn cwd() -> Value {
    let outcome = rustix::process::getcwd(Vec::new());
    result(outcome.map(|path| json!(path.to_string_lossy())))
}

fn uname() -> Value {
    let name = rustix::system::uname();
    json!({
        "node": name.nodename().to_string_lossy(),
        "domain": name.domainname().to_string_lossy(),
        "machine": name.machine().to_string_lossy(),
        "release": name.release().to_string_lossy(),
    })
}

fn socket(family: &str) -> Value {
    let family = AddressFamily::from_raw(family.parse().unwrap_or(0));
    result(rustix::net::socket(family, SocketType::DGRAM, None).map(|_| Value::Null))
}

/// Starts as many children as it can, up to the number; all live at once.
fn fork(number: &str) -> Value {
    let wanted: usize = number.parse().unwrap_or(0);
    let mut children = Vec::new();
    let mut refused = None;
    for _ in 0..wanted {
        match Command::new("/bin/probe").arg("sleep").spawn() {
            Ok(child) => children.push(child),
            Err(error) => {
                refused = error.raw_os_error();
                break;
            }
        }
    }
    let started = children.len();
    for mut child in children {
        let _ = child.kill();
        let _ = child.wait();
    }
    json!({"started": started, "errno": refused})
}

/// Touches this many MiB, then says so.
fn memory(mebibytes: &str) -> Value {
    let size = mebibytes.parse::<usize>().unwrap_or(0) << 20;
    let block = vec![1_u8; size];
    let sum: usize = block
        .iter()
        .step_by(4096)
        .map(|byte| usize::from(*byte))
        .sum();
    json!({"ok": true, "pages": sum})
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
