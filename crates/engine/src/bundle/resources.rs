//! Limits.

use super::Request;
use crate::error::{Error, Result};
use serde_json::{Value, json};

/// As many processes as a container may have unless asked otherwise: a fork bomb stays in it.
const PROCESSES: i64 = 2048;
/// The period of the processor quota in microseconds.
const PERIOD: u64 = 100_000;
/// The kernel needs at least this much to start a process.
const MEMORY_MIN: u64 = 6 << 20;

pub(super) fn compose(request: &Request<'_>) -> Result<Value> {
    let options = request.options;
    let mut resources = json!({"devices": super::devices::rules(request)});
    if let Some(memory) = options.memory {
        if memory.0 < MEMORY_MIN {
            return Err(Error::invalid(
                "--memory",
                memory.0.to_string(),
                "is less than 6m, the least that a process can start with",
            ));
        }
        let swap = options
            .memory_swap
            .map_or(memory.0.saturating_mul(2), |swap| swap.0);
        if swap < memory.0 {
            return Err(Error::invalid(
                "--memory-swap",
                swap.to_string(),
                "is less than --memory, which it includes",
            ));
        }
        resources["memory"] = json!({"limit": memory.0, "swap": swap});
    } else if let Some(swap) = options.memory_swap {
        return Err(Error::invalid(
            "--memory-swap",
            swap.0.to_string(),
            "needs --memory, which it includes",
        ));
    }
    if let Some(cpus) = options.cpus {
        let quota = u64::from(cpus.0) * PERIOD / 1000;
        resources["cpu"] = json!({"quota": quota, "period": PERIOD});
    }
    match options.pids_limit {
        Some(limit) if limit > 0 => resources["pids"] = json!({"limit": limit}),
        Some(_) => {}
        None if request.host.limits_processes => resources["pids"] = json!({"limit": PROCESSES}),
        // Nobody asked, so a host that cannot is no reason to fail.
        None => {}
    }
    Ok(resources)
}
