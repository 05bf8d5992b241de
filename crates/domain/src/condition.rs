//! The condition language of role assignments (Azure ABAC), version 2.0: a condition limits the assignment
//! that carries it, and no other.
//!
//! ```text
//! text ─► lexer ─► parser + check ─► tree ─► eval(facts) ─► holds?
//!                                      └──► print ─► canonical text
//! ```
//!
//! Source: "Azure role assignment condition format and syntax" and "FAQ for Azure role assignment
//! conditions", Microsoft. Where these pages are silent, the reading that refuses more is taken:
//!
//! - **Absent attributes.** A comparison with an attribute that the request does not have is not true, and
//!   neither is its negation: `StringNotEquals 'a'` and `!(... StringEquals 'a')` both refuse a request
//!   without the attribute. So NOT can never turn missing knowledge into access. The logic has three values;
//!   a condition holds only if the whole is true. `NOT Exists @Request[x]` asks for absence.
//! - **AND beside OR** needs parentheses ("you must add parentheses"); without them it is an error.
//! - **Values.** A fact that is a text is read as the operator's type (`'5'` as a number); a value of another
//!   type, a text over 8 KiB, or several values before an operator without `For...Values:` is not comparable
//!   and counts as absent. A list without values is absent, so that `ForAllOf...` is never true of nothing.
//! - **Literals** are of the operator's type: texts in quotes, whole numbers and booleans without, dates in
//!   quotes, GUIDs either way. `For...Values:` goes before every comparison operator.
//! - **Escapes** in texts: `\'` and `\\`; in patterns of `Like` also `\*` and `\?`.
//! - **Names** of operators, functions, sources and attributes are compared without case; so is everything
//!   in the operators that ignore case, for ASCII letters alone.
//! - **Limits.** 8192 bytes (Azure's) and 64 levels of parentheses and negations (ours).
//!
//! It deliberately does not know which attributes exist, beyond those of the environment, and it decides
//! nothing about the assignment: see `azure`.

mod ast;
mod case;
mod check;
mod error;
mod eval;
mod facts;
mod find;
mod gaps;
mod glob;
mod lexer;
mod literal;
mod operator;
mod parser;
mod print;
mod refusal;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub(crate) use self::glob::folded_glob_matches;
use self::{ast::Expression, eval::Truth};
pub use self::{
    error::{ConditionError, UnsupportedVersion},
    facts::{Facts, Source, Value, Values, attribute_names_match},
    glob::glob_matches,
    refusal::Refusal,
};

/// A condition that has been parsed and type-checked. Cheap to clone.
///
/// Keeps the text as written; two conditions are equal if they mean the same clause by clause, however they
/// are spaced and spelled. `Display` gives the canonical form, which parses to an equal condition. (Its
/// spacing can make it longer than the source, beyond the limit of 8192 bytes in the extreme.) Stored and
/// sent as the text as written.
///
/// ```
/// use domain::condition::Condition;
/// let condition = Condition::parse("not actionmatches{'*/delete'}||@Request[a]  StringEquals 'b'")?;
/// assert_eq!(condition.to_string(), "!(ActionMatches{'*/delete'}) OR @Request[a] StringEquals 'b'");
/// # Ok::<(), domain::condition::ConditionError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Condition {
    text: Arc<str>,
    expression: Arc<Expression>,
}

impl Condition {
    /// Reads a condition of version 2.0.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        let expression = parser::parse(text)?;
        Ok(Self { text: Arc::from(text), expression: Arc::new(expression) })
    }

    /// Checks a `conditionVersion`. An absent one means 2.0, as in Azure; anything but 2.0 is refused.
    pub fn check_version(version: Option<&str>) -> Result<(), UnsupportedVersion> {
        match version {
            None | Some("2.0") => Ok(()),
            Some(other) => Err(UnsupportedVersion(other.chars().take(20).collect())),
        }
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the assignment that carries this condition counts for the request.
    pub fn holds<F: Facts + ?Sized>(&self, facts: &F) -> bool {
        eval::evaluate(&self.expression, facts) == Truth::True
    }

    /// The clause to blame where the condition does not hold; nothing where it does.
    pub fn refusal<F: Facts + ?Sized>(&self, facts: &F) -> Option<Refusal<'_>> {
        if self.holds(facts) { None } else { Some(refusal::find(&self.expression, true, facts)) }
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression
    }
}
impl Eq for Condition {}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.expression, f)
    }
}

impl FromStr for Condition {
    type Err = ConditionError;
    fn from_str(text: &str) -> Result<Self, ConditionError> {
        Self::parse(text)
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
