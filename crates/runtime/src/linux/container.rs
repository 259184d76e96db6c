//! A container's state directory: reserving an id, the lock, loading, removing.
//!
//! ```text
//! ROOT/ID/            0700; its lock (flock on the directory itself) dies with its holder
//! ├── intent          names of outside effects, written before they are made
//! ├── state.json      what was made; absent while it is being made
//! ├── config.json     the bundle's document as it was at creation
//! ├── seccomp         the compiled filter, for exec
//! └── gate            the socket at which the program waits; gone once it runs
//! ```
//!
//! Each file ends with its checksum ([`crate::seal`]): a damaged one is never believed.

use super::cgroup::cgroup_error;
use super::record::Record;
use crate::error::{At, Error, Result};
use crate::seal;
use crate::state::{Status, Verb};
use dhow_sys::procfs::{ProcessStatus, Procfs};
use dhow_sys::{Mode, OFlags, fd, lock, path, tree};
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// What was made; the last file to appear.
const RECORD: &str = "state.json";
/// The same, while it is being made.
const DRAFT: &str = ".state.json";
/// The files of a state directory, in the order of their removal.
const FILES: [&str; 5] = [RECORD, "config.json", "gate", "seccomp", "intent"];

/// An opened container; locked, unless it was opened only to look.
#[derive(Debug)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// The state directory's path, for messages and removal.
    pub path: PathBuf,
    directory: OwnedFd,
}

/// Checks that an id can be the name of a directory and nothing more.
///
/// # Errors
/// [`Error::Usage`]
pub fn check_id(id: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-.".contains(&byte);
    let fits = !id.is_empty() && id.len() <= 255 && id.bytes().all(plain) && !id.starts_with('.');
    if fits {
        return Ok(());
    }
    let shown: String = id.chars().take(64).collect();
    let rule = "use letters, digits and _ + - . (not at the start), at most 255";
    Err(Error::Usage(format!(
        "invalid container id {shown:?}: {rule}"
    )))
}

impl Container {
    /// Takes an id that is free.
    ///
    /// # Errors
    /// [`Error::Usage`] for a bad id, [`Error::Taken`], or the call that failed.
    pub fn reserve(root: &Path, id: &str) -> Result<Self> {
        check_id(id)?;
        let directory = root.join(id);
        let made = match make_directory(&directory) {
            // The first container below this root.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make_root(root)?;
                make_directory(&directory)
            }
            made => made,
        };
        match made {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Error::Taken(id.into())),
            Err(error) => Err(io("mkdir", &directory, &error)).at("reserve the id"),
            Ok(()) => Self::open_directory(directory.clone(), id).inspect_err(|_| {
                // Ours since the line above, and empty.
                let _ = std::fs::remove_dir(&directory);
            }),
        }
    }

    /// Opens a container that exists, waiting for whoever else works on it.
    ///
    /// # Errors
    /// [`Error::NoContainer`], [`Error::Usage`] for a bad id, or the call that failed.
    pub fn open(root: &Path, id: &str) -> Result<Self> {
        check_id(id)?;
        Self::open_directory(root.join(id), id)
    }

    /// Opens a container only to look: without waiting for whoever works on it.
    ///
    /// # Errors
    /// As [`Container::open`].
    pub fn look(root: &Path, id: &str) -> Result<Self> {
        check_id(id)?;
        Self::open_unlocked(root.join(id), id)
    }

    fn open_directory(directory: PathBuf, id: &str) -> Result<Self> {
        let opened = Self::open_unlocked(directory, id)?;
        opened.lock()?;
        Ok(opened)
    }

    /// Takes the lock, waiting for whoever else works on the container.
    ///
    /// # Errors
    /// [`Error::NoContainer`] when it was deleted meanwhile; `flock`.
    pub fn lock(&self) -> Result<()> {
        let step = "lock the container";
        lock::exclusive(self.directory()).at(step)?;
        // Whoever held the lock may have deleted it; its path may already be another container's.
        if fd::stat(self.directory()).at(step)?.st_nlink == 0 {
            return Err(Error::NoContainer(self.id.clone()));
        }
        Ok(())
    }

    /// Lets others work on the container while this process holds on to it.
    ///
    /// # Errors
    /// `flock`.
    pub fn unlock(&self) -> Result<()> {
        lock::release(self.directory()).at("unlock the container")
    }

    fn open_unlocked(directory: PathBuf, id: &str) -> Result<Self> {
        let step = "open the state directory";
        let opened = match path::open_host_directory(&directory) {
            Err(error) if error.code() == 2 => return Err(Error::NoContainer(id.into())),
            result => result.at(step)?,
        };
        Ok(Self {
            id: id.into(),
            path: directory,
            directory: opened,
        })
    }

    /// The state directory.
    pub fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Reads a file of the state directory; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Document`] when it is not as it was written; the call that failed.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match path::read_beneath(self.directory(), name, 32 << 20) {
            Err(error) if error.code() == 2 => Ok(None),
            result => {
                let file = result.at("read the container's state")?;
                let data = seal::open(&file).map_err(|why| self.damaged(name, why))?;
                Ok(Some(data.to_vec()))
            }
        }
    }

    fn damaged(&self, name: &str, why: &str) -> Error {
        Error::Document {
            path: self.path.join(name),
            reason: format!("is damaged ({why}); `delete --force {}` cleans up", self.id),
        }
    }

    /// Writes `state.json` under another name; [`Container::publish`] gives it its own, so that it is
    /// either whole or absent.
    ///
    /// # Errors
    /// The call that failed, also when the disk is full.
    pub fn draft(&self, data: &[u8]) -> Result<()> {
        let step = "write the container's state";
        let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY;
        let mode = Mode::from_raw_mode(0o600);
        let file = path::open_beneath(self.directory(), Path::new(DRAFT), flags, mode).at(step)?;
        self.write(file, DRAFT, data).at(step)
    }

    /// From here on the container is finished, for everybody.
    ///
    /// # Errors
    /// `rename`.
    pub fn publish(&self) -> Result<()> {
        let from = self.path.join(DRAFT);
        std::fs::rename(&from, self.path.join(RECORD))
            .map_err(|error| io("rename", &from, &error))
            .at("write the container's state")
    }

    /// Writes a file that counts only together with `state.json`, which is written last.
    ///
    /// # Errors
    /// The call that failed, also when the disk is full.
    pub fn put(&self, name: &str, data: &[u8]) -> Result<()> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
        let mode = Mode::from_raw_mode(0o600);
        let step = "write the container's state";
        let file = path::open_beneath(self.directory(), Path::new(name), flags, mode).at(step)?;
        self.write(file, name, data).at(step)
    }

    /// Data and seal in one call of the kernel.
    fn write(&self, file: OwnedFd, name: &str, data: &[u8]) -> dhow_sys::Result<()> {
        let sealed = [data, &seal::seal(data)].concat();
        std::io::Write::write_all(&mut std::fs::File::from(file), &sealed)
            .map_err(|error| io("write", &self.path.join(name), &error))
    }

    /// Notes the names of the effects outside this directory before they are made, so that
    /// `delete --force` finds them even when we are killed in between.
    ///
    /// # Errors
    /// The call that failed.
    pub fn intend(&self, cgroup: &dhow_cgroup::Group) -> Result<()> {
        self.put("intent", &serde_json::to_vec(cgroup).unwrap_or_default())
    }

    /// What was made of it; `None` while (or because) it was never finished.
    ///
    /// # Errors
    /// [`Error::Document`] when the file is damaged.
    pub fn record(&self) -> Result<Option<Record>> {
        let Some(text) = self.read(RECORD)? else {
            return Ok(None);
        };
        Record::read(&text)
            .map(Some)
            .map_err(|why| self.damaged(RECORD, &why))
    }

    /// What was made of it, when it was finished.
    ///
    /// # Errors
    /// [`Error::State`] while it is being created.
    pub fn finished(&self, verb: &'static str) -> Result<Record> {
        let missing = || Error::State {
            id: self.id.clone(),
            verb,
            status: Status::Creating.word(),
        };
        self.record()?.ok_or_else(missing)
    }

    /// The state that the kernel shows.
    ///
    /// # Errors
    /// The call, when the kernel does not say.
    pub fn status(&self, record: Option<&Record>) -> Result<Status> {
        let Some(record) = record else {
            return Ok(Status::Creating);
        };
        let Some(process) = record.process()? else {
            return Ok(Status::Stopped);
        };
        if process.before_exec && self.has_gate()? {
            return Ok(Status::Created);
        }
        match record.cgroup.as_ref().map(dhow_cgroup::Group::is_frozen) {
            Some(Ok(true)) => Ok(Status::Paused),
            // A cgroup that is gone holds nobody still.
            Some(Err(error)) if error.kind() != dhow_cgroup::ErrorKind::NotFound => {
                Err(cgroup_error(error))
            }
            _ => Ok(Status::Running),
        }
    }

    fn has_gate(&self) -> Result<bool> {
        let found = tree::stat(self.directory(), "gate".as_ref());
        found
            .at("look for the start gate")
            .map(|stat| stat.is_some())
    }

    /// What was made of it, when its state allows the verb.
    ///
    /// # Errors
    /// [`Error::State`], or the call, when the kernel does not tell the state.
    pub fn allowed(&self, verb: Verb, word: &'static str) -> Result<Record> {
        let record = self.record()?;
        self.allow(self.status(record.as_ref())?, verb, word)?;
        record.ok_or_else(|| Error::NoContainer(self.id.clone()))
    }

    /// Fails unless the state table allows a verb.
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn allow(&self, status: Status, verb: Verb, word: &'static str) -> Result<()> {
        if status.allows(verb) {
            return Ok(());
        }
        Err(Error::State {
            id: self.id.clone(),
            verb: word,
            status: status.word(),
        })
    }

    /// Removes the state directory; the id is free again.
    ///
    /// # Errors
    /// The call that failed.
    pub fn remove(&self) -> Result<()> {
        // The intent goes last: until then everything that was made can still be found. What is not
        // there, or not ours, is seen by the last call.
        for name in FILES {
            let _ = tree::remove_file(self.directory(), name.as_ref());
        }
        let removed = match std::fs::remove_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {
                // What a killed creation has left.
                for name in tree::names(self.directory()).at("remove the state directory")? {
                    tree::remove_tree(self.directory(), &name).at("remove the state directory")?;
                }
                std::fs::remove_dir(&self.path)
            }
            removed => removed,
        };
        match removed {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed
                .map_err(|error| io("rmdir", &self.path, &error))
                .at("remove the state directory"),
        }
    }
}

/// Every container below a root, sorted by id; those that vanish meanwhile are left out.
///
/// # Errors
/// The call that failed.
pub fn ids(root: &Path) -> Result<Vec<String>> {
    let step = "list the containers";
    let directory = match path::open_host_directory(root) {
        Err(error) if error.code() == 2 => return Ok(Vec::new()),
        directory => directory.at(step)?,
    };
    // A part of them would pass for all.
    let names = tree::names(directory.as_fd()).at(step)?;
    let names = names.into_iter().filter_map(|name| name.into_string().ok());
    let mut ids: Vec<String> = names.filter(|name| check_id(name).is_ok()).collect();
    ids.sort();
    Ok(ids)
}

fn make_directory(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700).create(path)
}

fn make_root(root: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o700);
    builder
        .create(root)
        .map_err(|error| io("mkdir", root, &error))
        .at("make the state root")
}

/// An error of the standard library's file functions as one of a call.
pub fn io(call: &'static str, path: &Path, error: &std::io::Error) -> dhow_sys::Error {
    dhow_sys::Error::new(
        call,
        path.display().to_string(),
        error.raw_os_error().unwrap_or(0),
    )
}

/// What the kernel says of a process, if it is the one that was recorded and has not ended.
///
/// # Errors
/// The read; that there is no such process is none.
pub fn alive(procfs: &Procfs, pid: u32, start_time: u64) -> Result<Option<ProcessStatus>> {
    let status = match ProcessStatus::of(procfs, pid) {
        // ENOENT; ESRCH when it ended after its file was opened.
        Err(error) if matches!(error.code(), 2 | 3) => return Ok(None),
        status => status.at("read the process's status")?,
    };
    Ok((status.start_time == start_time && !status.ended()).then_some(status))
}
