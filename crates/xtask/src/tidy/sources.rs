//! How a source file is headed, named and how long it is.

use super::{Document, Finding};

pub(super) fn check(document: &Document) -> Vec<Finding> {
    if !document.has_extension("rs") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if !document.text.starts_with("//! ") {
        findings.push(
            document.error(1, "a file begins with `//!`: what it is, and what it deliberately does not do"),
        );
    }
    if document.path.file_name().is_some_and(|name| name == "mod.rs") {
        findings.push(document.error(None, "a module is `name.rs` beside `name/`, never `mod.rs`"));
    }
    if !is_test(document) {
        let lines = lines_without_tests(&document.text);
        if lines > MOST_LINES {
            findings.push(
                document.error(None, format!("{lines} lines: split it along a noun (at most {MOST_LINES})")),
            );
        } else if lines > MANY_LINES {
            findings.push(
                document
                    .warning(format!("{lines} lines: more than {MANY_LINES} ask to be split along a noun")),
            );
        }
    }
    findings
}

/// Tests, benchmarks and examples may be long: cases are data.
pub(super) fn is_test(document: &Document) -> bool {
    let is_test_name =
        |part: &str| matches!(part, "tests" | "benches" | "tests.rs" | "conformance.rs" | "fuzz");
    document.path.iter().filter_map(|part| part.to_str()).any(is_test_name)
}

fn lines_without_tests(text: &str) -> usize {
    let before_tests = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    before_tests.lines().count()
}

const MANY_LINES: usize = 400;
const MOST_LINES: usize = 600;
