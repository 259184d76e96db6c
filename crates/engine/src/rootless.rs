//! Working for an ordinary user: what needs the container's other ids is done by a helper process in
//! a user namespace that has them.
//!
//! ```text
//!   engine                                   helper: our own program, run again
//!   start it, a socket as standard input ─▶  unshare(CLONE_NEWUSER), before any thread
//!                                        ◀─  "N": there is a namespace
//!   newuidmap, newgidmap on its number
//!   "M": it is mapped                    ─▶  become its root, do the work
//!                                        ◀─  "K" or "E": done, or kind and message
//! ```
//!
//! The kernel lets an unprivileged process map its own id only; the ranges of `/etc/subuid` are
//! written by set-user-id programs of the system that check them.

use crate::config::Config;
use crate::doing::Doing;
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::idmap::{self, Maps};
use crate::images::image_error;
use dhow_image::{Driver, Image, Ownership, Root, RootOptions, Store};
use dhow_sys::{fd, id, namespace, process, socket, tree};
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The hidden mode of the helper.
const HELPER: &str = "__userns";
/// The hidden mode in which a monitor cleans up after a container nobody watched.
const CLEANUP: &str = "__cleanup";
/// The longest message between engine and helper.
const MESSAGE: usize = 64 * 1024;

/// What a helper can be asked.
#[derive(Debug, Serialize, Deserialize)]
enum Task {
    /// Unpack the layers of the image with this manifest.
    Unpack { store: PathBuf, manifest: String },
    /// Make the root of a container.
    Prepare {
        store: PathBuf,
        manifest: String,
        key: String,
        driver: Driver,
        options: RootOptions,
    },
    /// Remove the root of a container.
    Discard { store: PathBuf, key: String },
    /// Remove what no image and no root refers to.
    Collect { store: PathBuf },
    /// Remove a directory and all below.
    Remove { path: PathBuf },
}

/// How a helper failed.
#[derive(Debug, Serialize, Deserialize)]
struct Failure {
    kind: String,
    message: String,
}

/// Runs one of the engine's hidden modes if this process was started for one (its first argument
/// says so), and never returns then. Call it first in `main`, before any thread.
pub fn intercept() {
    let mut words = std::env::args_os().skip(1);
    match words.next() {
        Some(mode) if mode == HELPER => process::exit(helper()),
        Some(mode) if mode == CLEANUP => {
            let words: Vec<String> = words.filter_map(|word| word.into_string().ok()).collect();
            process::exit(cleanup(&words));
        }
        _ => {}
    }
}

/// The arguments for [`CLEANUP`].
pub(crate) fn cleanup_words(config: &Config, id: &str) -> Vec<std::ffi::OsString> {
    vec![
        CLEANUP.into(),
        config.root.clone().into(),
        config.run.clone().into(),
        config.runtime.clone().into(),
        id.into(),
    ]
}

fn cleanup(words: &[String]) -> u8 {
    let [root, run, runtime, id] = words else {
        return 125;
    };
    let mut config = Config::of_this_process();
    config.root = root.into();
    config.run = run.into();
    config.runtime = runtime.into();
    let cleaned = Engine::open(config).and_then(|engine| {
        // Nobody is there to be told of a failure; `sweep` tries again.
        crate::container::remove::after_end(&engine, id)
    });
    if cleaned.is_ok() { 0 } else { 125 }
}

/// The maps of this user.
pub(crate) fn maps() -> Maps {
    let (user, group) = (id::effective_user(), id::effective_group());
    let name = idmap::user_name(user);
    let helpers = idmap::helper("newuidmap").is_some() && idmap::helper("newgidmap").is_some();
    let ranges = |file: &str| {
        if helpers {
            idmap::ranges_of(Path::new(file), user, name.as_deref())
        } else {
            Vec::new()
        }
    };
    let (users, groups) = (ranges("/etc/subuid"), ranges("/etc/subgid"));
    if users.is_empty() || groups.is_empty() {
        // One without the other would give files owners that cannot be set.
        return Maps::of_user(user, group, &[], &[]);
    }
    Maps::of_user(user, group, &users, &groups)
}

/// Makes a container's root whose files keep their owners. The layers are unpacked by a helper, when
/// they are not yet there; the rest is our own unless somebody else owns the image's `/`.
pub(crate) fn prepare(
    engine: &Engine,
    images: &Store,
    key: &str,
    image: &Image,
    driver: Driver,
    options: &RootOptions,
) -> Result<Root> {
    let failed = |error| image_error(format!("prepare the image {}", image.shown()), error);
    let (store, manifest) = (images.root().to_path_buf(), image.digest.to_string());
    if driver == Driver::Overlay {
        if !images.is_unpacked(image, options.ownership) {
            run(
                engine,
                "unpack the image",
                &Task::Unpack {
                    store: store.clone(),
                    manifest: manifest.clone(),
                },
            )?;
        }
        match images.prepare(key, image, driver, options, &mut ()) {
            Err(error) if error.kind() == dhow_image::ErrorKind::Permission => {}
            result => return result.map_err(failed),
        }
    }
    let task = Task::Prepare {
        store,
        manifest,
        key: key.to_owned(),
        driver,
        options: *options,
    };
    run(engine, "prepare the image", &task)?;
    images.root_of(key).map_err(failed)
}

/// Removes the root of a container with files of its other users in it.
pub(crate) fn discard(engine: &Engine, images: &Store, key: &str) -> Result<()> {
    let task = Task::Discard {
        store: images.root().to_path_buf(),
        key: key.to_owned(),
    };
    run(engine, "remove the root", &task)
}

/// Removes what no image and no container refers to.
pub(crate) fn collect(engine: &Engine, images: &Store) -> Result<()> {
    match images.collect_garbage() {
        Err(error)
            if engine.config().rootless && error.kind() == dhow_image::ErrorKind::Permission =>
        {
            let store = images.root().to_path_buf();
            run(engine, "collect garbage", &Task::Collect { store })
        }
        result => result
            .map(drop)
            .map_err(|error| image_error("collect garbage".into(), error)),
    }
}

/// Removes a directory that may hold files of a container's other users.
pub(crate) fn remove_tree(engine: &Engine, path: &Path) -> Result<()> {
    let removed = remove_here(path);
    match removed {
        Err(error)
            if engine.config().rootless && matches!(error.name().as_str(), "EACCES" | "EPERM") =>
        {
            run(
                engine,
                "remove a directory",
                &Task::Remove {
                    path: path.to_path_buf(),
                },
            )
        }
        result => result.doing(|| format!("remove {}", path.display())),
    }
}

fn remove_here(path: &Path) -> dhow_sys::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(());
    };
    let parent = dhow_sys::path::open_directory(parent)?;
    match tree::remove_tree(parent.as_fd(), name) {
        Err(error) if error.name() == "ENOENT" => Ok(()),
        result => result,
    }
}

/// Has a helper do a task.
fn run(engine: &Engine, doing: &'static str, task: &Task) -> Result<()> {
    let failed = |message: String| Error::Helper {
        doing,
        message,
        kind: Kind::Internal,
    };
    let program = engine.helper()?;
    let (near, far) = socket::pair().doing(|| "make a socket for a helper".into())?;
    let words = serde_json::to_vec(task).map_err(|error| failed(error.to_string()))?;
    let mut child = Command::new(&program)
        .arg(HELPER)
        .stdin(Stdio::from(far))
        .spawn()
        .map_err(|source| Error::Spawn { program, source })?;
    let outcome = converse(engine.maps(), &near, child.id(), doing, &words);
    drop(near);
    // It ends by itself once the socket is closed.
    let _ = child.wait();
    outcome
}

fn converse(maps: &Maps, near: &OwnedFd, pid: u32, doing: &'static str, task: &[u8]) -> Result<()> {
    let hear = || -> Result<Vec<u8>> {
        let mut message = vec![0; MESSAGE];
        let (length, _) =
            socket::receive(near.as_fd(), &mut message).doing(|| "hear from a helper".into())?;
        message.truncate(length);
        Ok(message)
    };
    let answer = |message: &[u8]| match message.split_first() {
        Some((b'K', _)) => Ok(()),
        Some((b'E', text)) => Err(read_failure(doing, text)),
        _ => Err(Error::Helper {
            doing,
            message: "it ended without a word".into(),
            kind: Kind::Internal,
        }),
    };
    let first = hear()?;
    if first != b"N" {
        return answer(&first);
    }
    map("newuidmap", pid, &Maps::words(&maps.users))?;
    map("newgidmap", pid, &Maps::words(&maps.groups))?;
    socket::send(near.as_fd(), &[b"M", task].concat(), &[]).doing(|| "speak to a helper".into())?;
    answer(&hear()?)
}

fn map(name: &str, pid: u32, words: &[String]) -> Result<()> {
    let program = idmap::helper(name).ok_or_else(|| Error::NoSibling {
        program: name.to_owned(),
        looked: "/usr/bin, /bin, /usr/local/bin".into(),
    })?;
    let output = Command::new(&program)
        .arg(pid.to_string())
        .args(words)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Error::Spawn {
            program: program.clone(),
            source,
        })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Helper {
        doing: "map the ids",
        message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        kind: Kind::Permission,
    })
}

fn read_failure(doing: &'static str, text: &[u8]) -> Error {
    let failure: Failure = serde_json::from_slice(text).unwrap_or_else(|_| Failure {
        kind: String::new(),
        message: String::from_utf8_lossy(text).into_owned(),
    });
    let kind = match failure.kind.as_str() {
        "NotFound" => Kind::NotFound,
        "Conflict" => Kind::Conflict,
        "InvalidInput" => Kind::InvalidInput,
        "Permission" => Kind::Permission,
        "Unsupported" => Kind::Unsupported,
        "Kernel" => Kind::Kernel,
        _ => Kind::Internal,
    };
    Error::Helper {
        doing,
        message: failure.message,
        kind,
    }
}

/// The helper's side.
fn helper() -> u8 {
    let Ok(socket) = fd::duplicate_from(std::io::stdin().as_fd(), 3) else {
        return 125;
    };
    let outcome = namespaced(&socket);
    let message = match &outcome {
        Ok(()) => b"K".to_vec(),
        Err(error) => {
            let causes = error.causes().join(": ");
            let failure = Failure {
                kind: format!("{:?}", error.kind()),
                message: if causes.is_empty() {
                    error.to_string()
                } else {
                    format!("{error}: {causes}")
                },
            };
            let text = serde_json::to_vec(&failure).unwrap_or_default();
            [&b"E"[..], &text].concat()
        }
    };
    let told = socket::send(socket.as_fd(), &message, &[]);
    u8::from(outcome.is_err() || told.is_err())
}

fn namespaced(socket: &OwnedFd) -> Result<()> {
    namespace::unshare(namespace::USER).doing(|| "make a user namespace".into())?;
    socket::send(socket.as_fd(), b"N", &[]).doing(|| "speak to the engine".into())?;
    let mut message = vec![0; MESSAGE];
    let (length, _) =
        socket::receive(socket.as_fd(), &mut message).doing(|| "hear from the engine".into())?;
    let Some((b'M', task)) = message[..length].split_first() else {
        return Err(Error::Helper {
            doing: "map the ids",
            message: "the engine has gone".into(),
            kind: Kind::Internal,
        });
    };
    let task: Task = serde_json::from_slice(task).map_err(|error| Error::Helper {
        doing: "understand the engine",
        message: error.to_string(),
        kind: Kind::Internal,
    })?;
    // Group first: without CAP_SETGID it could not be changed any more.
    id::set_group(0).doing(|| "become root of the namespace".into())?;
    id::set_user(0).doing(|| "become root of the namespace".into())?;
    perform(task)
}

fn perform(task: Task) -> Result<()> {
    let open = |path: &Path| {
        Store::open(path).map_err(|error| image_error("open the image store".into(), error))
    };
    let find = |store: &Store, manifest: &str| {
        store
            .find(manifest)
            .map_err(|error| image_error("find the image".into(), error))
    };
    match task {
        Task::Unpack { store, manifest } => {
            let store = open(&store)?;
            let image = find(&store, &manifest)?;
            let unpacked = store.unpack(&image, Ownership::Keep, &mut ());
            unpacked
                .map(drop)
                .map_err(|error| image_error("unpack the image".into(), error))
        }
        Task::Prepare {
            store,
            manifest,
            key,
            driver,
            options,
        } => {
            let store = open(&store)?;
            let image = find(&store, &manifest)?;
            let prepared = store.prepare(&key, &image, driver, &options, &mut ());
            prepared
                .map(drop)
                .map_err(|error| image_error("prepare the image".into(), error))
        }
        Task::Discard { store, key } => {
            let store = open(&store)?;
            store
                .discard(&key)
                .and_then(|_| store.collect_garbage())
                .map(drop)
                .map_err(|error| image_error("remove the root".into(), error))
        }
        Task::Collect { store } => open(&store)?
            .collect_garbage()
            .map(drop)
            .map_err(|error| image_error("collect garbage".into(), error)),
        Task::Remove { path } => remove_here(&path).doing(|| format!("remove {}", path.display())),
    }
}
