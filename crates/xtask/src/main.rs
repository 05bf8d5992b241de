//! `cargo xtask`: chores of this repository that are code. `tidy` checks the rules that no compiler knows.

use std::{env, path::Path, process::ExitCode};

use anyhow::{Context, bail};
use xtask::tidy::{self, Severity};

fn main() -> anyhow::Result<ExitCode> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("the workspace has a root")?;
    match env::args().nth(1).as_deref() {
        Some("tidy") => check(root),
        other => bail!("unknown task {:?}; there is: tidy", other.unwrap_or_default()),
    }
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
