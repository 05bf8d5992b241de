//! `cargo xtask`: chores of this repository that are code. `tidy` checks the rules that no compiler knows,
//! `modules` draws which file imports which, `mutants` changes the code to see whether a test notices.

use std::{env, path::Path, process::ExitCode};

use anyhow::{Context, bail};
use xtask::{
    documents,
    modules::{self, draw},
    mutants,
    tidy::{self, Severity},
};

fn main() -> anyhow::Result<ExitCode> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("the workspace has a root")?;
    let mut arguments = env::args().skip(1);
    match arguments.next().as_deref() {
        Some("modules") => show_modules(root, arguments.next().as_deref()),
        Some("mutants") => try_mutants(root, &arguments.collect::<Vec<_>>()),
        Some("tidy") => check(root),
        other => {
            bail!(
                "unknown task {:?}; there are: modules [CRATE], mutants CRATE..., tidy",
                other.unwrap_or_default()
            )
        }
    }
}

/// The rooms of a crate by floor; without its name, how high each crate is.
fn show_modules(root: &Path, name: Option<&str>) -> anyhow::Result<ExitCode> {
    let crates = documents::crates(root)?;
    if let Some(name) = name {
        let found = crates.get(name).with_context(|| format!("there is no crate {name}"))?;
        print!("{}", draw(found));
        for circle in modules::circles(found) {
            println!("{circle}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    for (name, found) in &crates {
        let rooms = modules::rooms(found, &found.imports(), &[]);
        let floors = rooms.last().map_or(0, |room| room.floor + 1);
        let circles = modules::circles(found).len();
        println!("{name}: {} rooms on {floors} floors, {circles} circles of files", rooms.len());
    }
    Ok(ExitCode::SUCCESS)
}

/// Size, seed and part of the sample come from the environment, as those of other long tests do.
fn try_mutants(root: &Path, crates: &[String]) -> anyhow::Result<ExitCode> {
    fn number<N: std::str::FromStr>(name: &str, without: N) -> anyhow::Result<N> {
        let Some(text) = env::var_os(name) else { return Ok(without) };
        let parsed = text.to_str().and_then(|text| text.parse().ok());
        parsed.with_context(|| format!("{name} is no number: {}", text.display()))
    }
    if crates.is_empty() {
        bail!("name the crates whose code is changed");
    }
    let options = mutants::Options {
        crates: crates.to_vec(),
        sample: number("PORTCULLIS_MUTANTS", 100)?,
        seed: number("PORTCULLIS_SEED", 1)?,
        part: number("PORTCULLIS_PART", usize::MAX)?,
    };
    let summary = mutants::run(root, &options)?;
    println!("{summary}");
    let is_good = !summary.is_complete() || summary.is_enough();
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check(root: &Path) -> anyhow::Result<ExitCode> {
    let findings = tidy::check(root)?;
    for finding in &findings {
        println!("{finding}");
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    println!("tidy: {errors} errors, {} warnings", findings.len() - errors);
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
