//! Who the container's process is: names become numbers by the container's own `/etc/passwd` and
//! `/etc/group`, read as files of a stranger.
//!
//! The root filesystem is not mounted yet, so the files are looked for in its layers, the uppermost
//! first. Only a regular file of at most 1 MiB is read, never through a link, and lines longer than
//! 4 KiB are passed over. (CVE-2026-47262, CVE-2025-4437: huge and malformed files.)

use crate::doing::Doing;
use crate::error::{Error, Result};
use dhow_sys::{FileType, OFlags, fd, path, tree, xattr};
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};

/// The largest list of users or groups that is read.
const FILE_MAX: usize = 1 << 20;
/// The longest line that is looked at.
const LINE_MAX: usize = 4096;
/// As many supplementary groups as the kernel takes are more than anybody has.
const GROUPS_MAX: usize = 1024;

/// The numbers behind a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// User id in the container.
    pub(crate) uid: u32,
    /// Group id in the container.
    pub(crate) gid: u32,
    /// Supplementary groups.
    pub(crate) groups: Vec<u32>,
    /// The home directory, if a user entry names one.
    pub(crate) home: Option<String>,
}

/// The two files of one container.
#[derive(Debug, Default)]
pub(crate) struct UserFiles {
    passwd: Vec<u8>,
    group: Vec<u8>,
}

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

impl UserFiles {
    /// Files with this content.
    pub(crate) fn new(passwd: Vec<u8>, group: Vec<u8>) -> Self {
        Self { passwd, group }
    }

    /// Reads them out of the layers, the uppermost first; a file that is not there is empty.
    pub(crate) fn read(layers: &[OwnedFd]) -> Result<Self> {
        Ok(Self::new(
            find(layers, PASSWD)?.unwrap_or_default(),
            find(layers, GROUP)?.unwrap_or_default(),
        ))
    }

    /// Resolves `user[:group]` (empty for root) and further groups.
    pub(crate) fn resolve(&self, user: &str, further: &[String]) -> Result<Identity> {
        let (user, group) = match user.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (user, None),
        };
        let user = if user.is_empty() { "0" } else { user };
        let entry = match number(user) {
            Some(uid) => self.user_of_id(uid)?,
            None => Some(self.user_of_name(user)?),
        };
        let named = entry.as_ref().map(|entry| entry.uid);
        let mut identity = Identity {
            uid: number(user).or(named).unwrap_or(0),
            gid: entry.as_ref().map_or(0, |entry| entry.gid),
            groups: Vec::new(),
            home: entry.as_ref().map(|entry| entry.home.clone()),
        };
        match group {
            Some(group) => identity.gid = self.group(group)?,
            // As login does: the groups that list the user, unless a group was asked for.
            None => {
                if let Some(entry) = &entry {
                    identity.groups = self.groups_of(&entry.name);
                }
            }
        }
        for group in further {
            identity.groups.push(self.group(group)?);
        }
        identity.groups.retain(|gid| *gid != identity.gid);
        identity.groups.sort_unstable();
        identity.groups.dedup();
        identity.groups.truncate(GROUPS_MAX);
        Ok(identity)
    }

    fn users(&self) -> impl Iterator<Item = User> {
        lines(&self.passwd).filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next().filter(|name| !name.is_empty())?;
            let mut fields = fields.skip(1);
            Some(User {
                name: name.to_owned(),
                uid: number(fields.next()?)?,
                gid: number(fields.next()?)?,
                home: fields.nth(1).unwrap_or_default().to_owned(),
            })
        })
    }

    fn user_of_id(&self, uid: u32) -> Result<Option<User>> {
        Ok(self.users().find(|user| user.uid == uid))
    }

    fn user_of_name(&self, name: &str) -> Result<User> {
        self.users()
            .find(|user| user.name == name)
            .ok_or_else(|| Error::NoSuchUser {
                option: "--user",
                file: PASSWD,
                name: name.to_owned(),
            })
    }

    /// The entries of the group file: name, id, members.
    fn group_lines(&self) -> impl Iterator<Item = (&str, u32, &str)> {
        lines(&self.group).filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let gid = number(fields.nth(1)?)?;
            Some((name, gid, fields.next().unwrap_or_default()))
        })
    }

    fn group(&self, group: &str) -> Result<u32> {
        if let Some(gid) = number(group) {
            return Ok(gid);
        }
        let found = self.group_lines().find(|(name, ..)| *name == group);
        found
            .filter(|_| !group.is_empty())
            .map(|(_, gid, _)| gid)
            .ok_or_else(|| Error::NoSuchUser {
                option: "--user",
                file: GROUP,
                name: group.to_owned(),
            })
    }

    fn groups_of(&self, user: &str) -> Vec<u32> {
        let lists = |members: &str| members.split(',').any(|member| member.trim() == user);
        self.group_lines()
            .filter(|(.., members)| lists(members))
            .map(|(_, gid, _)| gid)
            .take(GROUPS_MAX)
            .collect()
    }
}

/// One line of passwd.
struct User {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

/// A decimal number below 2³²−1, which is the id that means none. No sign, no space.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = digits.then(|| text.parse::<u32>().ok()).flatten()?;
    (value != u32::MAX).then_some(value)
}

fn lines(file: &[u8]) -> impl Iterator<Item = &str> {
    file.split(|byte| *byte == b'\n')
        .filter(|line| line.len() <= LINE_MAX)
        .filter_map(|line| std::str::from_utf8(line).ok())
}

/// A file of `/etc` as the layers show it together.
fn find(layers: &[OwnedFd], file: &'static str) -> Result<Option<Vec<u8>>> {
    let name = OsStr::new(file.strip_prefix("/etc/").unwrap_or(file));
    let bad = |reason: &str| Error::BadUserFile {
        file,
        reason: reason.to_owned(),
    };
    let doing = || format!("look for {file} in the container's root");
    for layer in layers {
        let Some(etc) = tree::stat(layer.as_fd(), OsStr::new("etc")).doing(doing)? else {
            continue;
        };
        if tree::is_whiteout(&etc) {
            return Ok(None);
        }
        if tree::file_type(&etc) != FileType::Directory {
            return Err(bad("/etc is no directory; give --user as a number"));
        }
        let etc = tree::open_directory(layer.as_fd(), OsStr::new("etc")).doing(doing)?;
        if let Some(stat) = tree::stat(etc.as_fd(), name).doing(doing)? {
            return match tree::file_type(&stat) {
                FileType::RegularFile => read(&etc, name, file).map(Some),
                _ if tree::is_whiteout(&stat) => Ok(None),
                _ => Err(bad("it is no regular file; give --user as a number")),
            };
        }
        if is_opaque(&etc) {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Whether a directory of a layer hides those below it.
fn is_opaque(directory: &OwnedFd) -> bool {
    ["trusted.overlay.opaque", "user.overlay.opaque"]
        .iter()
        .any(|name| {
            matches!(xattr::get(directory.as_fd(), OsStr::new(name)), Ok(Some(value)) if value == b"y")
        })
}

fn read(etc: &OwnedFd, name: &OsStr, file: &'static str) -> Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    // It may be a mount of its own: of the host's, or a volume of the container's.
    let opened = path::open_in_root_no_links(etc.as_fd(), name.as_ref(), flags);
    let opened = opened.doing(|| format!("open the container's {file}"))?;
    fd::read_all(opened.as_fd(), FILE_MAX).map_err(|error| Error::BadUserFile {
        file,
        reason: if error.name() == "EFBIG" {
            "it is larger than 1 MiB".to_owned()
        } else {
            error.to_string()
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn files() -> UserFiles {
        UserFiles::new(
            b"root:x:0:0:root:/root:/bin/sh\n+broken\nweb:x:33:34::/srv:/bin/false\nbad:x:-1:0::/:\n"
                .to_vec(),
            b"root:x:0:\nweb:x:34:\nvideo:x:44:web,other\naudio:x:29:other, web\n".to_vec(),
        )
    }

    fn identity(uid: u32, gid: u32, groups: &[u32], home: Option<&str>) -> Identity {
        Identity {
            uid,
            gid,
            groups: groups.to_vec(),
            home: home.map(str::to_owned),
        }
    }

    #[test]
    fn names_and_numbers() {
        let resolve = |user: &str| files().resolve(user, &[]).expect(user);
        assert_eq!(resolve(""), identity(0, 0, &[], Some("/root")));
        assert_eq!(resolve("web"), identity(33, 34, &[29, 44], Some("/srv")));
        assert_eq!(resolve("33"), identity(33, 34, &[29, 44], Some("/srv")));
        assert_eq!(resolve("web:video"), identity(33, 44, &[], Some("/srv")));
        assert_eq!(resolve("4242"), identity(4242, 0, &[], None));
        assert_eq!(resolve("4242:7"), identity(4242, 7, &[], None));
        let more = files().resolve("1:2", &["video".into(), "9".into()]);
        assert_eq!(more.expect("groups").groups, [9, 44]);
    }

    #[test]
    fn strict_about_what_is_unknown() {
        for user in [
            "nobody",
            "bad",
            "-1",
            "+0",
            "4294967295",
            "4294967296",
            " 0",
            "web:",
            "web:x",
        ] {
            let error = files().resolve(user, &[]).expect_err(user);
            assert_eq!(error.kind(), Kind::InvalidInput, "{user}: {error}");
        }
    }

    #[test]
    fn layers_hide_each_other_and_links_are_not_followed() {
        let scratch = std::env::temp_dir().join(format!("dhow-users-{}", std::process::id()));
        let make = |layer: &str, text: Option<&str>| {
            std::fs::create_dir_all(scratch.join(layer).join("etc")).expect("directory");
            if let Some(text) = text {
                std::fs::write(scratch.join(layer).join("etc/passwd"), text).expect("file");
            }
            path::open_directory(&scratch.join(layer)).expect("open")
        };
        let lower = make("lower", Some("a:x:1:1::/a:\n"));
        let empty = make("empty", None);
        let upper = make("upper", Some("a:x:2:2::/a:\n"));
        let uid = |layers: &[OwnedFd]| {
            UserFiles::read(layers)
                .and_then(|files| files.resolve("a", &[]))
                .map(|identity| identity.uid)
        };
        let again = |fd: &OwnedFd| fd.try_clone().expect("copy");
        assert_eq!(uid(&[again(&empty), again(&lower)]).expect("below"), 1);
        assert_eq!(uid(&[upper, empty, again(&lower)]).expect("above"), 2);
        let linked = make("linked", None);
        std::os::unix::fs::symlink("/etc/passwd", scratch.join("linked/etc/passwd")).expect("link");
        let error = uid(&[linked, again(&lower)]).expect_err("a link");
        assert_eq!(error.kind(), Kind::InvalidInput, "{error}");
        let huge = make("huge", None);
        let file = std::fs::File::create(scratch.join("huge/etc/passwd")).expect("file");
        file.set_len(4 << 30).expect("sparse");
        let error = uid(&[huge]).expect_err("4 GiB");
        assert!(error.to_string().contains("larger than 1 MiB"), "{error}");
        std::fs::remove_dir_all(&scratch).expect("clean up");
    }
}
