//! `linux.intelRdt`: which class of service the processor's caches and memory bandwidth give the
//! container (config-linux.md, "IntelRdt"; the kernel's `filesystems/resctrl.rst`).

use super::invalid::Invalid;
use crate::spec::linux::IntelRdt as Document;
use serde::Serialize;

/// What was asked for, checked as far as that goes without the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct IntelRdt {
    /// The class by name, `/` for the one of everybody; `None`: one of the container's own.
    pub class: Option<String>,
    /// Lines for its `schemata` file.
    pub schemata: Vec<String>,
    /// Whether the container is counted by itself.
    pub monitoring: bool,
}

/// Directories that are in every class.
const RESERVED: [&str; 3] = ["info", "mon_groups", "mon_data"];

/// Reads `linux.intelRdt`.
///
/// # Errors
/// [`Invalid`]: a class that cannot be a directory's name, a line that is no schema.
pub fn parse(document: Option<&Document>) -> Result<Option<IntelRdt>, Invalid> {
    let Some(document) = document else {
        return Ok(None);
    };
    let at = |name: &str| format!("linux.intelRdt.{name}");
    let class = document.clos_id.clone().filter(|class| !class.is_empty());
    if let Some(class) = class.as_deref().filter(|class| *class != "/") {
        let name = class.len() <= 255
            && !class.contains(['/', '\n', '\0'])
            && !matches!(class, "." | "..")
            && !RESERVED.contains(&class);
        if !name {
            let reason = format!("{class:?} cannot be the name of a class (/ is the default one)");
            return Err(Invalid::new(at("closID"), reason));
        }
    }
    let bandwidth = document
        .mem_bw_schema
        .as_deref()
        .filter(|line| !line.is_empty());
    if let Some(line) = bandwidth {
        line_of(line, "MB:").map_err(|why| Invalid::new(at("memBwSchema"), why))?;
    }
    let mut schemata = Vec::new();
    let cache = document.l3_cache_schema.as_deref().unwrap_or_default();
    for line in cache.lines().filter(|line| !line.trim().is_empty()) {
        line_of(line, "").map_err(|why| Invalid::new(at("l3CacheSchema"), why))?;
        schemata.push(line.trim().to_owned());
    }
    schemata.extend(bandwidth.map(str::to_owned));
    for (index, line) in document.schemata.iter().enumerate() {
        line_of(line, "").map_err(|why| Invalid::new(at(&format!("schemata[{index}]")), why))?;
        schemata.push(line.clone());
    }
    Ok(Some(IntelRdt {
        class,
        schemata,
        monitoring: document.enable_monitoring,
    }))
}

/// Checks that a line is `RESOURCE:DOMAIN=VALUE[;DOMAIN=VALUE…]`.
///
/// # Errors
/// Why it is not, in words.
pub fn line_of(line: &str, prefix: &str) -> Result<(), String> {
    let refuse = |reason: &str| Err(format!("{line:?} {reason}"));
    if line.contains('\n') {
        return refuse("is more than one line");
    }
    if !line.starts_with(prefix) {
        return refuse(&format!("does not begin with {prefix}"));
    }
    let entries = |rest: &str| {
        rest.split(';').all(|entry| {
            entry.split_once('=').is_some_and(|(domain, value)| {
                !value.trim().is_empty() && domain.trim().bytes().all(|byte| byte.is_ascii_digit())
            })
        })
    };
    match line.split_once(':') {
        Some((resource, rest)) if !resource.trim().is_empty() && entries(rest) => Ok(()),
        _ => refuse("is no schema such as L3:0=ff;1=ff or MB:0=50"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(document: &Document) -> String {
        parse(Some(document)).expect_err("refused").path
    }

    #[test]
    fn all_lines_are_written_in_their_order() {
        let document = Document {
            clos_id: Some("fast".into()),
            l3_cache_schema: Some("L3CODE:0=7f0;1=1f\nL3DATA:0=1".into()),
            mem_bw_schema: Some("MB:0=20;1=70".into()),
            schemata: vec!["L2:0=3".into()],
            enable_monitoring: true,
        };
        let plan = parse(Some(&document)).expect("fine").expect("some");
        assert_eq!(plan.class.as_deref(), Some("fast"));
        assert_eq!(
            plan.schemata,
            ["L3CODE:0=7f0;1=1f", "L3DATA:0=1", "MB:0=20;1=70", "L2:0=3"]
        );
        assert!(plan.monitoring);
        assert_eq!(parse(None), Ok(None));
    }

    #[test]
    fn impossible_classes_are_refused() {
        for class in ["a/b", ".", "..", "info", "mon_groups", "a\nb"] {
            let document = Document {
                clos_id: Some(class.into()),
                ..Document::default()
            };
            assert_eq!(refused(&document), "linux.intelRdt.closID", "{class}");
        }
        let root = Document {
            clos_id: Some("/".into()),
            ..Document::default()
        };
        assert!(parse(Some(&root)).is_ok());
    }

    #[test]
    fn lines_that_are_no_schema_are_refused() {
        let bandwidth = |line: &str| Document {
            mem_bw_schema: Some(line.into()),
            ..Document::default()
        };
        for line in ["L3:0=f", "MB:0=20\nL3:0=f", "MB:0", "MB:", "MB:x=3"] {
            assert_eq!(
                refused(&bandwidth(line)),
                "linux.intelRdt.memBwSchema",
                "{line}"
            );
        }
        let cache = Document {
            l3_cache_schema: Some("f".into()),
            ..Document::default()
        };
        assert_eq!(refused(&cache), "linux.intelRdt.l3CacheSchema");
        let schemata = Document {
            schemata: vec!["L2:0=3".into(), "L2".into()],
            ..Document::default()
        };
        assert_eq!(refused(&schemata), "linux.intelRdt.schemata[1]");
    }
}
