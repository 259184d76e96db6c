//! What of a birth the plan leaves to the parent. Most containers need nothing of it, and each
//! question to the other side costs two changes of the running process.

use crate::plan::Plan;
use crate::plan::namespaces::Kind;

/// What only the parent may do while the child waits; where there is nothing, nobody waits.
#[derive(Debug, Clone, Copy)]
pub struct ParentsPart {
    /// Whether the child was born in its unified cgroup.
    pub in_cgroup: bool,
    /// Id maps, the cgroup or the class of service, before the child may begin (step 4).
    pub before: bool,
    /// Network devices, hooks, or limits that the child has lost the right to set (step 7).
    pub between: bool,
}

impl ParentsPart {
    /// Reads the plan.
    #[must_use]
    pub fn of(plan: &Plan, in_cgroup: bool) -> Self {
        let process = &plan.process;
        let limited = !process.rlimits.is_empty() || process.oom_score_adj.is_some();
        let hooks = &plan.hooks;
        Self {
            in_cgroup,
            before: !in_cgroup
                || plan.intel_rdt.is_some()
                || plan.namespaces.makes(Kind::User)
                || plan.mounts.iter().any(|mount| mount.id_map.is_some()),
            between: (limited && plan.namespaces.separates(Kind::User))
                || !plan.net_devices.is_empty()
                || !hooks.prestart.is_empty()
                || !hooks.create_runtime.is_empty(),
        }
    }
}

/// Whether something is written through procfs: then the handle is a private instance.
#[must_use]
pub fn writes_procfs(plan: &Plan) -> bool {
    let process = &plan.process;
    plan.namespaces.separates(Kind::User)
        || plan.namespaces.makes(Kind::Time)
        || process.oom_score_adj.is_some()
        || process.apparmor.is_some()
        || process.selinux.is_some()
        || !plan.sysctl.is_empty()
}
