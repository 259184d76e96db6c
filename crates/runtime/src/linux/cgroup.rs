//! The container's cgroup, as far as its birth is about it: which it is, and whose.

use super::order::Order;
use crate::error::{Error, Result};

/// Decides which directories the container's cgroup has; none is made.
///
/// # Errors
/// As [`dhow_cgroup::Group::plan`].
pub fn plan_cgroup(
    order: &Order<'_>,
    hierarchies: &dhow_cgroup::Host,
) -> Result<dhow_cgroup::Group> {
    let request = dhow_cgroup::Request {
        id: &order.container.id,
        path: order.plan.cgroups_path.as_deref(),
        driver: order.driver,
        rootless: order.rootless,
        annotations: &order.plan.annotations,
    };
    dhow_cgroup::Group::plan(hierarchies, &request).map_err(cgroup_error)
}

/// Lets the container's user make groups below the container's (`Plan::cgroup_owner`).
/// Gives the directory to the container's user, where the plan says so.
///
/// # Errors
/// The call.
pub fn give_cgroup(order: &Order<'_>, cgroup: &dhow_cgroup::Group) -> Result<()> {
    match order.plan.cgroup_owner {
        Some(user) => cgroup.give_to(user).map_err(cgroup_error),
        None => Ok(()),
    }
}

/// A failure of the cgroup crate in this crate's words.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub fn cgroup_error(error: dhow_cgroup::Error) -> Error {
    use crate::error::Kind;
    use dhow_cgroup::ErrorKind;
    let kind = match error.kind() {
        ErrorKind::NotFound => Kind::NotFound,
        ErrorKind::Conflict => Kind::Conflict,
        ErrorKind::InvalidInput => Kind::InvalidInput,
        ErrorKind::Permission => Kind::Permission,
        ErrorKind::Unsupported => Kind::Unsupported,
        ErrorKind::Kernel => Kind::Kernel,
        ErrorKind::Internal => Kind::Internal,
    };
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    Error::Cgroup(text, kind)
}
