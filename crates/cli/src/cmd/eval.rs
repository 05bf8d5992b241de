//! `portcullis eval`: answers access questions in world files without a server, with the engines that a server uses.
//! It can run in CI as a test of access rules.
//!
//! ```text
//! file ─► read (YAML or JSON) ─► domain::world ─► outcomes ─► lines of JSON, or a table
//! ```
//!
//! `domain` decides; this module reads files and prints answers.

#[cfg(test)]
mod fuzz;
mod read;
mod report;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use domain::world::{Common, Difference, Outcome, World};
use jiff::Timestamp;

use crate::output;

/// Answers all questions of all files. Exit status: 0 if every expectation held, 1 if one did not, 2 if a file could
/// not be read (takes precedence).
pub fn run(files: &[PathBuf], json: bool) -> u8 {
    match evaluate(files, json, Timestamp::now(), &mut io::stdout().lock(), &mut io::stderr().lock()) {
        Ok(status) => status,
        // Unprinted answers are not a success.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => output::READER_GONE,
        Err(error) => {
            output::note(format_args!("portcullis: cannot write the answers: {error}"));
            UNREADABLE
        }
    }
}

/// The answer to one question, and its differences from the expected answer.
struct Answered {
    outcome: Outcome,
    /// `None` without an expectation.
    differences: Option<Vec<Difference>>,
}

fn evaluate(
    files: &[PathBuf],
    json: bool,
    now: Timestamp,
    output: &mut impl Write,
    errors: &mut impl Write,
) -> io::Result<u8> {
    let common = match Common::load() {
        Ok(common) => common,
        Err(error) => {
            writeln!(errors, "portcullis: the built-in roles cannot be read: {error}")?;
            return Ok(UNREADABLE);
        }
    };
    let mut status = 0;
    let mut all = Vec::new();
    for file in files {
        let answered = match answers(file, &common, now) {
            Ok(answered) => answered,
            Err(problem) => {
                writeln!(errors, "{}: {problem}", file.display())?;
                status = UNREADABLE;
                continue;
            }
        };
        if answered.iter().any(Answered::differs) {
            status = status.max(DIFFERS);
        }
        if json {
            report::write_json(file, &answered, output, errors)?;
        } else {
            report::write_table(file, &answered, output)?;
        }
        all.extend(answered);
    }
    if !json {
        report::write_summary(&all, files.len(), output)?;
    }
    output.flush()?;
    Ok(status)
}

fn answers(file: &Path, common: &Common, now: Timestamp) -> Result<Vec<Answered>, String> {
    let world = World::build(read::read(file)?, common).map_err(|error| error.to_string())?;
    let questions = world.questions().iter();
    Ok(questions
        .map(|question| {
            let outcome = world.answer(question, now);
            let differences = question.expectation.as_ref().map(|expected| expected.differences(&outcome));
            Answered { outcome, differences }
        })
        .collect())
}

impl Answered {
    fn differs(&self) -> bool {
        self.differences.as_ref().is_some_and(|differences| !differences.is_empty())
    }
}

const DIFFERS: u8 = 1;
const UNREADABLE: u8 = 2;

#[cfg(test)]
mod tests;
