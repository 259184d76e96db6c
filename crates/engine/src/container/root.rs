//! The container's root filesystem: from an image, a directory, or a throw-away view of one.

use crate::bundle::RootFilesystem;
use crate::doing::Doing;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::idmap::Maps;
use crate::images::image_error;
use crate::options::{ContainerOptions, Root};
use crate::rootless;
use crate::store::{Locked, file_names};
use dhow_image::{Driver, Image, Ownership, RootOptions};
use dhow_sys::path;
use serde_json::{Value, json};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// A root filesystem that has been made.
#[derive(Debug)]
pub(crate) struct MadeRoot {
    /// How the bundle has it.
    pub(crate) filesystem: RootFilesystem,
    /// Where its files can be looked at before it is mounted, the uppermost directory first.
    directories: Vec<PathBuf>,
    /// The directory of the user's under it.
    foreign: Option<PathBuf>,
}

/// The files that every container gets of its own.
const GENERATED: [&str; 3] = ["resolv.conf", "hosts", "hostname"];

impl MadeRoot {
    /// Whether any runtime can use it.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.filesystem, RootFilesystem::Directory(_))
    }

    /// Which generated files are bound over the ones in `/etc`. In an image's root all of them; in a
    /// directory of the user's those that it has, because making one may not be allowed there, and a
    /// directory that is run as it is shall stay as it is.
    pub(crate) fn generated(&self) -> Vec<&'static str> {
        let mut all = GENERATED.to_vec();
        if let Some(directory) = &self.foreign {
            all.retain(|name| {
                let file = directory.join("etc").join(name);
                file.symlink_metadata().is_ok_and(|seen| seen.is_file())
            });
        }
        all
    }

    /// The directories, open.
    pub(crate) fn layers(&self) -> Result<Vec<OwnedFd>> {
        self.directories
            .iter()
            .map(|path| {
                path::open_directory(path)
                    .doing(|| format!("open the root directory {}", path.display()))
            })
            .collect()
    }
}

/// Finds an image by what the user calls it.
pub(crate) fn find_image(engine: &Engine, name: &str) -> Result<Image> {
    let image = engine
        .images_store()?
        .find(name)
        .map_err(|error| image_error(format!("find the image {name:?}"), error))?;
    if image.platform.os != "linux" {
        return Err(Error::unsupported(
            format!("running the image {name:?}"),
            format!("it is for {}", image.platform),
        ));
    }
    Ok(image)
}

/// Makes the root of a container.
pub(crate) fn make(
    engine: &Engine,
    container: &Locked,
    options: &ContainerOptions,
    image: Option<&Image>,
    maps: Option<&Maps>,
) -> Result<MadeRoot> {
    if let Some(image) = image {
        return from_image(engine, container, options, image, maps);
    }
    let Root::Directory { path, overlay } = &options.root else {
        return Err(Error::invalid("image", "", "is missing"));
    };
    let path = check_directory(path)?;
    if !overlay {
        return Ok(MadeRoot {
            filesystem: RootFilesystem::Directory(path.clone()),
            directories: vec![path.clone()],
            foreign: Some(path),
        });
    }
    let own = engine.store().directory_of(container.id());
    let filesystem = if maps.is_some() && path == Path::new("/") {
        RootFilesystem::Parts(parts(container, &own)?)
    } else {
        RootFilesystem::Overlay(view(container, &own, &path, "root", maps.is_some())?)
    };
    Ok(MadeRoot {
        filesystem,
        directories: vec![path.clone()],
        foreign: Some(path),
    })
}

fn check_directory(path: &Path) -> Result<PathBuf> {
    let wrong = |reason: &str| Error::invalid("--rootfs", path.display().to_string(), reason);
    let absolute = std::path::absolute(path).map_err(|_| wrong("is no path"))?;
    let seen = std::fs::symlink_metadata(&absolute).map_err(|error| wrong(&error.to_string()))?;
    if seen.is_symlink() {
        return Err(wrong("is a symbolic link; name the directory itself"));
    }
    if !seen.is_dir() {
        return Err(wrong("is no directory"));
    }
    Ok(absolute)
}

fn from_image(
    engine: &Engine,
    container: &Locked,
    options: &ContainerOptions,
    image: &Image,
    maps: Option<&Maps>,
) -> Result<MadeRoot> {
    let driver = match engine.config().storage_driver.as_deref() {
        None | Some("overlay") => Driver::Overlay,
        Some("copy") => Driver::Copy,
        Some(other) => {
            return Err(Error::invalid(
                "--storage-driver",
                other,
                "is not overlay or copy",
            ));
        }
    };
    let keeps = maps.is_none_or(Maps::has_ranges);
    let wishes = RootOptions {
        user_namespace: maps.is_some(),
        throwaway: options.remove,
        owner: None,
        ownership: if keeps {
            Ownership::Keep
        } else {
            Ownership::Squash
        },
    };
    let images = engine.images_store()?;
    let root = if maps.is_some() && keeps {
        rootless::prepare(engine, images, container.id(), image, driver, &wishes)?
    } else {
        images
            .prepare(container.id(), image, driver, &wishes, &mut ())
            .map_err(|error| image_error(format!("prepare the image {}", image.shown()), error))?
    };
    Ok(match root {
        dhow_image::Root::Directory(path) => MadeRoot {
            // It lies in the store, so the runtime may well be another's.
            filesystem: RootFilesystem::Directory(path.clone()),
            directories: vec![path],
            foreign: None,
        },
        overlay @ dhow_image::Root::Overlay { .. } => {
            let words = overlay.mount_options();
            let directories = match overlay {
                dhow_image::Root::Overlay { lower, .. } => lower,
                dhow_image::Root::Directory(_) => Vec::new(),
            };
            MadeRoot {
                filesystem: RootFilesystem::Overlay(words),
                directories,
                foreign: None,
            }
        }
    })
}

/// The options of an overlay over a directory whose changes go to the container's own directory.
fn view(
    container: &Locked,
    own: &Path,
    lower: &Path,
    name: &str,
    user_namespace: bool,
) -> Result<Vec<String>> {
    let (upper, work) = (format!("{name}-upper"), format!("{name}-work"));
    container.make_directory(&upper, 0o755)?;
    container.make_directory(&work, 0o700)?;
    let text = |path: &Path| {
        let text = path
            .to_str()
            .filter(|text| !text.contains([':', ',', '\\']));
        text.map(str::to_owned).ok_or_else(|| {
            Error::invalid(
                "--rootfs",
                path.display().to_string(),
                "cannot be part of an overlay: `:`, `,` and `\\` mean something there",
            )
        })
    };
    let mut options = vec![
        format!("lowerdir={}", text(lower)?),
        format!("upperdir={}", text(&own.join(upper))?),
        format!("workdir={}", text(&own.join(work))?),
    ];
    if user_namespace {
        options.push("userxattr".into());
    }
    Ok(options)
}

/// The host's `/` in a user namespace: the kernel refuses one overlay over it, because of the mounts
/// below that the namespace may not uncover, but one for each top-level directory without mounts of its
/// own works. The others are bound read-only; the kernel's own come from the bundle.
fn parts(container: &Locked, own: &Path) -> Result<Vec<Value>> {
    const OWN: [&str; 4] = ["proc", "sys", "dev", "lost+found"];
    let busy = mount_points();
    container.make_directory("rootfs", 0o755)?;
    let mut mounts = Vec::new();
    let mut names = file_names(Path::new("/"));
    names.sort();
    for name in names.iter().filter_map(|name| name.to_str()) {
        let path = Path::new("/").join(name);
        let Ok(seen) = path.symlink_metadata() else {
            continue;
        };
        if OWN.contains(&name) || name.contains([':', ',', '\\']) {
            continue;
        }
        if seen.is_symlink() {
            if let Ok(target) = std::fs::read_link(&path) {
                container.make_link(&format!("rootfs/{name}"), target.as_os_str())?;
            }
        } else if seen.is_dir() {
            let inside = format!("/{name}/");
            let options = if busy.iter().any(|point| point.starts_with(&inside)) {
                json!({"destination": path, "type": "bind", "source": path, "options": ["rbind", "ro", "rprivate"]})
            } else {
                let options = view(container, own, &path, name, true)?;
                json!({"destination": path, "type": "overlay", "source": "overlay", "options": options})
            };
            mounts.push(options);
        }
    }
    Ok(mounts)
}

/// The mount points of this process, as `/proc/self/mountinfo` has them.
fn mount_points() -> Vec<String> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split(' ').nth(4).map(str::to_owned))
        .collect()
}
