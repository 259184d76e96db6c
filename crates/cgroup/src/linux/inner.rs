//! Groups below a container's own, which somebody inside has made.

use super::group::Group;
use super::hierarchy::Hierarchy;
use crate::{Error, Result};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

impl Group {
    /// The same container's group in which places below it stand for its own: each a path, and the
    /// controllers whose hierarchies it is for (none means all).
    ///
    /// # Errors
    /// InvalidInput for a path that would leave the group and for a controller that no hierarchy here has;
    /// NotFound when there is no such group.
    pub fn inner(&self, places: &[(Vec<String>, String)]) -> Result<Self> {
        for (controllers, path) in places {
            let known = |name: &String| {
                let unified = || self.unified().is_some_and(|place| offers(place, name));
                self.v1(name).is_some() || unified()
            };
            if let Some(name) = controllers.iter().find(|name| !known(name)) {
                return refuse(
                    path,
                    &format!("this container is in no hierarchy of {name:?}"),
                );
            }
        }
        let hierarchies = self.hierarchies.iter().map(|hierarchy| {
            let mut inner = hierarchy.copy();
            for (controllers, path) in places {
                let concerns = |name: &String| {
                    hierarchy.has(name) || hierarchy.is_v2() && offers(hierarchy, name)
                };
                if controllers.is_empty() || controllers.iter().any(concerns) {
                    inner.directory = below(hierarchy, path)?;
                }
            }
            if !inner.is_absent() {
                inner.open_group().map_err(|source| Error::Read {
                    path: inner.directory.clone(),
                    source,
                })?;
            }
            Ok(inner)
        });
        Ok(Self {
            rootless: self.rootless,
            // It was asked for by name: to do without is no choice of ours.
            explicit: true,
            limited: AtomicBool::new(self.limited.load(Ordering::Relaxed)),
            hierarchies: hierarchies.collect::<Result<_>>()?,
            unit: None,
            pending: OnceLock::new(),
        })
    }
}

/// Whether the unified hierarchy has a controller there.
fn offers(place: &Hierarchy, controller: &str) -> bool {
    let text = place.read("cgroup.controllers").unwrap_or_default();
    text.split_whitespace().any(|name| name == controller)
}

/// The place below the group; no way leads out of it.
fn below(hierarchy: &Hierarchy, path: &str) -> Result<PathBuf> {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.contains(&"..") || path.contains(['\0', '\n']) || path.len() > 4095 {
        return refuse(
            path,
            "must be a group below the container's own, without \"..\"",
        );
    }
    Ok(hierarchy.directory.join(parts.join("/")))
}

fn refuse<T>(path: &str, why: &str) -> Result<T> {
    Err(Error::Inner {
        path: path.chars().take(200).collect(),
        why: why.to_owned(),
    })
}
