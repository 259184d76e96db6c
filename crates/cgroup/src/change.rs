//! What an update comes to: the limits afterwards, and those that have to be written.
//!
//! An update names what shall change; everything else keeps its value. But some limits mean something
//! only together (memory and swap, quota and period and burst), so the partner's value is taken from
//! what was asked for before. Where the specification says "not set" with a zero, a zero changes nothing.

use crate::resources::{BlockIo, Cpu, Memory, Network, Resources, ThrottleDevice, WeightDevice};

/// An update, worked out.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Change {
    /// All limits afterwards.
    pub(crate) merged: Resources,
    /// What has to be written.
    pub(crate) effective: Resources,
}

impl Change {
    /// Works out an update of `before`.
    pub(crate) fn of(before: &Resources, update: &Resources) -> Self {
        let mut change = Self {
            merged: before.clone(),
            effective: Resources::default(),
        };
        change.lists(update);
        if let Some(memory) = &update.memory {
            let none = Memory::default();
            let before = before.memory.as_ref().unwrap_or(&none);
            let (merged, effective) = memory_of(before, memory.clone());
            change.merged.memory = Some(merged);
            change.effective.memory = Some(effective);
        }
        if let Some(cpu) = &update.cpu {
            let (merged, effective) = cpu_of(before.cpu.clone().unwrap_or_default(), cpu.clone());
            change.merged.cpu = Some(merged);
            change.effective.cpu = Some(effective);
        }
        // Here a zero would be the least limit at creation; engines send it for "as before".
        if let Some(limit) = update.pids.as_ref().and_then(|pids| given(pids.limit)) {
            change.merged.pids.get_or_insert_default().limit = Some(limit);
            change.effective.pids.get_or_insert_default().limit = Some(limit);
        }
        if let Some(block) = &update.block_io {
            merge_block_io(change.merged.block_io.get_or_insert_default(), block);
            change.effective.block_io = Some(block.clone());
        }
        if let Some(network) = &update.network {
            merge_network(change.merged.network.get_or_insert_default(), network);
            change.effective.network = Some(network.clone());
        }
        change
    }

    fn lists(&mut self, update: &Resources) {
        // Engines send the rules of the creation along with every update; written again they would take
        // away what somebody else has allowed since.
        if !update.devices.is_empty() && update.devices != self.merged.devices {
            self.merged.devices.clone_from(&update.devices);
            self.effective.devices.clone_from(&update.devices);
        }
        merge(
            &mut self.merged.hugepage_limits,
            &update.hugepage_limits,
            |a, b| a.page_size == b.page_size,
        );
        self.effective
            .hugepage_limits
            .clone_from(&update.hugepage_limits);
        self.merged.rdma.extend(update.rdma.clone());
        self.effective.rdma.clone_from(&update.rdma);
        self.merged.unified.extend(update.unified.clone());
        self.effective.unified.clone_from(&update.unified);
    }
}

/// Zero is "not set".
fn given<T: Default + PartialEq>(value: Option<T>) -> Option<T> {
    value.filter(|value| *value != T::default())
}

fn memory_of(before: &Memory, update: Memory) -> (Memory, Memory) {
    let (limit, swap) = (given(update.limit), given(update.swap));
    let merged = Memory {
        limit: limit.or(before.limit),
        reservation: given(update.reservation).or(before.reservation),
        // Unlimited memory lifts swap too, unless it says something else.
        swap: swap.or(before.swap.filter(|_| limit != Some(-1))),
        kernel: given(update.kernel).or(before.kernel),
        kernel_tcp: given(update.kernel_tcp).or(before.kernel_tcp),
        swappiness: update.swappiness.or(before.swappiness),
        disable_oom_killer: update.disable_oom_killer.or(before.disable_oom_killer),
        use_hierarchy: update.use_hierarchy.or(before.use_hierarchy),
        check_before_update: update.check_before_update.or(before.check_before_update),
    };
    let effective = if limit.or(swap).is_some() {
        Memory {
            limit: merged.limit,
            swap: merged.swap,
            check_before_update: merged.check_before_update,
            ..update
        }
    } else {
        update
    };
    (merged, effective)
}

fn cpu_of(before: Cpu, update: Cpu) -> (Cpu, Cpu) {
    let list = |list: Option<String>| list.filter(|list| !list.trim().is_empty());
    let update = Cpu {
        shares: given(update.shares),
        quota: given(update.quota),
        period: given(update.period),
        realtime_runtime: given(update.realtime_runtime),
        realtime_period: given(update.realtime_period),
        cpus: list(update.cpus),
        mems: list(update.mems),
        ..update
    };
    let merged = Cpu {
        shares: update.shares.or(before.shares),
        quota: update.quota.or(before.quota),
        burst: update.burst.or(before.burst),
        period: update.period.or(before.period),
        realtime_runtime: update.realtime_runtime.or(before.realtime_runtime),
        realtime_period: update.realtime_period.or(before.realtime_period),
        cpus: update.cpus.clone().or(before.cpus),
        mems: update.mems.clone().or(before.mems),
        idle: update.idle.or(before.idle),
    };
    let mut effective = update.clone();
    if update.quota.is_some() || update.period.is_some() || update.burst.is_some() {
        (effective.quota, effective.period, effective.burst) =
            (merged.quota, merged.period, merged.burst);
    }
    if update.realtime_runtime.is_some() || update.realtime_period.is_some() {
        effective.realtime_runtime = merged.realtime_runtime;
        effective.realtime_period = merged.realtime_period;
    }
    if update.idle == Some(0) {
        // A group that is idle no longer has the kernel's ordinary weight.
        effective.shares = merged.shares;
    }
    (merged, effective)
}

fn merge_block_io(merged: &mut BlockIo, update: &BlockIo) {
    merged.weight = given(update.weight).or(merged.weight);
    merged.leaf_weight = given(update.leaf_weight).or(merged.leaf_weight);
    let same = |a: &WeightDevice, b: &WeightDevice| (a.major, a.minor) == (b.major, b.minor);
    merge(&mut merged.weight_device, &update.weight_device, same);
    let same = |a: &ThrottleDevice, b: &ThrottleDevice| (a.major, a.minor) == (b.major, b.minor);
    let lists = [
        (
            &mut merged.throttle_read_bps_device,
            &update.throttle_read_bps_device,
        ),
        (
            &mut merged.throttle_write_bps_device,
            &update.throttle_write_bps_device,
        ),
        (
            &mut merged.throttle_read_iops_device,
            &update.throttle_read_iops_device,
        ),
        (
            &mut merged.throttle_write_iops_device,
            &update.throttle_write_iops_device,
        ),
    ];
    for (merged, update) in lists {
        merge(merged, update, same);
    }
}

fn merge_network(merged: &mut Network, update: &Network) {
    merged.class_id = given(update.class_id).or(merged.class_id);
    merge(&mut merged.priorities, &update.priorities, |a, b| {
        a.name == b.name
    });
}

/// Entries about the same thing are replaced, others are added.
fn merge<T: Clone>(merged: &mut Vec<T>, update: &[T], same: impl Fn(&T, &T) -> bool) {
    merged.retain(|old| !update.iter().any(|new| same(old, new)));
    merged.extend(update.iter().cloned());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn resources(value: &Value) -> Resources {
        serde_json::from_value(value.clone()).unwrap()
    }

    /// (merged, effective) of an update, as JSON.
    fn change(before: &Value, update: &Value) -> (Value, Value) {
        let change = Change::of(&resources(before), &resources(update));
        let json = |resources| serde_json::to_value(resources).unwrap();
        (json(change.merged), json(change.effective))
    }

    #[test]
    fn what_is_not_named_keeps_its_value_and_is_not_written() {
        let before = json!({"memory": {"limit": 100, "reservation": 50}, "pids": {"limit": 7}});
        let (merged, effective) = change(&before, &json!({"memory": {"reservation": 60}}));
        assert_eq!(
            merged,
            json!({"memory": {"limit": 100, "reservation": 60}, "pids": {"limit": 7}})
        );
        assert_eq!(effective, json!({"memory": {"reservation": 60}}));
    }

    #[test]
    fn limits_that_mean_something_together_are_written_together() {
        let before = json!({"memory": {"limit": 100, "swap": 150}, "cpu": {"quota": 5000, "period": 10000, "burst": 10}});
        for (update, effective) in [
            (
                json!({"memory": {"limit": 120}}),
                json!({"memory": {"limit": 120, "swap": 150}}),
            ),
            (
                json!({"memory": {"swap": 300}}),
                json!({"memory": {"limit": 100, "swap": 300}}),
            ),
            (
                json!({"memory": {"limit": -1}}),
                json!({"memory": {"limit": -1}}),
            ),
            (
                json!({"cpu": {"period": 20000}}),
                json!({"cpu": {"quota": 5000, "period": 20000, "burst": 10}}),
            ),
            (json!({"cpu": {"shares": 5}}), json!({"cpu": {"shares": 5}})),
        ] {
            assert_eq!(change(&before, &update).1, effective);
        }
        let (merged, _) = change(&before, &json!({"memory": {"limit": -1}}));
        assert_eq!(merged["memory"], json!({"limit": -1}));
    }

    #[test]
    fn a_zero_that_means_not_set_changes_nothing() {
        let before = json!({"memory": {"limit": 100}, "cpu": {"quota": 5000, "cpus": "0"}, "pids": {"limit": 7}});
        let update = json!({"memory": {"limit": 0, "swap": 0}, "cpu": {"quota": 0, "cpus": ""}, "pids": {"limit": 0}});
        let (merged, effective) = change(&before, &update);
        assert_eq!(merged, before);
        assert_eq!(effective["cpu"], json!({}));
        assert_eq!(effective.get("pids"), None);
        // These zeros are values.
        let (merged, effective) = change(&before, &json!({"cpu": {"burst": 0, "idle": 0}}));
        assert_eq!(
            (&merged["cpu"]["burst"], &merged["cpu"]["idle"]),
            (&json!(0), &json!(0))
        );
        assert_eq!(effective["cpu"]["idle"], 0);
    }

    #[test]
    fn the_end_of_idleness_brings_the_shares_back() {
        let before = json!({"cpu": {"shares": 512, "idle": 1}});
        let (_, effective) = change(&before, &json!({"cpu": {"idle": 0}}));
        assert_eq!(effective, json!({"cpu": {"shares": 512, "idle": 0}}));
    }

    #[test]
    fn device_rules_of_the_creation_are_not_written_again() {
        let rules = json!({"devices": [{"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"}]});
        assert_eq!(change(&rules, &rules).1, json!({}));
        assert_eq!(change(&json!({}), &rules), (rules.clone(), rules));
    }

    #[test]
    fn lists_are_merged_by_what_their_entries_are_about() {
        let before = json!({"blockIO": {"throttleReadBpsDevice": [
            {"major": 8, "minor": 0, "rate": 1}, {"major": 8, "minor": 1, "rate": 2}]},
            "unified": {"memory.high": "5"}});
        let update = json!({"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 3}]},
            "unified": {"memory.high": "6", "memory.low": "1"}});
        let (merged, effective) = change(&before, &update);
        assert_eq!(effective, update);
        let list = &merged["blockIO"]["throttleReadBpsDevice"];
        assert_eq!(
            list,
            &json!([{"major": 8, "minor": 1, "rate": 2}, {"major": 8, "minor": 0, "rate": 3}])
        );
        assert_eq!(merged["unified"], update["unified"]);
    }
}
