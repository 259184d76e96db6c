//! Writes tars by hand, so that every byte of them can be wrong.

use dhow_image::Digest;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use std::io::Write;

#[derive(Default, Clone)]
pub(crate) struct Tar {
    bytes: Vec<u8>,
}

pub(crate) type Block = [u8; 512];

impl Tar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// An entry whose header `change` may edit before its checksum is made.
    pub(crate) fn entry(
        mut self,
        name: impl AsRef<[u8]>,
        kind: u8,
        data: &[u8],
        change: impl FnOnce(&mut Block),
    ) -> Self {
        let name = name.as_ref();
        assert!(name.len() <= 100, "use pax for longer names");
        let mut block = [0; 512];
        block[..name.len()].copy_from_slice(name);
        let mode = if kind == b'5' { b"0000755" } else { b"0000644" };
        block[100..107].copy_from_slice(mode);
        block[108..115].copy_from_slice(b"0000000");
        block[116..123].copy_from_slice(b"0000000");
        block[124..135].copy_from_slice(format!("{:011o}", data.len()).as_bytes());
        block[136..147].copy_from_slice(b"00000001750");
        block[156] = kind;
        block[257..265].copy_from_slice(b"ustar\x0000");
        change(&mut block);
        checksum(&mut block);
        self.bytes.extend_from_slice(&block);
        self.bytes.extend_from_slice(data);
        self.pad()
    }

    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        self.entry(name, b'0', content.as_bytes(), |_| {})
    }

    pub(crate) fn file_mode(
        self,
        name: &str,
        content: &str,
        mode: u32,
        uid: u32,
        gid: u32,
    ) -> Self {
        self.entry(name, b'0', content.as_bytes(), |block| {
            owner(block, mode, uid, gid);
        })
    }

    pub(crate) fn dir(self, name: &str) -> Self {
        self.entry(name, b'5', b"", |_| {})
    }

    pub(crate) fn dir_mode(self, name: &str, mode: u32, uid: u32, gid: u32) -> Self {
        self.entry(name, b'5', b"", |block| owner(block, mode, uid, gid))
    }

    pub(crate) fn symlink(self, name: &str, target: &str) -> Self {
        self.linked(name, b'2', target)
    }

    pub(crate) fn hard(self, name: &str, target: &str) -> Self {
        self.linked(name, b'1', target)
    }

    fn linked(self, name: &str, kind: u8, target: &str) -> Self {
        self.entry(name, kind, b"", |block| {
            block[157..157 + target.len()].copy_from_slice(target.as_bytes());
        })
    }

    pub(crate) fn device(self, name: &str, kind: u8, major: u32, minor: u32) -> Self {
        self.entry(name, kind, b"", |block| {
            block[329..336].copy_from_slice(format!("{major:07o}").as_bytes());
            block[337..344].copy_from_slice(format!("{minor:07o}").as_bytes());
        })
    }

    /// A PAX header for the next entry.
    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        self.entry("pax", b'x', &pax_records(records), |_| {})
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub(crate) fn pad(mut self) -> Self {
        let padded = self.bytes.len().next_multiple_of(512);
        self.bytes.resize(padded, 0);
        self
    }

    /// With the end marker.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.raw(&[0; 1024]).bytes
    }

    pub(crate) fn unfinished(self) -> Vec<u8> {
        self.bytes
    }
}

pub(crate) fn checksum(block: &mut Block) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}

fn owner(block: &mut Block, mode: u32, uid: u32, gid: u32) {
    block[100..107].copy_from_slice(format!("{mode:07o}").as_bytes());
    block[108..115].copy_from_slice(format!("{uid:07o}").as_bytes());
    block[116..123].copy_from_slice(format!("{gid:07o}").as_bytes());
}

pub(crate) fn pax_records(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut text = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        text.extend_from_slice(format!("{length} {key}=").as_bytes());
        text.extend_from_slice(value);
        text.push(b'\n');
    }
    text
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The parts of an OCI layout, so that tests can damage one before it is packed.
pub(crate) struct Layout {
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) manifest: Digest,
    pub(crate) config: Digest,
}

pub(crate) fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

pub(crate) fn config_json(diff_ids: &[Digest]) -> Vec<u8> {
    serde_json::to_vec(&json!({
        "architecture": dhow_image::Platform::host().architecture,
        "os": "linux",
        "config": {"Cmd": ["/bin/sh"], "Env": ["A=b"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }))
    .unwrap()
}

/// An OCI layout of one image. `diff_ids` may lie.
pub(crate) fn oci_layout(name: &str, layers: &[Vec<u8>], diff_ids: &[Digest]) -> Layout {
    let config = config_json(diff_ids);
    let mut files = Vec::new();
    let mut descriptors = Vec::new();
    for layer in layers {
        let digest = Digest::of(layer);
        let gzipped = layer.starts_with(&[0x1f, 0x8b]);
        let suffix = if gzipped { "+gzip" } else { "" };
        descriptors.push(json!({
            "mediaType": format!("application/vnd.oci.image.layer.v1.tar{suffix}"),
            "digest": digest, "size": layer.len(),
        }));
        files.push((blob_name(&digest), layer.clone()));
    }
    let config_digest = Digest::of(&config);
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config_digest, "size": config.len(),
        },
        "layers": descriptors,
    }))
    .unwrap();
    let manifest_digest = Digest::of(&manifest);
    let index = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": manifest_digest, "size": manifest.len(),
            "annotations": {"org.opencontainers.image.ref.name": name},
        }],
    }))
    .unwrap();
    files.push((blob_name(&config_digest), config));
    files.push((blob_name(&manifest_digest), manifest));
    files.push((
        "oci-layout".to_owned(),
        br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec(),
    ));
    files.push(("index.json".to_owned(), index));
    Layout {
        files,
        manifest: manifest_digest,
        config: config_digest,
    }
}

impl Layout {
    pub(crate) fn pack(&self) -> Vec<u8> {
        let mut tar = Tar::new();
        for (name, content) in &self.files {
            tar = tar.entry(name, b'0', content, |_| {});
        }
        tar.finish()
    }

    pub(crate) fn file_mut(&mut self, name: &str) -> &mut Vec<u8> {
        &mut self
            .files
            .iter_mut()
            .find(|(known, _)| known == name)
            .unwrap()
            .1
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.files.retain(|(known, _)| known != name);
    }
}

/// A truthful OCI archive of one image with uncompressed layers.
pub(crate) fn oci_archive(name: &str, layers: &[Vec<u8>]) -> Vec<u8> {
    let diff_ids: Vec<Digest> = layers.iter().map(|layer| Digest::of(layer)).collect();
    oci_layout(name, layers, &diff_ids).pack()
}

/// A docker archive of images, each with its names and layers; `manifest.json` comes last, as in skopeo's.
pub(crate) fn docker_archive(images: &[(&[&str], Vec<Vec<u8>>)]) -> Vec<u8> {
    let mut tar = Tar::new();
    let mut manifest = Vec::new();
    for (names, layers) in images {
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| Digest::of(layer)).collect();
        let mut layer_names = Vec::new();
        for (layer, digest) in layers.iter().zip(&diff_ids) {
            let name = format!("{}.tar", digest.hex());
            tar = tar.entry(&name, b'0', layer, |_| {});
            let link = format!("{}/layer.tar", &digest.hex()[..20]);
            tar = tar.symlink(&link, &format!("../{name}"));
            layer_names.push(link);
        }
        let config = config_json(&diff_ids);
        let config_name = format!("{}.json", Digest::of(&config).hex());
        tar = tar.entry(&config_name, b'0', &config, |_| {});
        manifest.push(json!({"Config": config_name, "RepoTags": names, "Layers": layer_names}));
    }
    let manifest = serde_json::to_vec(&manifest).unwrap();
    tar.entry("manifest.json", b'0', &manifest, |_| {}).finish()
}
