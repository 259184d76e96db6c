//! Images made by our own hand, well-formed or not: what no image tool would write.
//!
//! Layers are plain tar, so the digest of the file is the diff id too, and a test can damage any
//! part and leave the rest right. Sources: ustar of pax(1), image-layout.md and config.md of the
//! OCI image specification, Docker image specification v1.2.

use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A layer under construction: the bytes of a tar archive.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    tar: Vec<u8>,
}

impl Layer {
    /// Adds one entry: its path, type flag, mode, link target and content, exactly as given.
    #[must_use]
    pub fn entry(mut self, path: &str, kind: u8, mode: u32, link: &str, content: &[u8]) -> Self {
        let mut header = [0_u8; 512];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, path.as_bytes());
        put(100, format!("{mode:07o}\0").as_bytes());
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        put(124, format!("{:011o}\0", content.len()).as_bytes());
        put(136, b"00000000000\0");
        put(148, b"        ");
        put(156, &[kind]);
        put(157, link.as_bytes());
        put(257, b"ustar\x0000");
        // The device 1:3, which is /dev/null; other types ignore it.
        put(329, b"0000001\0");
        put(337, b"0000003\0");
        let sum: u32 = header.iter().copied().map(u32::from).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.tar.extend(header);
        self.tar.extend(content);
        self.tar.resize(self.tar.len().next_multiple_of(512), 0);
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn file(self, path: &str, mode: u32, content: &[u8]) -> Self {
        self.entry(path, b'0', mode, "", content)
    }

    /// Adds a directory.
    #[must_use]
    pub fn directory(self, path: &str) -> Self {
        self.entry(path, b'5', 0o755, "", b"")
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(path, b'2', 0o777, target, b"")
    }

    /// Adds a hard link.
    #[must_use]
    pub fn hard_link(self, path: &str, target: &str) -> Self {
        self.entry(path, b'1', 0o644, target, b"")
    }

    /// The archive.
    #[must_use]
    pub fn finish(&self) -> Vec<u8> {
        let mut tar = self.tar.clone();
        tar.resize(tar.len() + 1024, 0);
        tar
    }

    /// Busybox, a few of its links, and users.
    ///
    /// # Panics
    /// When busybox is missing.
    #[must_use]
    pub fn busybox() -> Self {
        let busybox = crate::program::on_path("busybox").expect("busybox (Debian: busybox-static)");
        let bytes = fs::read(busybox).expect("read busybox");
        let users = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n";
        let groups = "root:x:0:\nweb:x:34:\naudio:x:29:web\n";
        let base = Self::default()
            .directory("bin/")
            .file("bin/busybox", 0o755, &bytes)
            .directory("etc/")
            .file("etc/passwd", 0o644, users.as_bytes())
            .file("etc/group", 0o644, groups.as_bytes())
            .directory("srv/")
            .directory("root/");
        [
            "cat", "echo", "env", "id", "ls", "pwd", "sh", "sleep", "true",
        ]
        .iter()
        .fold(base, |layer, name| {
            layer.symlink(&format!("bin/{name}"), "busybox")
        })
    }
}

/// An image: layers and the part `config` of its configuration.
#[derive(Clone, Debug)]
pub struct Image {
    layers: Vec<Layer>,
    config: Value,
}

impl Image {
    /// An image of these layers that runs `/bin/sh -c 'echo default'`.
    #[must_use]
    pub fn new(layers: Vec<Layer>) -> Self {
        let config = json!({
            "Env": ["PATH=/bin", "FROM_IMAGE=yes"],
            "Cmd": ["/bin/sh", "-c", "echo default"],
        });
        Self { layers, config }
    }

    /// One of busybox.
    #[must_use]
    pub fn busybox() -> Self {
        Self::new(vec![Layer::busybox()])
    }

    /// One of busybox and a further layer.
    #[must_use]
    pub fn with_layer(layer: Layer) -> Self {
        Self::new(vec![Layer::busybox(), layer])
    }

    /// Changes its configuration.
    #[must_use]
    pub fn configured(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.config);
        self
    }

    /// Writes it as an OCI image layout of this name into a new directory.
    ///
    /// # Panics
    /// When a file cannot be written.
    pub fn write_layout(&self, directory: &Path, name: &str) {
        fs::create_dir_all(directory.join("blobs/sha256")).expect("make the layout");
        let layers: Vec<Value> = self
            .layers
            .iter()
            .map(|layer| blob(directory, LAYER, &layer.finish()))
            .collect();
        let digests: Vec<Value> = layers.iter().map(|layer| layer["digest"].clone()).collect();
        let config = text(&self.document(&digests));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": blob(directory, CONFIG, &config),
            "layers": layers,
        });
        let mut entry = blob(directory, MANIFEST, &text(&manifest));
        entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        let index = json!({"schemaVersion": 2, "manifests": [entry]});
        put(&directory.join("index.json"), &text(&index));
        put(
            &directory.join("oci-layout"),
            br#"{"imageLayoutVersion":"1.0.0"}"#,
        );
    }

    /// Writes it as `docker save` does, into a file of this name.
    ///
    /// # Panics
    /// When a file cannot be written.
    pub fn write_docker_archive(&self, file: &Path, name: &str) {
        let scratch = file.with_extension("parts");
        fs::create_dir_all(&scratch).expect("make a directory");
        let mut archive = Layer::default();
        let (mut names, mut digests) = (Vec::new(), Vec::new());
        for (number, layer) in self.layers.iter().enumerate() {
            let (path, tar) = (format!("{number}/layer.tar"), layer.finish());
            put(&scratch.join("layer"), &tar);
            digests.push(Value::from(format!(
                "sha256:{}",
                sha256(&scratch.join("layer"))
            )));
            archive = archive.file(&path, 0o644, &tar);
            names.push(path);
        }
        let config = text(&self.document(&digests));
        let manifest = json!([{"Config": "config.json", "RepoTags": [name], "Layers": names}]);
        let archive = archive.file("config.json", 0o644, &config).file(
            "manifest.json",
            0o644,
            &text(&manifest),
        );
        put(file, &archive.finish());
    }

    fn document(&self, digests: &[Value]) -> Value {
        json!({
            "architecture": architecture(),
            "os": "linux",
            "config": self.config,
            "rootfs": {"type": "layers", "diff_ids": digests},
        })
    }
}

/// The largest blob of a layout: its layer of busybox.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn largest_blob(layout: &Path) -> PathBuf {
    let entries = fs::read_dir(layout.join("blobs/sha256")).expect("a layout");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .max_by_key(|path| path.metadata().map_or(0, |about| about.len()))
        .expect("a blob")
}

/// Go's name of this machine.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn blob(layout: &Path, kind: &str, bytes: &[u8]) -> Value {
    let scratch = layout.join("scratch");
    put(&scratch, bytes);
    let digest = sha256(&scratch);
    fs::rename(&scratch, layout.join("blobs/sha256").join(&digest)).expect("name a blob");
    json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": bytes.len()})
}

/// By coreutils: a digest of our own would only be tested against itself.
fn sha256(file: &Path) -> String {
    let output = Command::new("sha256sum").arg(file).output();
    let output = output.expect("sha256sum (Debian: coreutils)");
    let line = String::from_utf8(output.stdout).expect("text");
    line[..64].to_owned()
}

fn text(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("JSON prints")
}

fn put(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap_or_else(|error| panic!("cannot write {path:?}: {error}"));
}
