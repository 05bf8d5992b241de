//! Why a text is not a condition, and where.
//!
//! The place is given three times: the byte for programs, line and column for people. Columns count
//! characters, not bytes, as editors do.

use std::fmt;

/// A text that is not a condition of version 2.0.
///
/// `Display`: `line 1, column 14: expected an operator such as StringEquals, found "is"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionError {
    /// Offset in bytes from the beginning of the text; at most its length.
    pub position: usize,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What was expected and what was found, without the place.
    pub message: String,
}

impl ConditionError {
    /// `position` is a byte offset into `text`; one inside of a character counts as its beginning.
    pub(super) fn at(text: &str, position: usize, message: String) -> Self {
        let position = text.floor_char_boundary(position);
        let before = text.get(..position).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column =
            before.chars().count() - before.get(..line_start).map_or(0, |lines| lines.chars().count()) + 1;
        let bounded = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self { position, line: bounded(line), column: bounded(column), message }
    }
}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ConditionError {}

/// A `conditionVersion` other than 2.0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("condition version \"{0}\" is not supported, expected 2.0")]
pub struct UnsupportedVersion(pub String);
