//! Names by which a layer says that something of the layers below is gone.
//!
//! Source: OCI image-spec, layer.md, "Whiteouts".

/// What the last component of an entry's name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker<'a> {
    /// An ordinary name.
    None,
    /// `.wh.NAME`: NAME of the layers below is gone.
    Gone(&'a [u8]),
    /// `.wh..wh..opq`: everything that the layers below have in this directory is gone.
    Opaque,
    /// Other `.wh..wh.*`: bookkeeping of aufs, without meaning for others.
    Aufs,
}

const PREFIX: &[u8] = b".wh.";
const AUFS: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Judges the last component of a name.
pub(crate) fn marker(last: &[u8]) -> Result<Marker<'_>, &'static str> {
    if last == OPAQUE {
        return Ok(Marker::Opaque);
    }
    if last.starts_with(AUFS) {
        return Ok(Marker::Aufs);
    }
    match last.strip_prefix(PREFIX) {
        None => Ok(Marker::None),
        Some(b"" | b"." | b"..") => Err("it is a whiteout of no name"),
        Some(name) => Ok(Marker::Gone(name)),
    }
}

/// Refuses whiteout names where only ordinary ones make sense: on the way to an entry.
pub(crate) fn check_parents(parents: &[&[u8]]) -> Result<(), &'static str> {
    if parents
        .iter()
        .any(|component| component.starts_with(PREFIX))
    {
        return Err("a directory on the way to it has the name of a whiteout");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers() {
        assert_eq!(marker(b"a"), Ok(Marker::None));
        assert_eq!(marker(b".wh"), Ok(Marker::None));
        assert_eq!(marker(b".wh.a"), Ok(Marker::Gone(b"a")));
        assert_eq!(marker(b".wh..a"), Ok(Marker::Gone(b".a")));
        assert_eq!(marker(b".wh..wh..opq"), Ok(Marker::Opaque));
        assert_eq!(marker(b".wh..wh.plnk"), Ok(Marker::Aufs));
        assert!(marker(b".wh.").is_err());
        assert!(marker(b".wh..").is_err());
        assert!(marker(b".wh...").is_err());
        assert!(check_parents(&[b"a", b".wh."]).is_err());
        assert!(check_parents(&[b"a", b"b"]).is_ok());
    }
}
