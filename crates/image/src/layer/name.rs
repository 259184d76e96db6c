//! What the name of a layer entry means: a path strictly inside the layer.

/// Splits a name into its components; none of them for the layer's root.
///
/// A leading slash counts as the layer's root, as everywhere (images made by `ko` have such names).
/// `..` is refused even where it would stay inside: what `a/../b` means depends on whether `a` is a
/// link.
pub(crate) fn components(name: &[u8]) -> Result<Vec<&[u8]>, &'static str> {
    if name.is_empty() {
        return Err("its name is empty");
    }
    if name.contains(&0) {
        return Err("its name contains a NUL byte");
    }
    if name.len() > 4095 {
        return Err("its name is longer than 4095 bytes");
    }
    let mut found = Vec::new();
    for component in name.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => return Err("its name contains \"..\""),
            long if long.len() > 255 => {
                return Err("a component of its name is longer than 255 bytes");
            }
            component => found.push(component),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::components;

    #[test]
    fn stays_inside() {
        assert_eq!(components(b"/x"), Ok(vec![&b"x"[..]]));
        assert_eq!(components(b"//x"), Ok(vec![&b"x"[..]]));
        assert_eq!(components(b"./a//b/./"), Ok(vec![&b"a"[..], b"b"]));
        assert_eq!(components(b"./"), Ok(vec![]));
        assert_eq!(components(b"/"), Ok(vec![]));
        assert_eq!(components(b"a\\..\\b"), Ok(vec![&b"a\\..\\b"[..]]));
        assert_eq!(components(b"\xff\xfe"), Ok(vec![&b"\xff\xfe"[..]]));
    }

    #[test]
    fn refuses() {
        let deep = [b"a/".repeat(2048), b"b".to_vec()].concat();
        let long = b"x".repeat(256);
        for (name, reason) in [
            (&b"../x"[..], "\"..\""),
            (b"a/../../x", "\"..\""),
            (b"a/../b", "\"..\""),
            (b"./../x", "\"..\""),
            (b"..", "\"..\""),
            (b"", "empty"),
            (b"a\0b", "NUL"),
            (&deep, "4095"),
            (&long, "255"),
        ] {
            assert!(components(name).unwrap_err().contains(reason), "{reason}");
        }
    }
}
