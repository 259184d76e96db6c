//! Make a container: everything but its process.

use super::attach::own_size;
use super::start::DEFAULT_SIZE;
use super::{mounts, root};
use crate::bundle::identity::{Identity, UserFiles};
use crate::bundle::{self, ImageDefaults, Request, capabilities};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::idmap::Maps;
use crate::options::{ContainerOptions, Network, Root, UserNamespace, is_name};
use crate::record::{Record, VERSION};
use crate::store::Locked;
use crate::view::Moment;
use crate::{host, names, runtime, signals};
use dhow_image::Image;
use serde_json::{Value, json};
use std::path::PathBuf;

/// The longest host name that Linux takes.
const HOSTNAME_MAX: usize = 64;
/// The longest text in a file that is bound into the container.
const RESOLV_MAX: u64 = 64 * 1024;

/// A container that has just been made, still locked by this process.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) directory: Locked,
    pub(crate) record: Record,
}

/// Makes a container.
pub(crate) fn create(engine: &Engine, options: &ContainerOptions) -> Result<Made> {
    check(options)?;
    let program = options.runtime.as_ref().unwrap_or(&engine.config().runtime);
    let program = runtime::find_runtime(program)?;
    let maps = maps(engine, options)?;
    let image = match &options.root {
        Root::Image(name) => Some(root::find_image(engine, name)?),
        Root::Directory { .. } => None,
    };
    let defaults = image.as_ref().map(defaults).unwrap_or_default();
    // Refused before anything is made.
    let command = bundle::command(options, &defaults)?;
    let stop_signal = stop_signal(options, &defaults)?;
    let id = names::id().map_err(|error| Error::BadState {
        path: "/dev/urandom".into(),
        reason: error.to_string(),
    })?;
    let directory = engine.store().reserve(&id)?;
    let name = match take_name(engine, options, &id) {
        Ok(name) => name,
        Err(error) => {
            // The first failure is the one to tell; what stays behind is swept later.
            let _ = engine.store().remove(&directory);
            return Err(error);
        }
    };
    let mut record = Record {
        version: VERSION,
        id,
        name,
        created: Moment::now(),
        options: options.clone(),
        image: shown(&options.root),
        image_id: image.as_ref().map(|image| image.id.to_string()),
        command,
        runtime: program,
        stop_signal,
        has_root: image.is_some(),
        oom_file: None,
        anonymous_volumes: Vec::new(),
    };
    let filled = fill(
        engine,
        &directory,
        &mut record,
        image.as_ref(),
        &defaults,
        maps.as_ref(),
    );
    match filled {
        Ok(()) => Ok(Made { directory, record }),
        Err(error) => {
            // As above.
            let _ = super::remove::clear(engine, &directory, &record);
            Err(error)
        }
    }
}

/// Everything inside the container's directory, the record last.
fn fill(
    engine: &Engine,
    directory: &Locked,
    record: &mut Record,
    image: Option<&Image>,
    defaults: &ImageDefaults,
    maps: Option<&Maps>,
) -> Result<()> {
    let rootless = engine.config().rootless;
    let mut options = record.options.clone();
    options.name = Some(record.name.clone());
    let runtime = engine.runtime(&record.runtime);
    let root = root::make(engine, directory, &options, image, maps)?;
    if !runtime.mounts_root() && !root.is_plain() {
        return Err(Error::unsupported(
            format!("an image or overlay with {}", record.runtime.display()),
            "only dhow-runtime mounts the root itself; other runtimes need --rootfs DIR",
        ));
    }
    let user = options.user.as_deref().unwrap_or(&defaults.user);
    let users = UserFiles::read(&root.layers()?)?;
    let mut identity = users.resolve(user, &options.group_add)?;
    if let Some(maps) = maps {
        fit(&mut identity, maps, user, &options.group_add)?;
    }
    let capabilities = capabilities::choose(
        options.privileged,
        &options.cap_add,
        &options.cap_drop,
        &engine.held_capabilities(),
    )?;
    let cgroups = engine.cgroups();
    let host = host::facts(cgroups, &record.id, &options, rootless);
    record.oom_file = cgroups.oom_file(&record.id, rootless);
    let sources = mounts::sources(engine, &options, &mut record.anonymous_volumes)?;
    let init = if options.init {
        Some(runtime::find(&engine.config().init)?)
    } else {
        None
    };
    let path = engine.store().directory_of(&record.id);
    let request = Request {
        id: &record.id,
        options: &options,
        image: defaults,
        root: &root.filesystem,
        identity: &identity,
        capabilities: &capabilities,
        maps,
        host: &host,
        directory: &path,
        generated: &root.generated(),
        sources: &sources,
        init: init.as_deref(),
        seccomp: seccomp_file(&options)?,
    };
    write_files(directory, &request)?;
    directory.make_file("config.json", &document(&request)?, 0o600)?;
    for (key, value) in &defaults.labels {
        // The user's own win.
        let entry = record.options.labels.entry(key.clone());
        entry.or_insert_with(|| value.clone());
    }
    // A container that goes away with its process need not survive a power cut.
    directory.commit(record, !record.options.remove)
}

/// The text of `config.json`.
fn document(request: &Request<'_>) -> Result<Vec<u8>> {
    let mut config = bundle::compose(request)?;
    if request.options.tty {
        // Its program may ask for the size before the monitor can set it.
        let (width, height) = own_size().unwrap_or(DEFAULT_SIZE);
        config["process"]["consoleSize"] = json!({"width": width, "height": height});
    }
    serde_json::to_vec(&config).map_err(|error| Error::BadState {
        path: "config.json".into(),
        reason: error.to_string(),
    })
}

fn check(options: &ContainerOptions) -> Result<()> {
    if let Some(name) = &options.name
        && !is_name(name)
    {
        return Err(Error::invalid(
            "--name",
            name,
            "is not a name: letters, digits, `_`, `.`, `-`, at most 128, beginning with a letter or digit",
        ));
    }
    if let Some(name) = &options.hostname {
        let good = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_');
        if name.is_empty() || name.len() > HOSTNAME_MAX || !name.bytes().all(good) {
            return Err(Error::invalid(
                "--hostname",
                name,
                "is not a host name: letters, digits, `-`, `.`, at most 64",
            ));
        }
    }
    for (key, value) in &options.env {
        if key.is_empty() || key.contains(['=', '\0']) || value.contains('\0') {
            return Err(Error::invalid("--env", key, "is not NAME=VALUE"));
        }
    }
    Ok(())
}

fn maps(engine: &Engine, options: &ContainerOptions) -> Result<Option<Maps>> {
    if !engine.config().rootless {
        return match options.userns {
            UserNamespace::KeepId => Err(Error::unsupported(
                "--userns keep-id as root",
                "root keeps its id anyway: leave the option away",
            )),
            _ => Ok(None),
        };
    }
    let maps = engine.maps();
    match options.userns {
        UserNamespace::KeepId => maps
            .keep(
                dhow_sys::id::effective_user(),
                dhow_sys::id::effective_group(),
            )
            .map(Some),
        _ => Ok(Some(maps.clone())),
    }
}

/// Ids that the user namespace does not have cannot be taken on: asked for they are refused, listed in
/// the container's files they are left out.
fn fit(identity: &mut Identity, maps: &Maps, user: &str, groups: &[String]) -> Result<()> {
    let missing = !maps.has_user(identity.uid) || !maps.has_group(identity.gid);
    let refuse = |option: &'static str, value: &str| {
        let reason = "has no place among this container's ids; give this user larger ranges in \
                      /etc/subuid and /etc/subgid";
        Err(Error::invalid(option, value, reason))
    };
    if missing {
        return refuse("--user", user);
    }
    let before = identity.groups.len();
    // Without ranges the kernel allows no supplementary groups at all.
    identity
        .groups
        .retain(|gid| maps.has_ranges() && maps.has_group(*gid));
    if identity.groups.len() < before && !groups.is_empty() {
        return refuse("--group-add", &groups.join(","));
    }
    Ok(())
}

fn defaults(image: &Image) -> ImageDefaults {
    let Some(config) = image.config.config() else {
        return ImageDefaults::default();
    };
    ImageDefaults {
        env: config.env().clone().unwrap_or_default(),
        entrypoint: config.entrypoint().clone().unwrap_or_default(),
        command: config.cmd().clone().unwrap_or_default(),
        workdir: config.working_dir().clone().unwrap_or_default(),
        user: config.user().clone().unwrap_or_default(),
        stop_signal: config.stop_signal().clone(),
        labels: config
            .labels()
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect(),
    }
}

/// The signal for `stop`. An image's nonsense is passed over, a user's refused.
fn stop_signal(options: &ContainerOptions, image: &ImageDefaults) -> Result<u8> {
    const TERM: u8 = 15;
    if let Some(signal) = &options.stop_signal {
        return signals::number("--stop-signal", signal);
    }
    let image = image.stop_signal.as_deref();
    Ok(image
        .and_then(|signal| signals::number("StopSignal", signal).ok())
        .unwrap_or(TERM))
}

fn take_name(engine: &Engine, options: &ContainerOptions, id: &str) -> Result<String> {
    if let Some(name) = &options.name {
        engine.store().take_name(name, id)?;
        return Ok(name.clone());
    }
    let mut attempt = 0;
    loop {
        let name = names::made_up(id, attempt);
        match engine.store().take_name(&name, id) {
            Ok(()) => return Ok(name),
            Err(Error::NameTaken { .. }) if attempt < 8 => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

fn shown(root: &Root) -> String {
    match root {
        Root::Image(name) => name.clone(),
        Root::Directory { path, .. } => path.display().to_string(),
    }
}

/// Reads the user's own seccomp profile; the runtime checks what is in it.
fn seccomp_file(options: &ContainerOptions) -> Result<Option<Value>> {
    let Some(path) = bundle::seccomp_file(options) else {
        return Ok(None);
    };
    let wrong = |reason: String| {
        Error::invalid("--security-opt seccomp", path.display().to_string(), reason)
    };
    let text = std::fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| wrong(format!("is no JSON document: {error}")))
}

/// The files that are bound into the container, and the place for its root.
fn write_files(directory: &Locked, request: &Request<'_>) -> Result<()> {
    directory
        .make_directory("rootfs", 0o755)
        .or_else(|error| match error {
            // A root of parts has made it.
            Error::Call { ref source, .. } if source.name() == "EEXIST" => Ok(()),
            error => Err(error),
        })?;
    let name = bundle::hostname(request);
    let hosts =
        format!("127.0.0.1\tlocalhost {name}\n::1\tlocalhost ip6-localhost ip6-loopback {name}\n");
    directory.make_file("hosts", hosts.as_bytes(), 0o644)?;
    directory.make_file("hostname", format!("{name}\n").as_bytes(), 0o644)?;
    directory.make_file("resolv.conf", &resolver(request.options.network), 0o644)
}

/// The host's name servers, where they can be reached.
fn resolver(network: Network) -> Vec<u8> {
    use std::io::Read as _;
    let mut text = Vec::new();
    if network == Network::Host
        && let Ok(file) = std::fs::File::open(PathBuf::from("/etc/resolv.conf"))
    {
        // A host without the file has no name servers to pass on.
        let _ = file.take(RESOLV_MAX).read_to_end(&mut text);
    }
    text
}
