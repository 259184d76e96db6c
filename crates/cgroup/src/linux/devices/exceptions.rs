//! Device rules for cgroup v1: a default and a set of exceptions to it.
//!
//! The kernel's list has no order, so a rule that cuts a hole into an earlier, wider exception
//! cannot be said there: it would silently be ignored, and here it is refused instead.

use super::{Devices, EVERY_ACCESS, Kind, MKNOD, READ, Rule, WRITE, relevant};
use std::collections::BTreeMap;

/// What a v1 devices group holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Exceptions {
    /// Whether devices outside the exceptions are allowed.
    pub(crate) allow: bool,
    /// Exceptions to that: access bits by devices.
    pub(crate) exceptions: BTreeMap<Devices, u8>,
}

/// One line to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// To `devices.allow`, else to `devices.deny`.
    pub(crate) allow: bool,
    pub(crate) text: String,
}

impl Exceptions {
    /// What the rules come to.
    ///
    /// # Errors
    /// The text of why, when a rule cuts a hole into an earlier, wider one.
    pub(crate) fn of(rules: &[Rule]) -> Result<Self, String> {
        let mut state = Self::default();
        for rule in relevant(rules) {
            if rule.devices == Devices::ALL {
                state.allow = rule.allow;
                state.exceptions.clear();
            } else if rule.allow == state.allow {
                state.remove(rule)?;
            } else {
                *state.exceptions.entry(rule.devices).or_insert(0) |= rule.access;
            }
        }
        Ok(state)
    }

    fn remove(&mut self, rule: &Rule) -> Result<(), String> {
        for (devices, access) in &mut self.exceptions {
            if rule.devices.cover(devices) {
                *access &= !rule.access;
            } else if rule.devices.meet(devices) && *access & rule.access != 0 {
                let verb = if rule.allow { "allow" } else { "deny" };
                return Err(format!(
                    "cgroup v1 cannot {verb} {:?} after the wider rule for {:?}",
                    rule.devices.line(rule.access),
                    devices.line(*access),
                ));
            }
        }
        self.exceptions.retain(|_, access| *access != 0);
        Ok(())
    }

    /// Reads `devices.list`. In the allowing state the kernel does not show the exceptions.
    pub(crate) fn parse(list: &str) -> Option<Self> {
        let mut state = Self::default();
        for line in list.lines() {
            let mut fields = line.split([' ', ':']);
            let kind = match fields.next()? {
                "a" => {
                    return Some(Self {
                        allow: true,
                        ..Self::default()
                    });
                }
                "b" => Kind::Block,
                "c" => Kind::Character,
                _ => return None,
            };
            let mut number = || match fields.next()? {
                "*" => Some(None),
                digits => digits.parse().ok().map(Some),
            };
            let devices = Devices {
                kind,
                major: number()?,
                minor: number()?,
            };
            let access = fields
                .next()?
                .chars()
                .fold(0, |access, letter| match letter {
                    'r' => access | READ,
                    'w' => access | WRITE,
                    _ => access | MKNOD,
                });
            state.exceptions.insert(devices, access);
        }
        Some(state)
    }

    /// Lines that bring a group from any state to this one.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let reset = Line {
            allow: self.allow,
            text: "a".to_owned(),
        };
        let exceptions = self
            .exceptions
            .iter()
            .map(|(devices, access)| self.exception(devices, *access));
        std::iter::once(reset).chain(exceptions).collect()
    }

    /// Lines that bring a group in the state `from` to this one, without a moment in which a device
    /// is refused that both allow.
    pub(crate) fn lines_from(&self, from: &Self) -> Vec<Line> {
        if from.allow != self.allow {
            return self.lines();
        }
        let missing = self.exceptions.iter().filter_map(|(devices, access)| {
            let more = access & !from.exceptions.get(devices).unwrap_or(&0);
            (more != 0).then(|| self.exception(devices, more))
        });
        let surplus = from.exceptions.iter().filter_map(|(devices, access)| {
            let less = access & !self.exceptions.get(devices).unwrap_or(&0);
            (less != 0).then(|| Line {
                allow: self.allow,
                text: devices.line(less),
            })
        });
        missing.chain(surplus).collect()
    }

    fn exception(&self, devices: &Devices, access: u8) -> Line {
        Line {
            allow: !self.allow,
            text: devices.line(access & EVERY_ACCESS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{device_rules, model};
    use super::*;
    use crate::resources::DeviceRule;
    use proptest::prelude::*;

    fn rules(json: &str) -> Vec<Rule> {
        device_rules(&serde_json::from_str::<Vec<DeviceRule>>(json).unwrap())
    }

    #[test]
    fn default_rules_become_allow_lines() {
        let lines = Exceptions::of(&rules(r#"[{"allow":false,"access":"rwm"}]"#))
            .unwrap()
            .lines();
        assert_eq!(
            lines[0],
            Line {
                allow: false,
                text: "a".into()
            }
        );
        assert!(lines.contains(&Line {
            allow: true,
            text: "c 1:3 rwm".into()
        }));
        assert_eq!(lines.len(), 12);
    }

    #[test]
    fn privileged_is_one_line() {
        let lines = Exceptions::of(&rules(r#"[{"allow":true,"access":"rwm"}]"#))
            .unwrap()
            .lines();
        assert_eq!(
            lines,
            [Line {
                allow: true,
                text: "a".into()
            }]
        );
    }

    #[test]
    fn a_hole_is_refused() {
        let json = r#"[{"allow":true,"type":"c","major":10,"access":"rw"},
                       {"allow":false,"type":"c","major":10,"minor":200,"access":"r"}]"#;
        let why = Exceptions::of(&rules(json)).unwrap_err();
        assert!(
            why.contains("cannot deny \"c 10:200 r\"") && why.contains("c 10:* rw"),
            "{why}"
        );
    }

    #[test]
    fn a_list_is_read_back() {
        let state = Exceptions::of(&rules("[]")).unwrap();
        let list: String = state
            .exceptions
            .iter()
            .map(|(d, a)| d.line(*a) + "\n")
            .collect();
        assert_eq!(Exceptions::parse(&list).unwrap(), state);
        assert!(Exceptions::parse("a *:* rwm\n").unwrap().allow);
        assert_eq!(Exceptions::parse("z"), None);
        assert_eq!(state.lines_from(&state), []);
    }

    #[test]
    fn a_transition_adds_before_it_removes() {
        let from = Exceptions::of(&rules(
            r#"[{"allow":true,"type":"c","major":10,"minor":1,"access":"rw"}]"#,
        ))
        .unwrap();
        let to = Exceptions::of(&rules(
            r#"[{"allow":true,"type":"c","major":10,"minor":2,"access":"r"}]"#,
        ))
        .unwrap();
        let lines = to.lines_from(&from);
        let expected = [(true, "c 10:2 r"), (false, "c 10:1 rw")];
        assert_eq!(
            lines,
            expected.map(|(allow, text)| Line {
                allow,
                text: text.into()
            })
        );
    }

    pub(crate) fn any_devices() -> impl Strategy<Value = Devices> {
        let number = || prop_oneof![Just(None), (0u32..3).prop_map(Some)];
        let kind = prop_oneof![Just(Kind::Block), Just(Kind::Character)];
        let some = (kind, number(), number()).prop_map(|(kind, major, minor)| Devices {
            kind,
            major,
            minor,
        });
        prop_oneof![8 => some, 1 => Just(Devices::ALL)]
    }

    fn any_rules() -> impl Strategy<Value = Vec<Rule>> {
        let rule =
            (any::<bool>(), any_devices(), 1u8..8).prop_map(|(allow, devices, access)| Rule {
                allow,
                devices,
                access: if devices == Devices::ALL {
                    EVERY_ACCESS
                } else {
                    access
                },
            });
        prop::collection::vec(rule, 0..8)
    }

    fn device(kind: Kind, major: u32, minor: u32) -> Devices {
        Devices {
            kind,
            major: Some(major),
            minor: Some(minor),
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_means_the_same(rules in any_rules()) {
            let Ok(state) = Exceptions::of(&rules) else { return Ok(()) };
            for (kind, major, minor, bit) in (0..36).map(|n: u32| {
                let kind = if n.is_multiple_of(2) { Kind::Block } else { Kind::Character };
                (kind, n / 2 % 3, n / 6 % 3, [MKNOD, READ][n as usize / 18])
            }) {
                let device = device(kind, major, minor);
                let excepted = state.exceptions.iter().any(|(d, a)| d.cover(&device) && a & bit != 0);
                prop_assert_eq!(excepted != state.allow, model::grants(&rules, device, bit));
            }
        }
    }
}
