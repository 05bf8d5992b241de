//! Surfaces see what their caller may see. Where one reads the whole snapshot instead, the place stands here, with how
//! often it does and why it may.
//!
//! Tests are left out. One read more than is written here is an error, and so is one less.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{Document, Finding};
use crate::modules::Crate;

/// The functions of the application that give everything, of all tenants. The second is for tests alone.
const NAMES: [&str; 2] = ["whole_snapshot", "whole_state"];

const SURFACES: [&str; 6] = ["oauth", "portal", "graph", "arm", "kubeapi", "server"];

/// A file that may read the whole snapshot.
pub(super) struct Place {
    pub(super) file: &'static str,
    pub(super) reads: usize,
    /// Why no view of the caller's does.
    pub(super) why: &'static str,
}

const PLACES: &[Place] = &[];

pub(super) fn check(crates: &BTreeMap<String, Crate>) -> Vec<Finding> {
    check_places(crates, PLACES)
}

pub(super) fn check_places(crates: &BTreeMap<String, Crate>, places: &[Place]) -> Vec<Finding> {
    let mut found: BTreeMap<PathBuf, Vec<(usize, &str)>> = BTreeMap::new();
    for surface in SURFACES {
        let folder = Path::new("crates").join(surface).join("src");
        for name in NAMES {
            for (file, line) in crates.get(surface).into_iter().flat_map(|krate| krate.calls(name)) {
                found.entry(folder.join(file)).or_default().push((line, name));
            }
        }
    }
    let mut findings = Vec::new();
    for (path, lines) in &found {
        let place = places.iter().find(|place| Path::new(place.file) == path);
        let allowed = place.map_or(0, |place| place.reads);
        let document = Document { path: path.clone(), text: String::new() };
        if lines.len() > allowed {
            let why = place.map_or("none is", |place| place.why);
            findings.extend(lines.iter().skip(allowed).map(|(line, name)| {
                let message =
                    format!("{name}: read what the caller may see; {allowed} are allowed here: {why}");
                document.error(*line, message)
            }));
        }
    }
    for place in places {
        let reads = found.get(Path::new(place.file)).map_or(0, Vec::len);
        if reads < place.reads {
            let document = Document { path: place.file.into(), text: String::new() };
            let message = format!(
                "whole_snapshot: {} are allowed, and there are {reads}: write the lower number",
                place.reads
            );
            findings.push(document.error(None, message));
        }
    }
    findings
}
