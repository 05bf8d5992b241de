//! Who may depend on whom: the table of ARCHITECTURE.md, held against each crate's manifest.
//!
//! Only what a crate ships with counts; a test may use what it likes. Every version stands in the workspace's
//! manifest, and a dependency that no source file names is one too many.

use anyhow::Context;
use toml::{Table, Value};

use super::{Document, Finding};

/// What one crate may use of ours, and what it must not use of others'.
struct Rule {
    krate: &'static str,
    ours: &'static [&'static str],
    never: &'static [&'static str],
}

const ALL: &[&str] = &[
    "domain",
    "crypto",
    "store",
    "app",
    "web",
    "oauth",
    "graph",
    "arm",
    "kubeapi",
    "scim",
    "portal",
    "server",
    "cli",
    "portcullis",
    "testkit",
    "testserver",
    "xtask",
];
const HTTP: &[&str] =
    &["axum", "hyper", "hyper-util", "http", "http-body", "http-body-util", "tower", "reqwest"];
const CRYPTOGRAPHY: &[&str] = &["aws-lc-rs", "argon2", "jsonwebtoken", "rcgen", "subtle"];
const BACK_ENDS: &[&str] = &["redb", "etcd-client", "rusqlite"];
const CLOCK_AND_IO: &[&str] = &["tokio", "async-trait", "rand", "getrandom", "tempfile"];
const SURFACE: &[&str] = &["app", "domain", "web"];

const RULES: &[Rule] = &[
    Rule { krate: "domain", ours: &[], never: CLOCK_AND_IO },
    Rule { krate: "store", ours: &[], never: &[] },
    Rule { krate: "crypto", ours: &["domain"], never: &["tokio"] },
    Rule { krate: "app", ours: &["domain", "crypto", "store"], never: &[] },
    Rule { krate: "web", ours: &["domain", "app"], never: &[] },
    Rule { krate: "oauth", ours: SURFACE, never: &["reqwest"] },
    Rule { krate: "graph", ours: SURFACE, never: &["reqwest"] },
    Rule { krate: "arm", ours: SURFACE, never: &["reqwest"] },
    Rule { krate: "kubeapi", ours: SURFACE, never: &["reqwest"] },
    Rule { krate: "scim", ours: SURFACE, never: &["reqwest"] },
    Rule { krate: "portal", ours: SURFACE, never: &["reqwest"] },
    Rule {
        krate: "server",
        ours: &[
            "domain", "crypto", "store", "app", "web", "oauth", "graph", "arm", "kubeapi", "scim", "portal",
        ],
        never: &[],
    },
    Rule { krate: "cli", ours: &["domain"], never: &["axum"] },
    Rule { krate: "portcullis", ours: &["server", "cli"], never: &[] },
    // For tests alone: that no other crate ships with one follows from its own row.
    Rule { krate: "testkit", ours: &["domain", "crypto", "store", "app", "web"], never: &["reqwest"] },
    Rule { krate: "testserver", ours: &["domain", "crypto", "app", "server", "testkit"], never: &[] },
    Rule { krate: "xtask", ours: &[], never: &["tokio"] },
];

/// Kinds of libraries that few crates may use, with those few.
const RESERVED: &[(&[&str], &[&str], &str)] = &[
    (CRYPTOGRAPHY, &["crypto", "cli"], "cryptography is used by crypto, and by cli to sign its assertions"),
    (BACK_ENDS, &["store"], "a back end of the store is used by store alone"),
    (
        HTTP,
        &[
            "web",
            "oauth",
            "graph",
            "arm",
            "kubeapi",
            "scim",
            "portal",
            "server",
            "cli",
            "portcullis",
            "testkit",
            "testserver",
        ],
        "HTTP is for the surfaces",
    ),
];

pub(super) fn check(documents: &[Document]) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for document in documents {
        let Some(krate) = crate_of_manifest(document) else { continue };
        let manifest: Table =
            document.text.parse().with_context(|| format!("reading {}", document.path.display()))?;
        findings.extend(check_manifest(krate, &manifest, document));
        findings.extend(unused(krate, &manifest, document, documents));
    }
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

fn check_manifest(krate: &str, manifest: &Table, document: &Document) -> Vec<Finding> {
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
    let Some(rule) = RULES.iter().find(|rule| rule.krate == krate) else {
        findings
            .push(document.error(None, format!("the crate {krate} has no place in the table of imports")));
        return findings;
    };
    for (name, _) in section_of(manifest, "dependencies") {
        if ALL.contains(&name) && !rule.ours.contains(&name) {
            findings.push(document.error(None, format!("{krate} must not use {name}")));
        }
        if rule.never.contains(&name) {
            findings.push(document.error(None, format!("{krate} must not use {name}")));
        }
        for (kind, allowed, why) in RESERVED {
            if kind.contains(&name) && !allowed.contains(&krate) {
                findings.push(document.error(None, format!("{krate} must not use {name}: {why}")));
            }
        }
    }
    findings
}

/// Dependencies that no file of the crate names.
fn unused(krate: &str, manifest: &Table, document: &Document, documents: &[Document]) -> Vec<Finding> {
    let folder = std::path::Path::new("crates").join(krate);
    let sources: Vec<&Document> = documents
        .iter()
        .filter(|source| source.path.starts_with(&folder) && source.has_extension("rs"))
        .collect();
    let mut findings = Vec::new();
    for section in ["dependencies", "dev-dependencies"] {
        for (name, _) in section_of(manifest, section) {
            let name_in_code = name.replace('-', "_");
            if !sources.iter().any(|source| names(&source.text, &name_in_code)) {
                findings.push(document.error(None, format!("{name} is not used")));
            }
        }
    }
    findings
}

/// Whether `word` stands in `text` as a path's beginning or in a `use`, and not as a part of a longer name.
fn names(text: &str, word: &str) -> bool {
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
