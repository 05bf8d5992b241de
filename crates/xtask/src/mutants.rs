//! `cargo xtask mutants`: whether a test notices when the code is changed.
//!
//! cargo-mutants names the changes: a body that gives a default, a comparison turned around, an operator swapped. A
//! random sample of them is tried one after the other, each in a copy of the repository: first by the tests of its own
//! crate, and where none fails, by those of the crates above it.
//!
//! ```text
//! cargo mutants --list ─► sample by seed ─► copy with one change ─► own tests ─► tests above ─► a line in the record
//! ```
//!
//! What has been judged stands in the record, so that a run can end after a part and go on later. It judges nothing that
//! differs from what is in the working tree when the copy is made; a new record begins with a new copy.

mod record;
mod sample;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use toml::{Table, Value};

use record::Record;
pub use record::{Outcome, Summary};
use sample::Mutant;

/// Which changes are tried.
#[derive(Clone, Debug)]
pub struct Options {
    pub crates: Vec<String>,
    /// How many are drawn from all changes of these crates.
    pub sample: usize,
    /// Another seed, another sample.
    pub seed: u64,
    /// How many are judged before the run ends; the next one goes on.
    pub part: usize,
}

/// Judges a part of the sample, and says how the whole of it stands.
pub fn run(root: &Path, options: &Options) -> anyhow::Result<Summary> {
    let place = root.join("target").join("mutants");
    fs::create_dir_all(&place).with_context(|| format!("making {}", place.display()))?;
    let name = format!("{}-{}-{}.tsv", options.crates.join("+"), options.seed, options.sample);
    let mut record = Record::open(place.join(name))?;
    let tree = place.join("tree");
    if record.is_empty() || !tree.exists() {
        copy(root, &tree)?;
        // Else every change would be taken for caught, or for one that cannot be made.
        for name in &options.crates {
            if !matches!(test(&tree, &place.join("target"), &[name])?, Tests::Pass) {
                fs::remove_dir_all(&tree)?;
                bail!("the tests of {name} fail without any change");
            }
        }
    }
    let sample = sample::draw(&list(&tree, &options.crates)?, options.sample, options.seed);
    let above = Above::read(&tree)?;
    let left: Vec<&Mutant> = sample.iter().filter(|mutant| !record.has(&mutant.name)).collect();
    for mutant in left.into_iter().take(options.part) {
        let outcome = judge(mutant, &tree, &place.join("target"), &above)?;
        println!("{outcome}: {}", mutant.name);
        record.add(&mutant.name, outcome)?;
    }
    Ok(record.summary(sample.len()))
}

/// Tries one change, and takes it back.
fn judge(mutant: &Mutant, tree: &Path, target: &Path, above: &Above) -> anyhow::Result<Outcome> {
    let file = tree.join(&mutant.file);
    let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let changed = mutant.applied(&text).with_context(|| format!("{} has no such place", mutant.name))?;
    fs::write(&file, changed)?;
    let outcome = test_changed(mutant, tree, target, above);
    fs::write(&file, text)?;
    outcome
}

fn test_changed(mutant: &Mutant, tree: &Path, target: &Path, above: &Above) -> anyhow::Result<Outcome> {
    match test(tree, target, &[&mutant.package])? {
        Tests::DoNotBuild => return Ok(Outcome::Unbuildable),
        Tests::Fail => return Ok(Outcome::Caught),
        Tests::Pass => {}
    }
    let users: Vec<&str> = above.users_of(&mutant.package).into_iter().collect();
    if users.is_empty() {
        return Ok(Outcome::Missed);
    }
    Ok(match test(tree, target, &users)? {
        // Its own crate was built: a user that is not has noticed.
        Tests::DoNotBuild | Tests::Fail => Outcome::CaughtAbove,
        Tests::Pass => Outcome::Missed,
    })
}

enum Tests {
    Pass,
    Fail,
    DoNotBuild,
}

/// The quick tests of these crates. What never ends is ended by the profile.
fn test(tree: &Path, target: &Path, crates: &[&str]) -> anyhow::Result<Tests> {
    let mut command = Command::new(cargo());
    command.current_dir(tree).args(["nextest", "run", "--profile", "mutants", "--cargo-quiet"]);
    command.args(crates.iter().flat_map(|name| ["--package", name]));
    // Incremental: the same crate is built again and again, with one place changed.
    command.env("CARGO_TARGET_DIR", target).env("CARGO_INCREMENTAL", "1");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().context("running cargo nextest")?;
    match status.code() {
        Some(0) => Ok(Tests::Pass),
        Some(TESTS_FAILED) => Ok(Tests::Fail),
        Some(BUILD_FAILED) => Ok(Tests::DoNotBuild),
        // A crate without tests has nothing that could notice.
        Some(NO_TESTS) => Ok(Tests::Pass),
        other => bail!("cargo nextest ended with {other:?}"),
    }
}

/// All changes of these crates.
fn list(tree: &Path, crates: &[String]) -> anyhow::Result<Vec<Mutant>> {
    let mut command = Command::new(cargo());
    command.current_dir(tree).args(["mutants", "--list", "--json", "--exclude", TEST_CODE]);
    command.args(crates.iter().flat_map(|name| ["--package", name]));
    let output = command.output().context("running cargo mutants")?;
    if !output.status.success() {
        bail!("cargo mutants (`make mutants` installs it): {}", String::from_utf8_lossy(&output.stderr));
    }
    sample::read(&output.stdout)
}

/// A fresh copy of what is in the working tree, what is ignored left out.
fn copy(root: &Path, tree: &Path) -> anyhow::Result<()> {
    if tree.exists() {
        fs::remove_dir_all(tree).with_context(|| format!("removing {}", tree.display()))?;
    }
    let mut command = Command::new("git");
    command.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = command.output().context("running git ls-files")?;
    if !output.status.success() {
        bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    }
    let names = String::from_utf8(output.stdout).context("names of files are text")?;
    for name in names.split_terminator('\0').filter(|name| root.join(name).is_file()) {
        let to = tree.join(name);
        fs::create_dir_all(to.parent().unwrap_or(tree))?;
        fs::copy(root.join(name), &to).with_context(|| format!("copying {name}"))?;
    }
    Ok(())
}

/// Which crates use which, tests included.
struct Above(BTreeMap<String, BTreeSet<String>>);

impl Above {
    fn read(tree: &Path) -> anyhow::Result<Self> {
        let mut uses = BTreeMap::new();
        for entry in fs::read_dir(tree.join("crates"))? {
            let folder: PathBuf = entry?.path();
            let text = fs::read_to_string(folder.join("Cargo.toml"))?;
            let manifest: Table = text.parse().with_context(|| format!("{}", folder.display()))?;
            let names = ["dependencies", "dev-dependencies"]
                .iter()
                .filter_map(|section| manifest.get(*section).and_then(Value::as_table))
                .flat_map(|table| table.keys().cloned());
            if let Some(name) = folder.file_name() {
                uses.insert(name.to_string_lossy().into_owned(), names.collect());
            }
        }
        Ok(Self(uses))
    }

    /// All that use a crate, at once or by way of others.
    fn users_of(&self, krate: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut open = vec![krate];
        while let Some(name) = open.pop() {
            let users = self.0.iter().filter(|(_, uses)| uses.contains(name)).map(|(user, _)| user.as_str());
            open.extend(users.filter(|user| *user != krate && found.insert(*user)).collect::<Vec<_>>());
        }
        found
    }
}

fn cargo() -> std::ffi::OsString {
    env::var_os("CARGO").unwrap_or("cargo".into())
}

/// Tests that a crate offers to others.
const TEST_CODE: &str = "**/conformance/**";

/// What cargo-nextest ends with.
const NO_TESTS: i32 = 4;
const TESTS_FAILED: i32 = 100;
const BUILD_FAILED: i32 = 101;
