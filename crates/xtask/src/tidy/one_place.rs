//! What is done in one place only, so that reading that place is enough: keys of the store are made by the tables of
//! `state`, and changes reach a snapshot in its `live`. Tests are left out.

use std::{collections::BTreeMap, path::Path};

use super::{Document, Finding, sources::is_test};
use crate::modules::Crate;

/// The only file that says how keys begin.
const TABLES: &str = "crates/state/src/tables.rs";
/// Beginnings of keys, put together from halves so that this file is none of the places.
const BEGINNINGS: [(&str, &str); 2] = [("\"/li", "ve/"), ("\"/co", "ld/")];

/// The only file that changes a snapshot.
const LIVE: &str = "live.rs";
/// What changes a snapshot. Surfaces cannot call them: they get a snapshot that they cannot change.
const CHANGES: [&str; 4] = ["apply", "put_assignments", "set_aside", "adopt_fold"];
/// The crates that know snapshots and records.
const KNOW_SNAPSHOTS: [&str; 6] = ["state", "directory", "sign_in", "kubernetes", "resource_manager", "app"];

pub(super) fn check(documents: &[Document], crates: &BTreeMap<String, Crate>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let sources = documents.iter().filter(|document| {
        document.has_extension("rs") && !is_test(document) && !document.path.ends_with("fuzz.rs")
    });
    for document in sources.filter(|document| document.path != Path::new(TABLES)) {
        let before_tests = document.text.split("#[cfg(test)]").next().unwrap_or_default();
        for (index, line) in before_tests.lines().enumerate() {
            if BEGINNINGS.iter().any(|(first, second)| line.contains(&format!("{first}{second}"))) {
                findings
                    .push(document.error(index + 1, format!("keys of the store are made in {TABLES} alone")));
            }
        }
    }
    for name in KNOW_SNAPSHOTS {
        for change in CHANGES {
            let calls = crates.get(name).into_iter().flat_map(|found| found.calls(change));
            for (file, line) in calls.filter(|(file, _)| name != "state" || *file != Path::new(LIVE)) {
                let path = Path::new("crates").join(name).join("src").join(file);
                let message = format!("{change}: a snapshot is changed in crates/state/src/{LIVE} alone");
                findings.push(Document { path, text: String::new() }.error(line, message));
            }
        }
    }
    findings
}
