//! No circles of files: files that import each other in a circle are read and changed as one.
//!
//! A parent and its own members may import each other.

use std::{collections::BTreeMap, path::Path};

use super::{Document, Finding};
use crate::modules::{self, Crate};

pub(super) fn check(crates: &BTreeMap<String, Crate>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (krate, found) in crates {
        for circle in modules::circles(found) {
            let Some(import) = circle.way.first() else { continue };
            let path = Path::new("crates").join(krate).join("src").join(import.file);
            findings.push(Document { path, text: String::new() }.error(import.line, circle.to_string()));
        }
    }
    findings
}
