//! No circles of files: files that import each other in a circle are read and changed as one.
//!
//! A parent and its own members may import each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{Document, Finding};
use crate::modules::{self, Crate};

pub(super) fn check(crates: &BTreeMap<String, Crate>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut tolerated = BTreeSet::new();
    for (krate, found) in crates {
        for circle in modules::circles(found) {
            let Some(import) = circle.way.first() else { continue };
            let known: BTreeSet<&str> = circle.files.iter().filter_map(|file| known(krate, file)).collect();
            if known.len() == circle.files.len() {
                tolerated.extend(known);
                continue;
            }
            let path = Path::new("crates").join(krate).join("src").join(import.file);
            findings.push(Document { path, text: String::new() }.error(import.line, circle.to_string()));
        }
    }
    if crates.contains_key("xtask") {
        let list = Document { path: "crates/xtask/src/tidy/circles.rs".into(), text: String::new() };
        for file in KNOWN.iter().filter(|file| !tolerated.contains(*file)) {
            findings.push(list.warning(format!("{file} is in no circle any more: take it out of the list")));
        }
    }
    findings
}

/// The entry of the list that means this file.
fn known(krate: &str, file: &Path) -> Option<&'static str> {
    KNOWN.iter().copied().find(|known| BEING_SPLIT.contains(&krate) && file.ends_with(known))
}

/// The crates whose circles are being taken apart.
const BEING_SPLIT: [&str; 2] = ["kubernetes", "resource_manager"];

/// Their files that are in a circle still. A file leaves the list and never comes onto it.
const KNOWN: &[&str] = &[
    "access.rs",
    "assignments.rs",
    "bootstrap.rs",
    "clusters.rs",
    "grants.rs",
    "identities.rs",
    "identity.rs",
    "locks.rs",
    "management_groups.rs",
    "namespaces.rs",
    "resources.rs",
    "service_accounts.rs",
    "subscriptions.rs",
    "write.rs",
];
