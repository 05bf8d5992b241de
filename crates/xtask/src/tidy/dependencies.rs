//! What the program is built from, against `deny.toml`: licences, banned libraries, places that packages come from, and
//! two versions of the same one.
//!
//! Asked of `cargo tree`, which leaves out what no feature needs; `cargo metadata` and the lock file name more. Known
//! weaknesses are not looked up here, for that needs a list from elsewhere: `cargo deny check advisories`.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::Path,
    process::Command,
};

use anyhow::{Context, bail};
use spdx::{Expression, Licensee, ParseMode};
use toml::{Table, Value};

use super::{Document, Finding};

pub(super) fn check(root: &Path, documents: &[Document]) -> anyhow::Result<Vec<Finding>> {
    let Some(document) = documents.iter().find(|document| document.path == Path::new("deny.toml")) else {
        return Ok(Vec::new());
    };
    let rules = Rules::read(&document.text).context("reading deny.toml")?;
    let everything = tree(root, &rules.targets, &["--workspace", "--edges", "normal,build,dev"])?;
    let shipped = tree(root, &rules.targets, &["--package", "portcullis", "--edges", "normal,build"])?;
    let mut messages = rules.judge(&everything);
    messages.extend(rules.duplicates(&shipped));
    Ok(messages.into_iter().map(|message| document.error(None, message)).collect())
}

/// What `deny.toml` says, as far as it is checked here.
#[derive(Debug)]
pub(super) struct Rules {
    targets: Vec<String>,
    licences: Vec<Licensee>,
    /// With the reason.
    banned: Vec<(String, String)>,
    /// `name@version`: may be there beside another version.
    tolerated: Vec<String>,
}

/// A package of the tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Package {
    name: String,
    version: String,
    /// None for the registry.
    elsewhere: Option<String>,
    licence: String,
}

impl Rules {
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        let file: Table = text.parse()?;
        let list = |section: &str, key: &str| -> anyhow::Result<Vec<Value>> {
            let value = file.get(section).and_then(|section| section.get(key));
            value.and_then(Value::as_array).cloned().with_context(|| format!("no list {section}.{key}"))
        };
        let text = |value: &Value, key: &str| match value.get(key).and_then(Value::as_str) {
            Some(text) => Ok(text.to_owned()),
            None => bail!("{value}: no {key}"),
        };
        let plain =
            |value: &Value| value.as_str().map(str::to_owned).with_context(|| format!("{value}: no text"));
        let licence = |value: &Value| {
            Licensee::parse(&plain(value)?).map_err(|error| anyhow::anyhow!("{value}: {error}"))
        };
        let named = |value: &Value| Ok((text(value, "crate")?, text(value, "reason")?));
        Ok(Self {
            targets: list("graph", "targets")?.iter().map(plain).collect::<anyhow::Result<_>>()?,
            licences: list("licenses", "allow")?.iter().map(licence).collect::<anyhow::Result<_>>()?,
            banned: list("bans", "deny")?.iter().map(named).collect::<anyhow::Result<_>>()?,
            tolerated: list("bans", "skip")?
                .iter()
                .map(|value| Ok(named(value)?.0))
                .collect::<anyhow::Result<_>>()?,
        })
    }

    /// Licences, bans and origins.
    pub(super) fn judge(&self, packages: &BTreeSet<Package>) -> Vec<String> {
        let mut messages = Vec::new();
        for package in packages.iter().filter(|package| !package.is_ours()) {
            let Package { name, version, licence, .. } = package;
            if let Some((_, why)) = self.banned.iter().find(|(banned, _)| banned == name) {
                messages.push(format!("{name} {version} is banned: {why}"));
            }
            if let Some(place) = &package.elsewhere {
                messages.push(format!("{name} {version} comes from {place}, and not from the registry"));
            }
            match Expression::parse_mode(licence, ParseMode::LAX) {
                Ok(terms) if terms.evaluate(|term| self.licences.iter().any(|ours| ours.satisfies(term))) => {
                }
                Ok(_) => messages.push(format!("{name} {version}: the licence {licence} is not allowed")),
                Err(_) => messages.push(format!("{name} {version}: the licence {licence:?} cannot be read")),
            }
        }
        messages
    }

    /// Packages that are there in several versions, all but one of which must be tolerated.
    pub(super) fn duplicates(&self, packages: &BTreeSet<Package>) -> Vec<String> {
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for package in packages {
            versions.entry(&package.name).or_default().push(&package.version);
        }
        let mut messages = Vec::new();
        let mut needed = BTreeSet::new();
        for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
            let is_tolerated = |version: &&&str| self.tolerated.contains(&format!("{name}@{version}"));
            let left: Vec<&str> = versions.iter().filter(|version| !is_tolerated(version)).copied().collect();
            needed.extend(versions.iter().map(|version| format!("{name}@{version}")));
            if left.len() > 1 {
                messages.push(format!("{name} is there in the versions {}", left.join(" and ")));
            }
        }
        for entry in self.tolerated.iter().filter(|entry| !needed.contains(*entry)) {
            messages.push(format!("{entry} is tolerated (bans.skip), and there is no second version"));
        }
        messages
    }
}

impl Package {
    fn is_ours(&self) -> bool {
        self.elsewhere.as_ref().is_some_and(|place| place.starts_with('/'))
    }

    /// From `name v1.2.3 (proc-macro) (/place)|MIT`.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (package, licence) = line.split_once('|')?;
        let mut words = package.splitn(3, ' ');
        let (name, version, rest) = (words.next()?, words.next()?, words.next().unwrap_or_default());
        let place = rest.split('(').filter_map(|part| part.split(')').next()).find(|part| {
            let part = part.trim();
            !part.is_empty() && part != "proc-macro" && part != "*"
        });
        Some(Self {
            name: name.to_owned(),
            version: version.strip_prefix('v')?.to_owned(),
            elsewhere: place.map(str::to_owned),
            licence: licence.trim_end_matches("(*)").trim().to_owned(),
        })
    }
}

/// All packages of a tree: of which crates, and by which kinds of edges, say the flags.
fn tree(root: &Path, targets: &[String], flags: &[&str]) -> anyhow::Result<BTreeSet<Package>> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    command.current_dir(root).args(["tree", "--locked", "--prefix", "none", "--format", "{p}|{l}"]);
    // With the features that each asks for, whatever builds share.
    command.env_remove("CARGO_RESOLVER_FEATURE_UNIFICATION");
    command.args(flags).args(targets.iter().flat_map(|target| ["--target", target]));
    let output = command.output().context("running cargo tree")?;
    if !output.status.success() {
        bail!("cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout).context("cargo tree prints text")?;
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(|line| Package::parse(line).with_context(|| format!("cargo tree: {line}"))).collect()
}
