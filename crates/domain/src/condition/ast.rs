//! A condition as a tree. Parentheses, spacing and the spelling of operators are gone; what is left is
//! what is evaluated, compared and printed. Built by the parser alone, which also bounds its depth.

use jiff::Timestamp;
use uuid::Uuid;

use super::{facts::Source, operator::Operator};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// At least two, none of them an `Or` unless it stood in parentheses. The same for `And`.
    Or(Vec<Expression>),
    And(Vec<Expression>),
    Not(Box<Expression>),
    /// A pattern in which `*` is a wildcard.
    ActionMatches(String),
    SubOperationMatches(String),
    Exists(Attribute),
    Comparison(Box<Comparison>),
}

/// The operator fits the literals: no comparison of a number with a text gets this far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) left: Operand,
    pub(super) operator: Operator,
    pub(super) right: Operand,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    Attribute(Attribute),
    /// At least one; exactly one where the operator compares single values.
    Literals(Vec<Literal>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) source: Source,
    /// As written between the brackets, suffixes included.
    pub(super) name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    /// On the right of a `Like` operator: a pattern, in which each backslash stands before `*`, `?` or `\`.
    String(String),
    Number(i64),
    Bool(bool),
    Time(Timestamp),
    Guid(Uuid),
}
