//! Rules of this repository that the compiler does not check: who may import whom, how files are headed and how
//! long they grow, that links lead somewhere, what we depend on, and what does not belong in the text.
//!
//! It reads files, and asks cargo what the program is built from; it never changes anything.

mod architecture;
mod circles;
mod claims;
mod dependencies;
mod imports;
mod links;
mod one_place;
mod sources;
#[cfg(test)]
mod tests;
mod whole_snapshot;
mod words;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::documents::{self, Document};

/// Something that a person should change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// Relative to the root of the repository.
    pub file: PathBuf,
    /// Counted from 1; none where the whole file is meant.
    pub line: Option<usize>,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Warning,
    Error,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(formatter, "{severity}: {}", self.file.display())?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        write!(formatter, ": {}", self.message)
    }
}

impl Document {
    fn error(&self, line: impl Into<Option<usize>>, message: impl Into<String>) -> Finding {
        Finding {
            severity: Severity::Error,
            file: self.path.clone(),
            line: line.into(),
            message: message.into(),
        }
    }

    fn warning(&self, message: impl Into<String>) -> Finding {
        Finding { severity: Severity::Warning, file: self.path.clone(), line: None, message: message.into() }
    }
}

/// Everything that is wrong below `root`, in the order of the files.
pub fn check(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let documents = documents::read(root)?;
    let crates = documents::crates_of(&documents)?;
    let mut findings = imports::check(&documents, &crates)?;
    findings.extend(circles::check(&crates));
    findings.extend(whole_snapshot::check(&crates));
    findings.extend(one_place::check(&documents, &crates));
    findings.extend(claims::check(&documents));
    findings.extend(dependencies::check(root, &documents)?);
    for document in &documents {
        findings.extend(sources::check(document));
        findings.extend(links::check(root, document));
        findings.extend(words::check(document));
    }
    findings.sort_by(|left, right| (&left.file, left.line).cmp(&(&right.file, right.line)));
    Ok(findings)
}
