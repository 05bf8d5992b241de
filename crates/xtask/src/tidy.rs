//! Rules of this repository that the compiler does not check: who may import whom, how files are headed and how
//! long they grow, that links lead somewhere, and what does not belong in the text.
//!
//! It reads files and judges them; it never changes one.

mod imports;
mod links;
mod sources;
#[cfg(test)]
mod tests;
mod words;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;

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

/// A text file of the repository.
#[derive(Clone, Debug)]
struct Document {
    /// Relative to the root.
    path: PathBuf,
    text: String,
}

impl Document {
    fn has_extension(&self, extension: &str) -> bool {
        self.path.extension().is_some_and(|found| found == extension)
    }

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

    /// Lines with their numbers, counted from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// Everything that is wrong below `root`, in the order of the files.
pub fn check(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let mut documents = Vec::new();
    collect(root, Path::new(""), &mut documents).with_context(|| format!("reading {}", root.display()))?;
    documents.sort_by(|left, right| left.path.cmp(&right.path));
    let mut findings = imports::check(&documents)?;
    for document in &documents {
        findings.extend(sources::check(document));
        findings.extend(links::check(root, document));
        findings.extend(words::check(document));
    }
    findings.sort_by(|left, right| (&left.file, left.line).cmp(&(&right.file, right.line)));
    Ok(findings)
}

/// Hidden folders other than those of the build are somebody's tools; `target` holds nothing of ours, nor does
/// the file `.git` of a linked checkout.
fn collect(root: &Path, folder: &Path, documents: &mut Vec<Document>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name();
        let path = folder.join(&name);
        if entry.file_type()?.is_dir() {
            let name = name.to_string_lossy();
            if (!name.starts_with('.') && name != "target") || VISIBLE_FOLDERS.contains(&name.as_ref()) {
                collect(root, &path, documents)?;
            }
        } else if name != ".git"
            && let Ok(text) = fs::read_to_string(root.join(&path))
        {
            documents.push(Document { path, text });
        }
    }
    Ok(())
}

const VISIBLE_FOLDERS: [&str; 2] = [".ci", ".cargo"];
