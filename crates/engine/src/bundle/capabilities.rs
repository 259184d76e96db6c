//! Which capabilities a container has.

use crate::error::{Error, Result};
use dhow_sys::capability::NAMES as ALL;

/// What a container has unless asked otherwise: podman's eleven. Not among them, of docker's
/// fourteen: `MKNOD`, `NET_RAW`, `AUDIT_WRITE`.
const DEFAULT: [&str; 11] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// The capabilities of a container, as `CAP_…`, and those of them that were asked for by name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// All.
    pub(crate) all: Vec<String>,
    /// Those that a user other than root shall have too.
    pub(crate) asked: Vec<String>,
}

/// Works out `--cap-add` and `--cap-drop` as docker does: `ALL` first, single names win over it.
/// `held` says which numbers the host can give at all.
pub(crate) fn choose(
    privileged: bool,
    add: &[String],
    drop: &[String],
    held: &dyn Fn(u32) -> bool,
) -> Result<Capabilities> {
    let add = names("--cap-add", add)?;
    let drop = names("--cap-drop", drop)?;
    let has = |list: &[&str], name: &str| list.contains(&name);
    let (add_all, drop_all) = (has(&add, "ALL"), has(&drop, "ALL"));
    let mut chosen: Vec<&str> = Vec::new();
    let mut asked: Vec<&str> = Vec::new();
    for (number, name) in (0..).zip(ALL) {
        let by_name = has(&add, name);
        let by_default = !drop_all && (privileged || add_all || DEFAULT.contains(&name));
        if has(&drop, name) && !by_name {
            continue;
        }
        if by_name && !held(number) {
            return Err(Error::unsupported(
                format!("--cap-add {name}"),
                "this process or kernel does not have it to give",
            ));
        }
        if (by_name || by_default || (add_all && drop_all)) && held(number) {
            chosen.push(name);
            if by_name || add_all {
                asked.push(name);
            }
        }
    }
    let full = |list: Vec<&str>| list.iter().map(|name| format!("CAP_{name}")).collect();
    Ok(Capabilities {
        all: full(chosen),
        asked: full(asked),
    })
}

/// The known names behind what the user wrote, in any case and with or without `CAP_`.
fn names(option: &'static str, words: &[String]) -> Result<Vec<&'static str>> {
    words
        .iter()
        .map(|word| {
            let upper = word.trim().to_ascii_uppercase();
            let short = upper.strip_prefix("CAP_").unwrap_or(&upper);
            if short == "ALL" {
                return Ok("ALL");
            }
            ALL.iter()
                .find(|name| **name == short)
                .copied()
                .ok_or_else(|| {
                    Error::invalid(option, word, "is no capability; see capabilities(7)")
                })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn chosen(privileged: bool, add: &[&str], drop: &[&str]) -> Vec<String> {
        let own = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        choose(privileged, &own(add), &own(drop), &|_| true)
            .expect("valid")
            .all
    }

    #[test]
    fn defaults_and_changes() {
        assert_eq!(chosen(false, &[], &[]).len(), 11);
        assert!(!chosen(false, &[], &[]).contains(&"CAP_NET_RAW".to_owned()));
        assert!(chosen(false, &["net_raw"], &[]).contains(&"CAP_NET_RAW".to_owned()));
        assert_eq!(chosen(false, &["chown"], &["ALL"]), ["CAP_CHOWN"]);
        assert!(chosen(false, &[], &["all"]).is_empty());
        assert_eq!(chosen(false, &["ALL"], &[]).len(), 41);
        assert_eq!(chosen(false, &["ALL"], &["SYS_ADMIN"]).len(), 40);
        assert_eq!(chosen(true, &[], &[]).len(), 41);
        assert_eq!(chosen(true, &[], &["CAP_SYS_ADMIN"]).len(), 40);
    }

    #[test]
    fn only_what_is_held_is_given() {
        let none = |_: u32| false;
        let list = choose(true, &[], &[], &none).expect("valid");
        assert!(list.all.is_empty());
        let error = choose(false, &["BPF".into()], &[], &none).expect_err("not held");
        assert_eq!(error.kind(), Kind::Unsupported);
        let error = choose(false, &["SYS_EVERYTHING".into()], &[], &none).expect_err("unknown");
        assert_eq!(error.kind(), Kind::InvalidInput);
    }
}
