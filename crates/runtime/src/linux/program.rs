//! Finding the container's program, and becoming it.

use crate::error::{At, Error, Result};
use dhow_sys::{OFlags, path, process};
use std::ffi::CString;
use std::os::fd::BorrowedFd;
use std::path::Path;

/// A program that was found, with what it is given.
#[derive(Debug)]
pub struct Program {
    path: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    name: String,
}

/// Where programs are looked for when the environment does not say.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Program {
    /// Looks the program up as `execvp(3)` would, in the container's root and as its user, so that
    /// `create` already reports what `start` could not execute.
    ///
    /// # Errors
    /// [`Error::Program`]: not found, or found but not executable.
    pub fn find(root: BorrowedFd<'_>, cwd: &str, args: &[String], env: &[String]) -> Result<Self> {
        let name = args[0].clone();
        let path = if name.contains('/') {
            let whole = Path::new(cwd).join(&name);
            match executable(root, &whole)? {
                Some(true) => name.clone(),
                found => {
                    return Err(Error::Program {
                        name,
                        found: found.is_some(),
                    });
                }
            }
        } else {
            search(root, cwd, &name, env)?
        };
        let c_string = |text: &String| CString::new(text.as_bytes());
        let strings = |list: &[String]| {
            list.iter()
                .map(c_string)
                .collect::<std::result::Result<Vec<_>, _>>()
        };
        match (CString::new(path), strings(args), strings(env)) {
            (Ok(path), Ok(arguments), Ok(environment)) => Ok(Self {
                path,
                arguments,
                environment,
                name,
            }),
            _ => Err(Error::Program { name, found: false }),
        }
    }

    /// Executes it; comes back only with the error.
    #[must_use]
    pub fn execute(&self) -> Error {
        let error = process::exec(&self.path, &self.arguments, &self.environment);
        match error.code() {
            2 | 20 => Error::step(
                "execute the program",
                dhow_sys::Error::new(
                    "execve",
                    format!(
                        "{:?}; the file exists, but its interpreter or loader does not",
                        self.name
                    ),
                    2,
                ),
            ),
            _ => Error::step("execute the program", error),
        }
    }
}

fn search(root: BorrowedFd<'_>, cwd: &str, name: &str, env: &[String]) -> Result<String> {
    let list = env
        .iter()
        .rev()
        .find_map(|entry| entry.strip_prefix("PATH="))
        .unwrap_or(DEFAULT_PATH);
    let mut seen = false;
    for directory in list.split(':') {
        let directory = if directory.is_empty() { "." } else { directory };
        let candidate = format!("{}/{name}", directory.trim_end_matches('/'));
        match executable(root, &Path::new(cwd).join(&candidate))? {
            Some(true) => return Ok(candidate),
            Some(false) => seen = true,
            None => {}
        }
    }
    Err(Error::Program {
        name: name.into(),
        found: seen,
    })
}

/// Whether a file exists (`Some`) and this user may execute it (`Some(true)`).
fn executable(root: BorrowedFd<'_>, path: &Path) -> Result<Option<bool>> {
    use std::os::fd::AsFd;
    let step = "look the program up";
    match path::open_in_root(root, path, OFlags::PATH, dhow_sys::Mode::empty()) {
        Ok(file) => dhow_sys::fd::is_executable_file(file.as_fd())
            .map(Some)
            .at(step),
        Err(error) => match error.code() {
            EACCES => Ok(Some(false)),
            ENOENT | ENOTDIR | ELOOP | ENAMETOOLONG => Ok(None),
            _ => Err(error).at(step),
        },
    }
}

const ENOENT: i32 = 2;
const EACCES: i32 = 13;
const ENOTDIR: i32 = 20;
const ENAMETOOLONG: i32 = 36;
const ELOOP: i32 = 40;

/// The home directory of a user as `/etc/passwd` in the container says, for programs whose
/// environment names none. Only a regular file of sane size is read, whatever an image may put there.
#[must_use]
pub fn home_of(root: BorrowedFd<'_>, uid: u32) -> String {
    const LARGEST: usize = 1 << 20;
    let read = || -> Option<String> {
        use std::os::fd::AsFd;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let file = path::open_in_root(
            root,
            Path::new("/etc/passwd"),
            flags,
            dhow_sys::Mode::empty(),
        )
        .ok()?;
        let stat = dhow_sys::fd::stat(file.as_fd()).ok()?;
        if dhow_sys::tree::file_type(&stat) != dhow_sys::FileType::RegularFile {
            return None;
        }
        let text = dhow_sys::fd::read_all(file.as_fd(), LARGEST).ok()?;
        let text = String::from_utf8_lossy(&text);
        let entry = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let mut homes =
            entry.filter(|fields| fields.get(2).is_some_and(|id| id.parse() == Ok(uid)));
        homes
            .next()?
            .get(5)
            .map(|home| (*home).to_owned())
            .filter(|home| home.starts_with('/'))
    };
    read().unwrap_or_else(|| "/".into())
}
