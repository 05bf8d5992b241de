//! Who uses whom: the manifest and the code of each crate, held against the tables of ARCHITECTURE.md.
//!
//! Only what a crate ships with counts; a test may use what it likes. Every version stands in the workspace's
//! manifest, and a dependency that no source file names is one too many.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use toml::{Table, Value};

use super::{Document, Finding, architecture::Architecture};
use crate::modules::Crate;

pub(super) fn check(
    documents: &[Document],
    crates: &BTreeMap<String, Crate>,
) -> anyhow::Result<Vec<Finding>> {
    let (architecture, mut findings) = Architecture::read(documents);
    let mut used = BTreeMap::new();
    for document in documents {
        let Some(krate) = crate_of_manifest(document) else { continue };
        let manifest: Table =
            document.text.parse().with_context(|| format!("reading {}", document.path.display()))?;
        findings.extend(check_inheritance(&manifest, document));
        findings.extend(check_place(krate, &manifest, &architecture, document));
        findings.extend(check_use(krate, &manifest, crates.get(krate), &architecture, document, documents));
        let shipped: BTreeSet<String> =
            section_of(&manifest, "dependencies").map(|(name, _)| name.to_owned()).collect();
        used.insert(krate, shipped);
    }
    findings.extend(check_tables(&architecture, &used, documents));
    Ok(findings)
}

/// The name of the crate, for `crates/NAME/Cargo.toml`.
fn crate_of_manifest(document: &Document) -> Option<&str> {
    let mut parts = document.path.iter().map(|part| part.to_str());
    match (parts.next()??, parts.next()??, parts.next()??, parts.next()) {
        ("crates", krate, "Cargo.toml", None) => Some(krate),
        _ => None,
    }
}

fn check_inheritance(manifest: &Table, document: &Document) -> Vec<Finding> {
    let mut findings = Vec::new();
    let inherits_lints =
        manifest.get("lints").and_then(|lints| lints.get("workspace")) == Some(&Value::Boolean(true));
    if !inherits_lints {
        findings.push(
            document.error(None, "the lints of the workspace are not inherited: `lints.workspace = true`"),
        );
    }
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (name, value) in section_of(manifest, section) {
            if value.get("workspace") != Some(&Value::Boolean(true)) {
                findings.push(
                    document.error(None, format!("{name}: versions stand in the workspace's manifest alone")),
                );
            }
        }
    }
    findings
}

/// What the manifest names, against the tables.
fn check_place(
    krate: &str,
    manifest: &Table,
    architecture: &Architecture,
    document: &Document,
) -> Vec<Finding> {
    let Some(row) = architecture.row(krate) else {
        let message = format!("{krate} stands in no row of the table of crates in ARCHITECTURE.md");
        return vec![document.error(None, message)];
    };
    let mut findings = Vec::new();
    for (name, _) in section_of(manifest, "dependencies") {
        let is_ours = architecture.crates().any(|ours| ours == name);
        if is_ours && !row.uses.iter().any(|allowed| allowed == name) {
            let message = format!("{krate} must not use {name}: see the table of crates in ARCHITECTURE.md");
            findings.push(document.error(None, message));
        }
        for rule in &architecture.libraries {
            let is_meant = rule.names.iter().any(|library| library == name);
            if is_meant && !row.is_for_tests && !rule.crates.iter().any(|allowed| allowed == krate) {
                findings.push(document.error(None, format!("{krate} must not use {name}: {}", rule.why)));
            }
        }
    }
    findings
}

/// What the code names, against the manifest.
fn check_use(
    krate: &str,
    manifest: &Table,
    code: Option<&Crate>,
    architecture: &Architecture,
    document: &Document,
    documents: &[Document],
) -> Vec<Finding> {
    let named = code.map(Crate::libraries).unwrap_or_default();
    let folder = std::path::Path::new("crates").join(krate);
    let sources: Vec<&Document> = documents
        .iter()
        .filter(|source| source.path.starts_with(&folder) && source.has_extension("rs"))
        .collect();
    let mut findings = Vec::new();
    for (name, _) in section_of(manifest, "dependencies") {
        if !named.contains_key(name.replace('-', "_").as_str()) {
            findings.push(document.error(None, format!("{name} is not used, tests aside")));
        }
    }
    for (name, _) in section_of(manifest, "dev-dependencies") {
        if !sources.iter().any(|source| mentions(&source.text, &name.replace('-', "_"))) {
            findings.push(document.error(None, format!("{name} is not used")));
        }
    }
    for name in architecture.crates().filter(|name| *name != krate) {
        let is_named = section_of(manifest, "dependencies").any(|(dependency, _)| dependency == name);
        if let Some((file, line)) = named.get(name)
            && !is_named
        {
            let path = folder.join("src").join(file);
            let message = format!("{name} is used and is no dependency of {krate}");
            findings.push(Document { path, text: String::new() }.error(*line, message));
        }
    }
    findings
}

/// What the tables allow and nobody needs.
fn check_tables(
    architecture: &Architecture,
    used: &BTreeMap<&str, BTreeSet<String>>,
    documents: &[Document],
) -> Vec<Finding> {
    let Some(document) =
        documents.iter().find(|document| document.path == std::path::Path::new("ARCHITECTURE.md"))
    else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let uses =
        |krate: &String, name: &String| used.get(krate.as_str()).is_some_and(|names| names.contains(name));
    for row in &architecture.rows {
        for krate in row.crates.iter().filter(|krate| !used.contains_key(krate.as_str())) {
            findings.push(document.error(row.line, format!("there is no crate {krate}")));
        }
        let needed = |name: &&String| row.is_open || row.crates.iter().any(|krate| uses(krate, name));
        for name in row.uses.iter().filter(|name| !needed(name)) {
            findings.push(document.error(row.line, format!("no crate of this row uses {name}")));
        }
    }
    for row in &architecture.libraries {
        for krate in row.crates.iter().filter(|krate| !row.names.iter().any(|name| uses(krate, name))) {
            findings.push(document.error(row.line, format!("{krate} uses none of these libraries")));
        }
        for name in row.names.iter().filter(|name| !row.crates.iter().any(|krate| uses(krate, name))) {
            findings.push(document.error(row.line, format!("none of these crates uses {name}")));
        }
    }
    findings
}

/// Whether `word` stands in `text` as a path's beginning or in a `use`, and not as a part of a longer name.
fn mentions(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + word.len()..).unwrap_or_default();
        let starts = before.is_none_or(|character| !character.is_alphanumeric() && character != '_');
        starts && (after.starts_with("::") || after.starts_with(';') || after.starts_with(" as "))
    })
}

fn section_of<'a>(manifest: &'a Table, section: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let table = manifest.get(section).and_then(Value::as_table);
    table.into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}
