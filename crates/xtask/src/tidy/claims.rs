//! What ARCHITECTURE.md and docs/security.md promise is held by tests: each point names one, as a link to
//! `FILE.rs#NAME`, or one of the rules beside this file. A name that no test of the file has is an error, in any document.
//!
//! Whether the test shows what the point says is for people to judge.

use std::path::{Component, Path, PathBuf};

use super::{Document, Finding};

/// A document, with the headings below which each point is a promise.
const PROMISES: [(&str, &[&str]); 2] = [
    ("ARCHITECTURE.md", &["## What must stay true"]),
    ("docs/security.md", &["## Access", "## Credentials", "## State and transport"]),
];

/// A link to one of these names what holds a promise as well as one to a test does.
const RULES: &str = "crates/xtask/src/tidy/";

pub(super) fn check(documents: &[Document]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for document in documents.iter().filter(|document| document.has_extension("md")) {
        for (line, text) in document.lines() {
            for (target, name) in named_tests(text) {
                if !has_test(documents, &beside(document, target), name) {
                    findings.push(document.error(line, format!("{target} has no test {name}")));
                }
            }
        }
    }
    for (path, headings) in PROMISES {
        let Some(document) = documents.iter().find(|document| document.path == Path::new(path)) else {
            continue;
        };
        for (line, text) in points(document, headings) {
            let is_rule = |target: &str| beside(document, target).starts_with(RULES);
            if named_tests(&text).next().is_none() && !targets(&text).any(is_rule) {
                findings.push(document.error(line, "no test is named that holds this: link FILE.rs#TEST"));
            }
        }
    }
    findings
}

/// The points of the lists below these headings, each with the line that it begins in.
fn points(document: &Document, headings: &[&str]) -> Vec<(usize, String)> {
    let mut points: Vec<(usize, String)> = Vec::new();
    let mut is_meant = false;
    for (number, line) in document.lines() {
        if line.starts_with('#') {
            is_meant = headings.contains(&line);
        } else if is_meant && line.starts_with("- ") {
            points.push((number, line.to_owned()));
        } else if is_meant
            && line.starts_with("  ")
            && let Some((_, point)) = points.last_mut()
        {
            point.push('\n');
            point.push_str(line);
        }
    }
    points
}

/// Links to a name in a file of Rust; a number of a line is no name.
fn named_tests(text: &str) -> impl Iterator<Item = (&str, &str)> {
    targets(text).filter_map(|target| {
        let (file, name) = target.split_once('#')?;
        let is_line =
            name.strip_prefix('L').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
        (file.ends_with(".rs") && !file.contains("://") && !is_line).then_some((file, name))
    })
}

fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// A target as a path from the root.
fn beside(document: &Document, target: &str) -> PathBuf {
    let mut path = document.path.parent().map(Path::to_path_buf).unwrap_or_default();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            part => path.push(part),
        }
    }
    path
}

/// Whether a function of this name follows the attribute of a test.
fn has_test(documents: &[Document], path: &Path, name: &str) -> bool {
    let Some(document) = documents.iter().find(|document| document.path == path) else { return false };
    let start = format!("fn {name}(");
    let mut is_test = false;
    for line in document.text.lines().map(str::trim_start) {
        if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        } else if line.contains("fn ") && !line.starts_with("//") {
            if is_test && line.contains(&start) {
                return true;
            }
            is_test = false;
        }
    }
    false
}
