//! The JSON documents of an image: bounded, and with one interpretation or none.
//!
//! A document that one reader takes for a manifest and another for an index makes a digest mean two
//! things (CVE-2021-41190). So the media type inside, the one promised outside and the shape must
//! agree, and a key that differs from a known one only by case is refused, because Go's decoder
//! would accept it.

use crate::{Digest, Error, Limits, Platform, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The media types that we write.
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub(crate) const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// Refers to a blob. Source: OCI image-spec, descriptor.md.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    platform: Option<RawPlatform>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Deserialize)]
struct RawPlatform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl Descriptor {
    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key).map(String::as_str)
    }

    pub(crate) fn platform(&self) -> Option<Platform> {
        self.platform.as_ref().map(|raw| Platform {
            os: raw.os.clone(),
            architecture: raw.architecture.clone(),
            variant: raw.variant.clone().filter(|variant| !variant.is_empty()),
        })
    }

    /// Whether it describes an image, as far as the descriptor alone can tell: `BuildKit` marks
    /// attestations with the platform `unknown/unknown`.
    pub(crate) fn may_be_image(&self) -> bool {
        self.platform.as_ref().is_none_or(|raw| raw.os != "unknown")
    }
}

/// A configuration and its layers.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

/// What a document turned out to be.
#[derive(Debug, Clone)]
pub(crate) enum Document {
    Manifest(Manifest),
    Index(Vec<Descriptor>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    schema_version: u32,
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    fs_layers: Option<serde::de::IgnoredAny>,
}

const KNOWN_KEYS: [&str; 6] = [
    "schemaVersion",
    "mediaType",
    "config",
    "layers",
    "manifests",
    "fsLayers",
];

/// Reads a manifest or an index. `promised` is the media type of the descriptor that led here, empty
/// when nothing was promised.
pub(crate) fn parse(what: &str, bytes: &[u8], promised: &str, limits: &Limits) -> Result<Document> {
    check_keys(what, bytes, limits)?;
    let shape: Shape = json(what, bytes, limits)?;
    if shape.fs_layers.is_some() || shape.schema_version == 1 {
        return Err(Error::Unsupported {
            what: format!("the image format Docker schema 1 of {what:?}"),
            way_out: "; let a newer tool convert the image",
        });
    }
    if shape.schema_version != 2 {
        return Err(Error::document(
            what,
            format!("unknown schemaVersion {}", shape.schema_version),
        ));
    }
    let inside = shape.media_type.as_deref().unwrap_or_default();
    if !inside.is_empty() && !promised.is_empty() && inside != promised {
        return Err(Error::document(
            what,
            format!("its mediaType {inside:?} is not the promised {promised:?}"),
        ));
    }
    let media_type = if inside.is_empty() { promised } else { inside };
    let (manifest_type, index_type) = match media_type {
        OCI_MANIFEST | DOCKER_MANIFEST => (true, false),
        OCI_INDEX | DOCKER_INDEX => (false, true),
        "" => (true, true),
        other => {
            return Err(Error::Unsupported {
                what: format!("the media type {other:?} of {what:?}"),
                way_out: "",
            });
        }
    };
    match (shape.config, shape.layers, shape.manifests) {
        (Some(config), Some(layers), None) if manifest_type => {
            within(
                layers.len(),
                limits.layers,
                "the number of layers",
                "layers",
            )?;
            Ok(Document::Manifest(Manifest { config, layers }))
        }
        (None, None, Some(manifests)) if index_type => {
            within(
                manifests.len(),
                limits.descriptors,
                "the number of descriptors",
                "descriptors",
            )?;
            Ok(Document::Index(manifests))
        }
        _ => Err(Error::document(
            what,
            format!(
                "its keys fit neither an image manifest nor an index of the media type {media_type:?}"
            ),
        )),
    }
}

/// Refuses a key that another decoder would take for a known one.
fn check_keys(what: &str, bytes: &[u8], limits: &Limits) -> Result<()> {
    let keys: BTreeMap<String, serde::de::IgnoredAny> = json(what, bytes, limits)?;
    for key in keys.keys() {
        if KNOWN_KEYS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(key) && known != key)
        {
            return Err(Error::document(
                what,
                format!("the key {key:?} differs from a known one by case only"),
            ));
        }
    }
    Ok(())
}

/// Whether a manifest's configuration is that of a container image and not of some other artifact.
pub(crate) fn is_image_config(media_type: &str) -> bool {
    matches!(media_type, OCI_CONFIG | DOCKER_CONFIG | "")
}

/// Whether a layer's media type is one that can be unpacked.
pub(crate) fn check_layer_type(media_type: &str) -> Result<()> {
    let known = matches!(
        media_type,
        "" | OCI_LAYER
            | OCI_LAYER_GZIP
            | "application/vnd.oci.image.layer.v1.tar+zstd"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
            | "application/vnd.docker.image.rootfs.diff.tar"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    );
    if known {
        return Ok(());
    }
    Err(Error::Unsupported {
        what: format!("the layer media type {media_type:?}"),
        way_out: "",
    })
}

pub(crate) fn within(count: usize, limit: usize, what: &str, unit: &'static str) -> Result<()> {
    if count <= limit {
        return Ok(());
    }
    Err(Error::TooLarge {
        what: what.to_owned(),
        limit: limit as u64,
        unit,
    })
}

/// Parses JSON that nests no deeper than allowed.
pub(crate) fn json<'de, T: Deserialize<'de>>(
    what: &str,
    bytes: &'de [u8],
    limits: &Limits,
) -> Result<T> {
    if bytes.len() as u64 > limits.document_bytes {
        return Err(Error::TooLarge {
            what: format!("the document {what:?}"),
            limit: limits.document_bytes,
            unit: "bytes",
        });
    }
    if depth(bytes) > limits.json_depth {
        return Err(Error::TooLarge {
            what: format!("the nesting of the document {what:?}"),
            limit: limits.json_depth as u64,
            unit: "levels",
        });
    }
    serde_json::from_slice(bytes).map_err(|error| Error::document(what, error.to_string()))
}

/// The deepest nesting of brackets outside of strings.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in bytes {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTOR: &str = r#"{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":1}"#;

    fn read(text: &str, promised: &str) -> Result<Document> {
        parse(
            "test",
            text.replace('D', DESCRIPTOR).as_bytes(),
            promised,
            &Limits::default(),
        )
    }

    #[test]
    fn one_interpretation_or_none() {
        let manifest = r#"{"schemaVersion":2,"config":D,"layers":[D]}"#;
        let index = r#"{"schemaVersion":2,"manifests":[D]}"#;
        assert!(matches!(
            read(manifest, OCI_MANIFEST),
            Ok(Document::Manifest(_))
        ));
        assert!(matches!(read(index, OCI_INDEX), Ok(Document::Index(_))));
        assert!(matches!(read(index, ""), Ok(Document::Index(_))));
        let both = r#"{"schemaVersion":2,"config":D,"layers":[],"manifests":[]}"#;
        let typed =
            format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","config":D,"layers":[]}}"#);
        let cased = r#"{"schemaVersion":2,"manifests":[],"Layers":[]}"#;
        let twice = r#"{"schemaVersion":2,"manifests":[],"manifests":[D]}"#;
        let cases = [
            (both, "", "neither"),
            (both, OCI_MANIFEST, "neither"),
            (both, OCI_INDEX, "neither"),
            (manifest, OCI_INDEX, "neither"),
            (index, OCI_MANIFEST, "neither"),
            (&typed, "", "neither"),
            (&typed, OCI_MANIFEST, "promised"),
            (cased, OCI_INDEX, "case"),
            (twice, OCI_INDEX, "duplicate"),
            (manifest, "text/plain", "media type"),
            (r#"{"schemaVersion":3,"manifests":[]}"#, "", "schemaVersion"),
            (r#"{"schemaVersion":1,"fsLayers":[]}"#, "", "schema 1"),
            ("[]", "", "not valid"),
            ("", "", "not valid"),
        ];
        for (text, promised, reason) in cases {
            let error = read(text, promised).unwrap_err().to_string();
            assert!(error.contains(reason), "{text} as {promised:?}: {error}");
        }
    }

    #[test]
    fn nesting_is_bounded_before_it_is_parsed() {
        let deep = format!("{}{}", "[".repeat(33), "]".repeat(33));
        let error =
            json::<serde::de::IgnoredAny>("deep", deep.as_bytes(), &Limits::default()).unwrap_err();
        assert!(
            matches!(error, Error::TooLarge { limit: 32, .. }),
            "{error}"
        );
        assert_eq!(depth(br#"{"a":"[[[\"[["}"#), 1);
    }

    #[test]
    fn a_digest_is_checked_before_anything_uses_it() {
        let text = r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:../../x","size":1}]}"#;
        let error = read(text, OCI_INDEX).unwrap_err().to_string();
        assert!(error.contains("is not a digest"), "{error}");
    }
}
