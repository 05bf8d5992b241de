//! Links in Markdown lead to files that exist, and ARCHITECTURE.md names only files that do.

use std::path::{Component, Path, PathBuf};

use super::{Document, Finding};

pub(super) fn check(root: &Path, document: &Document) -> Vec<Finding> {
    if !document.has_extension("md") {
        return Vec::new();
    }
    let folder = document.path.parent().unwrap_or(Path::new(""));
    let mut findings = Vec::new();
    for (number, line) in document.lines() {
        for target in link_targets(line) {
            if !exists(root, &folder.join(target)) {
                findings.push(document.error(number, format!("the link to {target} leads nowhere")));
            }
        }
        if document.path == Path::new("ARCHITECTURE.md") {
            for path in named_paths(line).filter(|path| !exists(root, Path::new(path))) {
                findings.push(document.error(number, format!("{path} does not exist")));
            }
        }
    }
    findings
}

/// The targets of `[text](target)`, without their anchors; those in other places of the world are not ours to
/// check.
fn link_targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', '#']).next()?;
        let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
        (!target.is_empty() && !is_elsewhere).then_some(target)
    })
}

/// Paths in backticks that begin with a folder of ours; those with placeholders are patterns.
fn named_paths(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2).filter(|text| {
        let is_path =
            ["crates/", "corpus/", "docs/", "deploy/"].iter().any(|folder| text.starts_with(folder));
        is_path && !text.contains(['*', '<', '{', ' ', ':'])
    })
}

fn exists(root: &Path, path: &Path) -> bool {
    let mut inside = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                if !inside.pop() {
                    return false;
                }
            }
            Component::Normal(part) => inside.push(part),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    root.join(inside).exists()
}
