//! The right to administer the system (`CAP_SYS_ADMIN`), and what to say when it was not there.

use crate::error::{At, Error, Failure, Kind as Refused, Result};
use crate::plan::Plan;
use crate::plan::namespaces::Kind;
use dhow_sys::id::CapabilitySets;
use dhow_sys::{capability, id};
use std::sync::OnceLock;

/// The capabilities that this process was started with.
///
/// # Errors
/// `capget`
pub fn own() -> Result<CapabilitySets> {
    static OWN: OnceLock<CapabilitySets> = OnceLock::new();
    if let Some(sets) = OWN.get() {
        return Ok(*sets);
    }
    let sets = id::capabilities().at("ask for our capabilities")?;
    let _ = OWN.set(sets);
    Ok(sets)
}

/// Whether this process has it. Root may have been started without.
///
/// # Errors
/// As [`own`].
pub fn may_administer() -> Result<bool> {
    Ok(own()?.effective & capability::SYS_ADMIN != 0)
}

/// The error, with what to do about a call that the kernel or a filter has forbidden.
#[must_use]
pub fn explained(error: Error, plan: &Plan) -> Error {
    const ADMIN: &str = "the caller lacks CAP_SYS_ADMIN: give it that, or run with --rootless=true in a user namespace";
    if let Error::Cgroup(text, Refused::Permission) = &error
        && may_administer().is_ok_and(|may| !may)
    {
        return Error::Cgroup(format!("{text}; {ADMIN}"), Refused::Permission);
    }
    let Some(failure) = error.forbidden() else {
        return error;
    };
    let has_users = plan.namespaces.separates(Kind::User);
    let remedy = match may_administer() {
        Ok(false) if !has_users => ADMIN,
        Ok(false) if failure.text.starts_with("clone3(") => {
            "user namespaces are forbidden here: by a sysctl (user.max_user_namespaces, \
             kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns) or by a \
             seccomp filter around the caller"
        }
        _ => "a seccomp filter or a security module around the caller forbids the call",
    };
    let text = format!("{}; {remedy}", failure.text);
    Error::Birth(Failure { text, ..failure })
}
