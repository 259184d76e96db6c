//! How the engine's objects lie on the disk, how they are locked, and nothing else: the only file
//! that knows the layout.
//!
//! ```text
//!  ROOT/                          durable, 0700
//!    containers/ID/               one directory per container; its own descriptor is its lock
//!      container.json             what was asked (written once, when the container is whole)
//!      config.json rootfs/        the OCI bundle
//!      hosts hostname resolv.conf bound into the container
//!      log log.1                  output
//!      started exit               written by the monitor: the run's beginning and end
//!    container-names/NAME         a symbolic link, made exclusively, whose target is the id
//!    volumes/NAME/_data
//!    (images lie beside, see dhow-image)
//!  RUN/                           volatile, 0700
//!    containers/ID/               monitor (its lock) attach (its socket) pid runtime.log
//!    runtime/                     the runtime's own state
//! ```
//!
//! A directory without `container.json` is being made, or was left by a killed process: whoever gets
//! its lock may remove it. Locks are `flock(2)`, so they die with their holder; the order is one
//! container at a time, never two.

use crate::doing::Doing;
use crate::error::{Error, Result};
use crate::record::Record;
use dhow_sys::{OFlags, file, lock, path, tree};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

const CONTAINERS: &str = "containers";
const NAMES: &str = "container-names";
const VOLUMES: &str = "volumes";
const RECORD: &str = "container.json";
/// The longest document of ours.
const DOCUMENT: usize = 16 << 20;

/// The open directories.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
    run: PathBuf,
    containers: OwnedFd,
    names: OwnedFd,
    living: OwnedFd,
}

/// A container's directory.
#[derive(Debug)]
pub(crate) struct Directory {
    /// The container's id.
    pub(crate) id: String,
    fd: OwnedFd,
}

/// A container's directory whose lock this process holds.
#[derive(Debug)]
pub(crate) struct Locked(Directory);

impl Store {
    /// Opens the directories, making what is missing.
    pub(crate) fn open(root: &Path, run: &Path) -> Result<Self> {
        let root = private(root)?;
        let run = private(run)?;
        let inside = |parent: &Path, name: &str| {
            let path = parent.join(name);
            match path::open_directory(&path) {
                Err(error) if error.name() == "ENOENT" => {
                    private(&path)?;
                    path::open_directory(&path)
                }
                result => result,
            }
            .doing(|| format!("open {}", path.display()))
        };
        Ok(Self {
            containers: inside(&root, CONTAINERS)?,
            names: inside(&root, NAMES)?,
            living: inside(&run, CONTAINERS)?,
            root,
            run,
        })
    }

    /// The durable directory of a container.
    pub(crate) fn directory_of(&self, id: &str) -> PathBuf {
        self.root.join(CONTAINERS).join(id)
    }

    /// The volatile directory of a container.
    pub(crate) fn living_of(&self, id: &str) -> PathBuf {
        self.run.join(CONTAINERS).join(id)
    }

    /// Where the runtime keeps its state.
    pub(crate) fn runtime_root(&self) -> PathBuf {
        self.run.join("runtime")
    }

    /// Makes a container's directory, locked. It counts as a container only with its record.
    pub(crate) fn reserve(&self, id: &str) -> Result<Locked> {
        let name = OsStr::new(id);
        tree::make_directory(self.containers.as_fd(), name, 0o700)
            .doing(|| format!("make the directory {}", self.directory_of(id).display()))?;
        let directory = self.open_id(id)?.ok_or_else(|| Error::NoSuchContainer {
            name: id.to_owned(),
        })?;
        directory.lock(self)?.ok_or_else(|| Error::NoSuchContainer {
            name: id.to_owned(),
        })
    }

    /// Opens a container's directory, whole or not.
    pub(crate) fn open_id(&self, id: &str) -> Result<Option<Directory>> {
        let opened = tree::open_directory(self.containers.as_fd(), OsStr::new(id));
        match opened {
            Ok(fd) => Ok(Some(Directory {
                id: id.to_owned(),
                fd,
            })),
            Err(error) if error.name() == "ENOENT" => Ok(None),
            Err(error) => Err(error).doing(|| format!("open container {id}")),
        }
    }

    /// Finds a container by name, id, or a beginning of the id that no other has.
    pub(crate) fn find(&self, text: &str) -> Result<Directory> {
        let missing = || Error::NoSuchContainer {
            name: text.to_owned(),
        };
        if let Some(id) = self.id_of_name(text)?
            && let Some(directory) = self.open_id(&id)?
        {
            return Ok(directory);
        }
        let hex = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !hex || text.len() > 64 {
            return Err(missing());
        }
        if text.len() == 64 {
            return self.open_id(text)?.ok_or_else(missing);
        }
        let mut ids = self.ids()?;
        ids.retain(|id| id.starts_with(text));
        match ids.as_slice() {
            [] => Err(missing()),
            [id] => self.open_id(id)?.ok_or_else(missing),
            several => Err(Error::AmbiguousId {
                prefix: text.to_owned(),
                count: several.len(),
            }),
        }
    }

    /// The ids of all directories of containers, whole or not.
    pub(crate) fn ids(&self) -> Result<Vec<String>> {
        let names = path::reopen(self.containers.as_fd(), OFlags::RDONLY)
            .and_then(|containers| tree::names(containers.as_fd()))
            .doing(|| "list the containers".into())?;
        let ids = names.into_iter().filter_map(|name| name.into_string().ok());
        Ok(ids.filter(|id| id.len() == 64).collect())
    }

    /// Opens every whole container.
    pub(crate) fn all(&self) -> Result<Vec<(Directory, Record)>> {
        let mut all = Vec::new();
        for id in self.ids()? {
            if let Some(directory) = self.open_id(&id)?
                && let Some(record) = directory.record()?
            {
                all.push((directory, record));
            }
        }
        Ok(all)
    }

    fn id_of_name(&self, name: &str) -> Result<Option<String>> {
        if !crate::options::is_name(name) {
            return Ok(None);
        }
        match tree::read_link(self.names.as_fd(), OsStr::new(name)) {
            Ok(target) => Ok(target.into_string().ok()),
            Err(error) if matches!(error.name().as_str(), "ENOENT" | "EINVAL") => Ok(None),
            Err(error) => Err(error).doing(|| format!("look up the name {name:?}")),
        }
    }

    /// Takes a name for a container; the link's making decides between rivals.
    pub(crate) fn take_name(&self, name: &str, id: &str) -> Result<()> {
        for _ in 0..16 {
            match tree::make_symlink(self.names.as_fd(), OsStr::new(name), OsStr::new(id)) {
                Ok(()) => return Ok(()),
                Err(error) if error.name() == "EEXIST" => {}
                Err(error) => return Err(error).doing(|| format!("take the name {name:?}")),
            }
            let Some(holder) = self.id_of_name(name)? else {
                continue;
            };
            if self.is_somebody(&holder)? {
                return Err(Error::NameTaken {
                    name: name.to_owned(),
                    id: holder,
                });
            }
            // Its container is gone: a killed process left it. Only one cleaner at a time, so that
            // nobody removes the link that another has just made.
            let guard = path::reopen(self.names.as_fd(), OFlags::RDONLY)
                .doing(|| "open the names".into())?;
            lock::exclusive(guard.as_fd()).doing(|| "lock the names".into())?;
            if self.id_of_name(name)?.as_deref() == Some(holder.as_str()) {
                self.drop_name(name, &holder)?;
            }
        }
        Err(Error::NameTaken {
            name: name.to_owned(),
            id: String::new(),
        })
    }

    /// Whether a container of this id exists or is being made. A directory without record whose lock
    /// is free was left by a killed process; it is removed here.
    fn is_somebody(&self, id: &str) -> Result<bool> {
        let Some(directory) = self.open_id(id)? else {
            return Ok(false);
        };
        if directory.record()?.is_some() {
            return Ok(true);
        }
        match directory.try_lock(self)? {
            Some(locked) if locked.0.record()?.is_none() => {
                self.remove(&locked)?;
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    /// Gives a name back, if it is this container's.
    pub(crate) fn drop_name(&self, name: &str, id: &str) -> Result<()> {
        if self.id_of_name(name)?.as_deref() != Some(id) {
            return Ok(());
        }
        ignore_missing(tree::remove_file(self.names.as_fd(), OsStr::new(name)))
            .doing(|| format!("give back the name {name:?}"))
    }

    /// All names with the id that each stands for.
    pub(crate) fn names(&self) -> Result<Vec<(String, String)>> {
        let names = path::reopen(self.names.as_fd(), OFlags::RDONLY)
            .and_then(|names| tree::names(names.as_fd()))
            .doing(|| "list the names".into())?;
        let mut pairs = Vec::new();
        for name in names.into_iter().filter_map(|name| name.into_string().ok()) {
            if let Some(id) = self.id_of_name(&name)? {
                pairs.push((name, id));
            }
        }
        Ok(pairs)
    }

    /// Makes a container's volatile directory, or opens it.
    pub(crate) fn make_living(&self, id: &str) -> Result<OwnedFd> {
        match tree::make_directory(self.living.as_fd(), OsStr::new(id), 0o700) {
            Err(error) if error.name() != "EEXIST" => {
                return Err(error).doing(|| format!("make {}", self.living_of(id).display()));
            }
            _ => {}
        }
        tree::open_directory(self.living.as_fd(), OsStr::new(id))
            .doing(|| format!("open {}", self.living_of(id).display()))
    }

    /// Opens a container's volatile directory, if it has one.
    pub(crate) fn living(&self, id: &str) -> Option<OwnedFd> {
        tree::open_directory(self.living.as_fd(), OsStr::new(id)).ok()
    }

    /// The ids that have a volatile directory.
    pub(crate) fn living_ids(&self) -> Result<Vec<String>> {
        let names = path::reopen(self.living.as_fd(), OFlags::RDONLY)
            .and_then(|living| tree::names(living.as_fd()))
            .doing(|| "list the living containers".into())?;
        Ok(names
            .into_iter()
            .filter_map(|name| name.into_string().ok())
            .collect())
    }

    /// Removes a container's volatile directory.
    pub(crate) fn remove_living(&self, id: &str) -> Result<()> {
        remove_tree(self.living.as_fd(), OsStr::new(id))
            .doing(|| format!("remove {}", self.living_of(id).display()))
    }

    /// Removes a container's durable directory: it ceases to be a container with the record, the
    /// first thing to go.
    pub(crate) fn remove(&self, container: &Locked) -> Result<()> {
        let id = &container.0.id;
        let doing = || format!("remove the directory of container {id}");
        ignore_missing(tree::remove_file(container.fd(), OsStr::new(RECORD))).doing(doing)?;
        remove_tree(self.containers.as_fd(), OsStr::new(id)).doing(doing)
    }

    /// The directory of a volume.
    pub(crate) fn volume_directory(&self, name: &str) -> PathBuf {
        self.root.join(VOLUMES).join(name)
    }

    /// The data directory of a volume, made when it is missing.
    pub(crate) fn volume(&self, name: &str) -> Result<PathBuf> {
        let data = self.root.join(VOLUMES).join(name).join("_data");
        if !data.is_dir() {
            private(&self.root.join(VOLUMES).join(name))?;
            // Inside, the container's users decide: as for any root directory.
            make(&data, 0o755)?;
        }
        Ok(data)
    }
}

impl Directory {
    /// The directory itself.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Takes the lock, waiting for it; `None` when the container was removed meanwhile.
    pub(crate) fn lock(self, store: &Store) -> Result<Option<Locked>> {
        lock::exclusive(self.fd()).doing(|| format!("lock container {}", self.id))?;
        self.still_there(store)
    }

    /// Takes the lock if it is free.
    pub(crate) fn try_lock(self, store: &Store) -> Result<Option<Locked>> {
        let free = lock::try_exclusive(self.fd());
        if !free.doing(|| format!("lock container {}", self.id))? {
            return Ok(None);
        }
        self.still_there(store)
    }

    fn still_there(self, store: &Store) -> Result<Option<Locked>> {
        let doing = || format!("lock container {}", self.id);
        let named = tree::stat(store.containers.as_fd(), OsStr::new(&self.id)).doing(doing)?;
        let ours = dhow_sys::fd::stat(self.fd()).doing(doing)?;
        let same = named.is_some_and(|named| named.st_ino == ours.st_ino);
        Ok(same.then_some(Locked(self)))
    }

    /// The record; `None` when the container is not whole.
    pub(crate) fn record(&self) -> Result<Option<Record>> {
        self.document(RECORD)
    }

    /// A document of this container, if it is there.
    pub(crate) fn document<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let bytes = match path::read_beneath(self.fd(), name, DOCUMENT) {
            Ok(bytes) => bytes,
            Err(error) if error.name() == "ENOENT" => return Ok(None),
            Err(error) => return Err(error).doing(|| format!("read {name} of {}", self.id)),
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Error::BadState {
                path: Path::new(CONTAINERS).join(&self.id).join(name),
                reason: error.to_string(),
            })
    }
}

impl Locked {
    /// The container's id.
    pub(crate) fn id(&self) -> &str {
        &self.0.id
    }

    /// The directory, still locked.
    pub(crate) fn directory(&self) -> &Directory {
        &self.0
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.0.fd()
    }

    /// Makes a file of a container that is not whole yet, so that nobody can see half of it.
    pub(crate) fn make_file(&self, name: &str, content: &[u8], mode: u32) -> Result<()> {
        tree::create_file(self.fd(), OsStr::new(name), mode)
            .and_then(|file| dhow_sys::stream::write_all(file.as_fd(), content))
            .doing(|| format!("write {name} of container {}", self.id()))
    }

    /// Makes an empty directory of the container.
    pub(crate) fn make_directory(&self, name: &str, mode: u32) -> Result<()> {
        tree::make_directory(self.fd(), OsStr::new(name), mode)
            .doing(|| format!("make {name} of container {}", self.id()))
    }

    /// Makes a symbolic link below the container's directory, in a part of it that no container has
    /// ever seen.
    pub(crate) fn make_link(&self, path: &str, target: &OsStr) -> Result<()> {
        let doing = || format!("make {path} of container {}", self.id());
        let path = Path::new(path);
        let parent = path.parent().unwrap_or(Path::new("."));
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let parent =
            path::open_beneath(self.fd(), parent, flags, dhow_sys::Mode::empty()).doing(doing)?;
        let name = path.file_name().unwrap_or_default();
        tree::make_symlink(parent.as_fd(), name, target).doing(doing)
    }

    /// Makes the container whole. With `durable` it is still there after a power cut.
    pub(crate) fn commit(&self, record: &Record, durable: bool) -> Result<()> {
        let bytes = serde_json::to_vec(record).map_err(|error| Error::BadState {
            path: RECORD.into(),
            reason: error.to_string(),
        })?;
        file::replace(self.fd(), OsStr::new(RECORD), &bytes, 0o600, durable)
            .doing(|| format!("write the record of container {}", self.id()))
    }

    /// Removes a file of the container, if it is there.
    pub(crate) fn remove_file(&self, name: &str) -> Result<()> {
        ignore_missing(tree::remove_file(self.fd(), OsStr::new(name)))
            .doing(|| format!("remove {name} of container {}", self.id()))
    }
}

/// Removes a directory although a monitor that is about to end may still be removing or writing in
/// it: what vanishes or appears meanwhile is met by another round.
fn remove_tree(parent: BorrowedFd<'_>, name: &OsStr) -> dhow_sys::Result<()> {
    const ROUNDS: usize = 64;
    for _ in 0..ROUNDS {
        match tree::remove_tree(parent, name) {
            Err(error) if matches!(error.name().as_str(), "ENOENT" | "ENOTEMPTY") => {
                if tree::stat(parent, name)?.is_none() {
                    return Ok(());
                }
            }
            result => return result,
        }
    }
    tree::remove_tree(parent, name)
}

fn ignore_missing(result: dhow_sys::Result<()>) -> dhow_sys::Result<()> {
    match result {
        Err(error) if error.name() == "ENOENT" => Ok(()),
        result => result,
    }
}

fn make(path: &Path, mode: u32) -> Result<()> {
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path);
    made.map_err(|error| Error::Call {
        doing: format!("make the directory {}", path.display()),
        source: dhow_sys::Error::new(
            "mkdir",
            format!("{}, 0{mode:o}", path.display()),
            error.raw_os_error().unwrap_or(0),
        ),
    })
}

/// Makes a directory that only its owner may enter, or checks that it is one: what lies below are
/// other people's set-user-id programs, and sockets that obey whoever can open them.
fn private(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let bad = |reason: &str| Error::BadState {
        path: path.clone(),
        reason: reason.to_owned(),
    };
    let seen = match std::fs::symlink_metadata(&path) {
        Ok(seen) => seen,
        Err(_) => {
            make(&path, 0o700)?;
            std::fs::symlink_metadata(&path).map_err(|error| bad(&error.to_string()))?
        }
    };
    if seen.file_type().is_symlink() && path.starts_with("/tmp") {
        return Err(bad(
            "it is a symbolic link in a directory that everybody can write",
        ));
    }
    let seen = std::fs::metadata(&path).map_err(|error| bad(&error.to_string()))?;
    if !seen.is_dir() {
        return Err(bad("it is no directory"));
    }
    if seen.uid() != dhow_sys::id::effective_user() {
        return Err(bad("it belongs to another user"));
    }
    if seen.mode() & 0o077 != 0 {
        let mode = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(&path, mode).map_err(|error| Error::Call {
            doing: format!("keep others out of {}", path.display()),
            source: dhow_sys::Error::new(
                "chmod",
                format!("{}, 0700", path.display()),
                error.raw_os_error().unwrap_or(0),
            ),
        })?;
    }
    Ok(path)
}

/// The names in a directory of the container, for callers that only have its path.
pub(crate) fn file_names(directory: &Path) -> Vec<OsString> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    entries.flatten().map(|entry| entry.file_name()).collect()
}
