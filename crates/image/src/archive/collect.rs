//! One pass over an archive: every file into the ingest, remembered by its name.

use crate::content::{Expected, Ingest};
use crate::tar::{Kind, Reader};
use crate::{Digest, Error, Limits, Result, layer};
use std::collections::BTreeMap;
use std::io::Read;

/// What an archive contains.
#[derive(Debug, Default)]
pub(super) struct Entries(BTreeMap<String, Item>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    File {
        digest: Digest,
        size: u64,
    },
    /// Another entry's name.
    Link(String),
}

impl Entries {
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The file of that name, through links within the archive.
    pub(super) fn file(&self, name: &str, wanted_by: &str) -> Result<(Digest, u64)> {
        let mut current = name.to_owned();
        // Old docker archives link layers to each other, one step deep.
        for _ in 0..8 {
            match self.0.get(&current) {
                Some(Item::File { digest, size }) => return Ok((*digest, *size)),
                Some(Item::Link(target)) => current.clone_from(target),
                None => break,
            }
        }
        Err(Error::MissingEntry {
            entry: name.to_owned(),
            wanted_by: wanted_by.to_owned(),
        })
    }
}

/// Reads the whole archive.
pub(super) fn collect(
    stream: impl Read,
    ingest: &mut Ingest<'_>,
    limits: &Limits,
) -> Result<Entries> {
    let mut entries = Entries::default();
    let mut reader = Reader::new(stream);
    let mut count = 0;
    while let Some(entry) = reader.next_entry()? {
        count += 1;
        if count > limits.archive_entries {
            return Err(Error::TooLarge {
                what: "the archive".to_owned(),
                limit: limits.archive_entries,
                unit: "entries",
            });
        }
        let shown = entry.shown();
        let refuse = |reason: &str| Error::BadArchive {
            entry: shown.clone(),
            reason: reason.to_owned(),
        };
        let name = plain(&entry.name).map_err(|reason| refuse(&reason))?;
        let item = match entry.kind {
            Kind::Directory => continue,
            Kind::Regular if entry.sparse.is_some() => {
                return Err(refuse("an image archive has no sparse files"));
            }
            Kind::Regular => {
                let expected = blob_digest(&name)?;
                match expected.and_then(|digest| Some((digest, ingest.size_of(&digest)?))) {
                    // Known already: the reader skips the entry.
                    Some((digest, size)) if size == entry.size => Item::File { digest, size },
                    _ => {
                        let expected = Expected {
                            digest: expected,
                            size: Some(entry.size),
                        };
                        let (digest, size) = ingest.write(&name, &mut reader, expected)?;
                        Item::File { digest, size }
                    }
                }
            }
            Kind::Symlink => {
                Item::Link(link_target(&name, &entry.link).map_err(|reason| refuse(&reason))?)
            }
            Kind::HardLink => Item::Link(plain(&entry.link).map_err(|reason| refuse(&reason))?),
            _ => {
                return Err(refuse(
                    "an image archive has only files, directories and links",
                ));
            }
        };
        if let Some(before) = entries.0.insert(name, item.clone())
            && before != item
        {
            return Err(refuse(
                "there is an earlier entry of the same name with other content",
            ));
        }
    }
    Ok(entries)
}

/// The name without `./`, and nothing that climbs.
fn plain(name: &[u8]) -> std::result::Result<String, String> {
    let components = layer::name::components(name)?;
    String::from_utf8(components.join(&b'/')).map_err(|_| "its name is not UTF-8".to_owned())
}

/// `blobs/sha256/HEX` promises its digest by its name.
fn blob_digest(name: &str) -> Result<Option<Digest>> {
    match name.strip_prefix("blobs/sha256/") {
        Some(hex) => Digest::from_hex(hex).map(Some),
        None => Ok(None),
    }
}

/// Where a symbolic link in the archive points to, as a name of the archive. This is arithmetic on
/// names: nothing is looked up on the disk.
fn link_target(name: &str, target: &[u8]) -> std::result::Result<String, String> {
    let target = std::str::from_utf8(target).map_err(|_| "its target is not UTF-8".to_owned())?;
    if target.starts_with('/') {
        return Err("it is a symbolic link out of the archive".to_owned());
    }
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    for component in target.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Err("it is a symbolic link out of the archive".to_owned());
                }
            }
            other => parts.push(other),
        }
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_names_of_the_archive() {
        assert_eq!(
            link_target("a/layer.tar", b"../b/layer.tar"),
            Ok("b/layer.tar".to_owned())
        );
        assert_eq!(
            link_target("a/layer.tar", b"../c.tar"),
            Ok("c.tar".to_owned())
        );
        assert!(link_target("a", b"../b").is_err());
        assert!(link_target("a", b"/etc/passwd").is_err());
    }

    #[test]
    fn a_blob_name_is_a_digest_or_refused() {
        assert!(blob_digest("blobs/sha256/../x").is_err());
        assert_eq!(blob_digest("manifest.json").unwrap(), None);
    }
}
