//! The directory of a checkpoint's images, and our own page in it.

use super::external::External;
use crate::cli::Arguments;
use crate::error::{At, Error, Result};
use crate::linux::container::io;
use dhow_sys::{Mode, OFlags, path};
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Our page.
const PAGE: &str = "dhow.json";
/// The version of it that we write.
const VERSION: u32 = 1;

/// What CRIU's images do not tell.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page {
    /// Version of this document.
    version: u32,
    /// What lies outside the container.
    pub external: External,
}

/// Open directories for CRIU.
#[derive(Debug)]
pub struct Images {
    /// Where the images are.
    pub path: PathBuf,
    /// The same, open.
    pub directory: OwnedFd,
    /// Where CRIU writes its log.
    pub work: PathBuf,
    /// The same, open.
    pub work_directory: OwnedFd,
}

impl Images {
    /// Opens what `--image-path` and `--work-path` name; a missing one is made, when it may.
    ///
    /// # Errors
    /// The call.
    pub fn open(arguments: &Arguments, make: bool) -> Result<Self> {
        let path = PathBuf::from(arguments.value("image-path").unwrap_or("checkpoint"));
        if make {
            directory(&path)?;
        }
        let work = match arguments.value("work-path").map(PathBuf::from) {
            Some(work) => {
                directory(&work)?;
                work
            }
            None => path.clone(),
        };
        let open = |path: &Path, step| path::open_host_directory(path).at(step);
        Ok(Self {
            directory: open(&path, "open the images (--image-path)")?,
            work_directory: open(&work, "open the directory for CRIU's log (--work-path)")?,
            path,
            work,
        })
    }

    /// Writes our page.
    ///
    /// # Errors
    /// The call, also when the disk is full.
    pub fn describe(&self, external: External) -> Result<()> {
        let page = Page {
            version: VERSION,
            external,
        };
        let step = "describe the images";
        let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY;
        let mode = Mode::from_raw_mode(0o600);
        let file =
            path::open_beneath(self.directory.as_fd(), Path::new(PAGE), flags, mode).at(step)?;
        let text = serde_json::to_vec_pretty(&page).unwrap_or_default();
        std::io::Write::write_all(&mut std::fs::File::from(file), &text)
            .map_err(|error| io("write", &self.path.join(PAGE), &error))
            .at(step)
    }

    /// Reads our page.
    ///
    /// # Errors
    /// [`Error::Document`] when these are no images of ours, or of a later version.
    pub fn page(&self) -> Result<Page> {
        let refuse = |reason: String| Error::Document {
            path: self.path.join(PAGE),
            reason,
        };
        let text = match path::read_beneath(self.directory.as_fd(), PAGE, 1 << 20) {
            Err(error) if error.code() == 2 => {
                let reason =
                    "is missing: no checkpoint of dhow-runtime is here, or a pre-dump only";
                return Err(refuse(reason.into()));
            }
            read => read.at("read the images' description")?,
        };
        let page: Page = serde_json::from_slice(&text)
            .map_err(|error| refuse(format!("is damaged ({error})")))?;
        if page.version > VERSION {
            let version = page.version;
            return Err(refuse(format!(
                "is of version {version}; this runtime knows {VERSION}"
            )));
        }
        Ok(page)
    }

    /// CRIU's log of this run.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.work.join(name)
    }
}

/// Makes a directory that others cannot read: memory is written there.
fn directory(path: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(path);
    made.map_err(|error| io("mkdir", path, &error))
        .at("make the directory for the images")
}
