//! The tables of ARCHITECTURE.md: which crate may use which, and which libraries only some crates may use.
//!
//! They are read as people read them; a cell that cannot be read is a finding, not a rule that is left out.

use std::path::Path;

use super::{Document, Finding};

/// What the tables allow.
#[derive(Debug, Default)]
pub(super) struct Architecture {
    pub(super) rows: Vec<Row>,
    pub(super) libraries: Vec<Libraries>,
}

/// Crates that may use the same ones of ours.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) crates: Vec<String>,
    pub(super) uses: Vec<String>,
    /// `all of the above`: what is allowed need not be used.
    pub(super) is_open: bool,
    /// `for tests alone`: no part of the program, so that libraries are its own affair.
    pub(super) is_for_tests: bool,
}

/// Libraries that only some crates may use.
#[derive(Debug)]
pub(super) struct Libraries {
    pub(super) line: usize,
    pub(super) names: Vec<String>,
    pub(super) crates: Vec<String>,
    pub(super) why: String,
}

impl Architecture {
    /// With what is wrong in the tables themselves.
    pub(super) fn read(documents: &[Document]) -> (Self, Vec<Finding>) {
        let mut architecture = Self::default();
        let Some(document) = documents.iter().find(|document| document.path == Path::new("ARCHITECTURE.md"))
        else {
            let nowhere = Document { path: "ARCHITECTURE.md".into(), text: String::new() };
            return (architecture, vec![nowhere.error(None, "there is no table of who may use whom")]);
        };
        let mut findings = Vec::new();
        for (line, cells) in rows_below(document, "## Crates") {
            let [names, what, uses] = cells.as_slice() else {
                findings.push(document.error(line, "a row of the table of crates has three cells"));
                continue;
            };
            match uses_of(uses, &architecture.rows) {
                Some((uses, is_open)) => {
                    let is_for_tests = what.contains("for tests alone");
                    architecture.rows.push(Row { line, crates: linked(names), uses, is_open, is_for_tests });
                }
                None => findings.push(document.error(line, format!("not names of crates: {uses}"))),
            }
        }
        for (line, cells) in rows_below(document, "## Libraries that only some may use") {
            let [names, crates, why] = cells.as_slice() else {
                findings.push(document.error(line, "a row of the table of libraries has three cells"));
                continue;
            };
            architecture.libraries.push(Libraries {
                line,
                names: listed(names),
                crates: listed(crates),
                why: why.clone(),
            });
        }
        findings.extend(architecture.check(document));
        (architecture, findings)
    }

    /// The row of a crate.
    pub(super) fn row(&self, krate: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.crates.iter().any(|name| name == krate))
    }

    /// The names of all crates, in the order of the rows.
    pub(super) fn crates(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().flat_map(|row| &row.crates).map(String::as_str)
    }

    fn check(&self, document: &Document) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.rows.is_empty() {
            findings.push(document.error(None, "there is no table of who may use whom"));
        }
        if self.libraries.is_empty() {
            findings.push(document.error(None, "there is no table of libraries that only some may use"));
        }
        let mut seen = Vec::new();
        for row in &self.rows {
            for name in &row.crates {
                if seen.contains(&name) {
                    findings.push(document.error(row.line, format!("{name} stands in two rows")));
                }
                seen.push(name);
            }
            for name in &row.uses {
                let is_for_tests = self.row(name).is_some_and(|used| used.is_for_tests);
                if is_for_tests && !row.is_for_tests {
                    findings.push(document.error(row.line, format!("{name} is for tests alone")));
                }
            }
            for name in row.uses.iter().filter(|name| !self.crates().any(|krate| krate == name.as_str())) {
                findings.push(document.error(row.line, format!("{name} stands in no row")));
            }
        }
        for row in &self.libraries {
            for name in row.crates.iter().filter(|name| !self.crates().any(|krate| krate == name.as_str())) {
                findings.push(document.error(row.line, format!("{name} stands in no row of the crates")));
            }
        }
        findings
    }
}

/// The crates that a cell allows, and whether that is everything in the rows above.
fn uses_of(cell: &str, above: &[Row]) -> Option<(Vec<String>, bool)> {
    match cell {
        "nothing of ours" => Some((Vec::new(), false)),
        "all of the above" => Some((above.iter().flat_map(|row| row.crates.clone()).collect(), true)),
        _ => {
            let names = listed(cell);
            let is_name =
                |name: &String| name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
            (!names.is_empty() && names.iter().all(is_name)).then_some((names, false))
        }
    }
}

/// Names between commas, in backticks or not.
fn listed(cell: &str) -> Vec<String> {
    cell.split(',')
        .map(|name| name.trim().trim_matches('`').to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

/// The names of links that lead to crates.
fn linked(cell: &str) -> Vec<String> {
    let link = |text: &str| {
        let (name, target) = text.split_once("](crates/")?;
        (target.split('/').next() == Some(name)).then(|| name.to_owned())
    };
    cell.split('[').skip(1).filter_map(link).collect()
}

/// The cells of the first table below a heading, without its head.
fn rows_below<'a>(
    document: &'a Document,
    heading: &'a str,
) -> impl Iterator<Item = (usize, Vec<String>)> + 'a {
    document
        .lines()
        .skip_while(move |(_, line)| *line != heading)
        .skip(1)
        .take_while(|(_, line)| !line.starts_with('#'))
        .filter(|(_, line)| line.starts_with('|'))
        .skip(2)
        .map(|(number, line)| {
            (number, line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        })
}
