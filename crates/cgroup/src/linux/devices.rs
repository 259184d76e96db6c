//! Device rules as both kernels' controllers understand them.
//!
//! One meaning for all of them (runtime-spec, config-linux, "Allowed Device list"): rules apply in
//! order, the last one that names an access decides, and what no rule names is denied. After the
//! caller's rules come the devices that every container has.

pub(crate) mod exceptions;
pub(crate) mod program;

use crate::resources::DeviceRule;
use std::fmt;

/// Right to create a node (`BPF_DEVCG_ACC_MKNOD`).
pub(crate) const MKNOD: u8 = 1;
/// Right to read (`BPF_DEVCG_ACC_READ`).
pub(crate) const READ: u8 = 2;
/// Right to write (`BPF_DEVCG_ACC_WRITE`).
pub(crate) const WRITE: u8 = 4;
/// All three rights.
pub(crate) const EVERY_ACCESS: u8 = MKNOD | READ | WRITE;

/// Which devices a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Block and character devices.
    All,
    /// Block devices.
    Block,
    /// Character devices.
    Character,
}

/// The devices of a rule: a kind and numbers, `None` for any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Devices {
    pub(crate) kind: Kind,
    pub(crate) major: Option<u32>,
    pub(crate) minor: Option<u32>,
}

/// One rule, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) allow: bool,
    pub(crate) devices: Devices,
    pub(crate) access: u8,
}

impl Devices {
    pub(crate) const ALL: Self = Self {
        kind: Kind::All,
        major: None,
        minor: None,
    };

    /// Whether every device of `other` is one of these.
    pub(crate) fn cover(&self, other: &Self) -> bool {
        (self.kind == Kind::All || self.kind == other.kind)
            && (self.major.is_none() || self.major == other.major)
            && (self.minor.is_none() || self.minor == other.minor)
    }

    /// Whether some device is one of both.
    pub(crate) fn meet(&self, other: &Self) -> bool {
        let meet = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
        (self.kind == Kind::All || other.kind == Kind::All || self.kind == other.kind)
            && meet(self.major, other.major)
            && meet(self.minor, other.minor)
    }

    /// The line of `devices.allow` and `devices.deny` (cgroup v1) for these devices.
    pub(crate) fn line(&self, access: u8) -> String {
        let letters: String = [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')]
            .iter()
            .filter_map(|(bit, letter)| (access & bit != 0).then_some(*letter))
            .collect();
        format!("{self} {letters}")
    }
}

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::All => 'a',
            Kind::Block => 'b',
            Kind::Character => 'c',
        };
        let number = |number: Option<u32>| {
            number.map_or_else(|| "*".to_owned(), |number| number.to_string())
        };
        write!(f, "{kind} {}:{}", number(self.major), number(self.minor))
    }
}

/// The devices that every container may use (runtime-spec, "Default Devices"), and, as runc does,
/// the right to make a node of any device: a node alone opens nothing.
const DEFAULTS: [(Kind, Option<u32>, Option<u32>, u8); 11] = [
    (Kind::Character, None, None, MKNOD),
    (Kind::Block, None, None, MKNOD),
    (Kind::Character, Some(1), Some(3), EVERY_ACCESS), // null
    (Kind::Character, Some(1), Some(5), EVERY_ACCESS), // zero
    (Kind::Character, Some(1), Some(7), EVERY_ACCESS), // full
    (Kind::Character, Some(1), Some(8), EVERY_ACCESS), // random
    (Kind::Character, Some(1), Some(9), EVERY_ACCESS), // urandom
    (Kind::Character, Some(5), Some(0), EVERY_ACCESS), // tty
    (Kind::Character, Some(5), Some(1), EVERY_ACCESS), // console
    (Kind::Character, Some(5), Some(2), EVERY_ACCESS), // ptmx
    (Kind::Character, Some(136), None, EVERY_ACCESS),  // pts
];

/// The rules that a container really gets: the configured ones in their order, then the defaults.
///
/// The configured ones have passed `Resources::check`.
pub(crate) fn device_rules(configured: &[DeviceRule]) -> Vec<Rule> {
    let defaults = DEFAULTS.iter().map(|&(kind, major, minor, access)| Rule {
        allow: true,
        devices: Devices { kind, major, minor },
        access,
    });
    configured.iter().map(checked).chain(defaults).collect()
}

fn checked(rule: &DeviceRule) -> Rule {
    let kind = match rule.kind.as_deref() {
        Some("b") => Kind::Block,
        Some("c") => Kind::Character,
        _ => Kind::All,
    };
    let number = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
    let letters = rule.access.as_deref().unwrap_or("");
    let access = letters.chars().fold(0, |access, letter| match letter {
        'r' => access | READ,
        'w' => access | WRITE,
        'm' => access | MKNOD,
        _ => access,
    });
    Rule {
        allow: rule.allow,
        devices: Devices {
            kind,
            major: number(rule.major),
            minor: number(rule.minor),
        },
        access: if kind == Kind::All {
            EVERY_ACCESS
        } else {
            access
        },
    }
}

/// The rules that still matter: everything before the last rule for all devices is forgotten.
pub(crate) fn relevant(rules: &[Rule]) -> &[Rule] {
    let last = rules.iter().rposition(|rule| rule.devices == Devices::ALL);
    &rules[last.unwrap_or(0)..]
}

#[cfg(test)]
pub(crate) mod model {
    //! The meaning of rules, as slowly and plainly as possible.

    use super::{Devices, Rule};

    /// Whether `rules` grant all bits of `access` to the device.
    pub(crate) fn grants(rules: &[Rule], device: Devices, access: u8) -> bool {
        [super::MKNOD, super::READ, super::WRITE].iter().all(|bit| {
            let mut granted = false;
            for rule in rules {
                if rule.devices.cover(&device) && rule.access & bit != 0 {
                    granted = rule.allow;
                }
            }
            access & bit == 0 || granted
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn character(major: u32, minor: u32) -> Devices {
        Devices {
            kind: Kind::Character,
            major: Some(major),
            minor: Some(minor),
        }
    }

    #[test]
    fn configured_rules_come_first_and_defaults_stay() {
        let configured: Vec<DeviceRule> = serde_json::from_str(
            r#"[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":10,"minor":229,"access":"rw"},
                {"allow":false,"type":"c","major":1,"minor":3,"access":"r"}]"#,
        )
        .unwrap();
        let rules = device_rules(&configured);
        assert_eq!(rules[0].devices, Devices::ALL);
        assert!(!rules[0].allow);
        assert!(model::grants(&rules, character(10, 229), READ | WRITE));
        assert!(
            model::grants(&rules, character(1, 3), READ),
            "null is always there"
        );
        assert!(model::grants(&rules, character(8, 0), MKNOD));
        assert!(!model::grants(&rules, character(8, 0), READ));
        assert!(model::grants(&rules, character(136, 17), EVERY_ACCESS));
    }

    #[test]
    fn nothing_is_granted_by_silence() {
        assert!(!model::grants(&device_rules(&[]), character(10, 200), READ));
    }

    #[test]
    fn lines_are_those_of_the_kernel() {
        let pts = Devices {
            kind: Kind::Character,
            major: Some(136),
            minor: None,
        };
        assert_eq!(pts.line(EVERY_ACCESS), "c 136:* rwm");
        assert_eq!(Devices::ALL.line(EVERY_ACCESS), "a *:* rwm");
    }
}
