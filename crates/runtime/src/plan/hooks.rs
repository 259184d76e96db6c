//! What may stand in a hook.
//!
//! Source: config.md (POSIX-platform Hooks).

use super::invalid::Invalid;
use crate::spec::{Hook, Hooks};

/// What a process can have in its environment (`environ(7)`).
fn is_variable(entry: &str) -> bool {
    !entry.contains('\0')
        && entry
            .split_once('=')
            .is_some_and(|(name, _)| !name.is_empty())
}

/// The hooks as they are, checked.
///
/// # Errors
/// [`Invalid`]: a path that is not absolute, an entry of `env` that is no variable, a timeout of nothing.
pub(super) fn check(hooks: Option<&Hooks>) -> Result<Hooks, Invalid> {
    let Some(hooks) = hooks else {
        return Ok(Hooks::default());
    };
    let lists: [(&str, &[Hook]); 6] = [
        ("prestart", &hooks.prestart),
        ("createRuntime", &hooks.create_runtime),
        ("createContainer", &hooks.create_container),
        ("startContainer", &hooks.start_container),
        ("poststart", &hooks.poststart),
        ("poststop", &hooks.poststop),
    ];
    for (field, list) in lists {
        for (index, hook) in list.iter().enumerate() {
            let at = |name: &str| format!("hooks.{field}[{index}].{name}");
            if !hook.path.starts_with('/') || hook.path.contains('\0') {
                return Err(Invalid::new(
                    at("path"),
                    format!("{:?} is not an absolute path", hook.path),
                ));
            }
            if let Some(entry) = hook.env.iter().position(|entry| !is_variable(entry)) {
                return Err(Invalid::new(
                    at(&format!("env[{entry}]")),
                    "is not of the form NAME=VALUE",
                ));
            }
            if hook.timeout.is_some_and(|seconds| seconds <= 0) {
                return Err(Invalid::new(at("timeout"), "must be more than 0 seconds"));
            }
        }
    }
    Ok(hooks.clone())
}
