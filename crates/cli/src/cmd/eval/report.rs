//! Prints answers: a line of JSON each, or a table for people.

use std::{
    fmt::Write as _,
    io::{self, Write},
    path::Path,
};

use domain::world::{Difference, Outcome};
use serde::Serialize;

use super::Answered;

#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

/// One line of JSON for each question. Differences are written to `errors`, to keep the output pure JSON lines.
pub(super) fn write_json(
    file: &Path,
    answered: &[Answered],
    output: &mut impl Write,
    errors: &mut impl Write,
) -> io::Result<()> {
    let file = file.to_string_lossy();
    for Answered { outcome, differences } in answered {
        serde_json::to_writer(&mut *output, &Line { file: &file, outcome })?;
        output.write_all(b"\n")?;
        for difference in differences.iter().flatten() {
            writeln!(errors, "{file}: {}: {}", printable(&outcome.name), describe(difference))?;
        }
    }
    Ok(())
}

pub(super) fn write_table(file: &Path, answered: &[Answered], output: &mut impl Write) -> io::Result<()> {
    writeln!(output, "{}", file.display())?;
    let names: Vec<String> = answered.iter().map(|each| printable(&each.outcome.name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).min(MAX_NAME_WIDTH);
    for (each, name) in answered.iter().zip(&names) {
        let mark = match &each.differences {
            None => "-",
            Some(differences) if differences.is_empty() => "ok",
            Some(_) => "FAIL",
        };
        let decision = each.outcome.decision;
        writeln!(output, "  {mark:<4}  {name:<width$}  {decision:<9}  {}", printable(&each.outcome.reason))?;
        for difference in each.differences.iter().flatten() {
            writeln!(output, "        {}", describe(difference))?;
        }
    }
    Ok(())
}

/// A summary over all files.
pub(super) fn write_summary(answered: &[Answered], files: usize, output: &mut impl Write) -> io::Result<()> {
    let differ = answered.iter().filter(|each| each.differs()).count();
    let unchecked = answered.iter().filter(|each| each.differences.is_none()).count();
    let held = answered.len() - differ - unchecked;
    let mut text =
        format!("{} in {}: {held} as expected", count(answered.len(), "review"), count(files, "file"));
    if differ > 0 {
        let _ = write!(text, ", {differ} not as expected");
    }
    if unchecked > 0 {
        let _ = write!(text, ", {unchecked} without an expectation");
    }
    writeln!(output, "{text}")
}

fn describe(difference: &Difference) -> String {
    let Difference { key, expected, found } = difference;
    format!("{key}: expected {expected}, found {found}")
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Replaces control characters by spaces.
fn printable(text: &str) -> String {
    text.chars().map(|each| if each.is_control() { ' ' } else { each }).collect()
}

const MAX_NAME_WIDTH: usize = 60;
