//! What does not belong in the text of this repository.
//!
//! The patterns are put together from halves, so that this file does not contain them itself.

use super::{Document, Finding, sources::is_test};

/// Where a pattern is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Everywhere,
    Rust,
    RustTests,
}

struct Pattern {
    halves: (&'static str, &'static str),
    place: Place,
    why: &'static str,
}

const fn everywhere(first: &'static str, second: &'static str, why: &'static str) -> Pattern {
    Pattern { halves: (first, second), place: Place::Everywhere, why }
}

const fn rust(first: &'static str, second: &'static str, why: &'static str) -> Pattern {
    Pattern { halves: (first, second), place: Place::Rust, why }
}

const PATTERNS: &[Pattern] = &[
    everywhere("/wo", "rk/", "a path of one machine"),
    everywhere("/ro", "ot/", "a path of one machine"),
    everywhere("../sha", "red", "a path outside the repository"),
    everywhere("pypi", ".org", "the address of a package registry"),
    everywhere("registry.np", "mjs", "the address of a package registry"),
    everywhere("deb.deb", "ian.org", "the address of a package registry"),
    everywhere("index.cra", "tes.io", "the address of a package registry"),
    rust("tod", "o!(", "an unfinished part"),
    rust("unimple", "mented!(", "an unfinished part"),
    rust("#[ign", "ore", "a test that does not run"),
    rust("#[al", "low(", "use #[expect(lint, reason = \"...\")]"),
    rust("#![al", "low(", "use #[expect(lint, reason = \"...\")]"),
    rust("FIX", "ME", "an unfinished part"),
    Pattern {
        halves: ("thread::sl", "eep("),
        place: Place::RustTests,
        why: "tests wait for what must happen, not for time",
    },
    Pattern {
        halves: ("time::sl", "eep("),
        place: Place::RustTests,
        why: "tests wait for what must happen, not for time",
    },
];

pub(super) fn check(document: &Document) -> Vec<Finding> {
    if document.path.file_name().is_some_and(|name| name == "Cargo.lock") {
        return Vec::new();
    }
    let is_rust = document.has_extension("rs");
    let is_rust_test = is_rust && is_test(document);
    let mut findings = Vec::new();
    for pattern in PATTERNS {
        let applies = match pattern.place {
            Place::Everywhere => true,
            Place::Rust => is_rust,
            Place::RustTests => is_rust_test,
        };
        if applies {
            let word = format!("{}{}", pattern.halves.0, pattern.halves.1);
            for (number, _) in document.lines().filter(|(_, line)| line.contains(&word)) {
                findings.push(document.error(number, format!("`{word}`: {}", pattern.why)));
            }
        }
    }
    findings
}
