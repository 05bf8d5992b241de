//! The comparison operators: one table from names to meanings, used to read and to print.
//!
//! These are the operators that Microsoft documents ("Azure role assignment condition format and syntax",
//! version 2.0). A name that is not among them is refused, not guessed at: `StringContains` or
//! `StringMatches` stand in no public description of the language.

use super::case::Case;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operator {
    /// Absent: one value is compared with one value.
    pub(super) quantifier: Option<Quantifier>,
    pub(super) relation: Relation,
}

/// How the values of the left side meet those of the right side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantifier {
    AnyOfAny,
    AllOfAny,
    AnyOfAll,
    AllOfAll,
}

/// What must be true of two values. `negated` is the `Not` in the operator's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    String { test: StringTest, case: Case, negated: bool },
    Numeric(Order),
    Bool { negated: bool },
    DateTime(Order),
    Guid { negated: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StringTest {
    Equals,
    StartsWith,
    Like,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Equals,
    NotEquals,
    GreaterThan,
    GreaterThanEquals,
    LessThan,
    LessThanEquals,
}

impl Operator {
    /// Reads `StringEquals` or `ForAnyOfAnyValues:StringEquals`; case does not count.
    pub(super) fn parse(word: &str) -> Option<Self> {
        let (quantifier, relation) = match word.split_once(':') {
            Some((quantifier, relation)) => (Some(find(&QUANTIFIERS, quantifier)?), relation),
            None => (None, word),
        };
        Some(Self { quantifier, relation: find(&RELATIONS, relation)? })
    }

    /// The operator's name as Microsoft writes it: quantifier, if any, and relation.
    pub(super) fn names(self) -> (Option<&'static str>, &'static str) {
        (self.quantifier.and_then(|quantifier| name(&QUANTIFIERS, quantifier)), self.relation.name())
    }
}

impl Relation {
    pub(super) fn name(self) -> &'static str {
        name(&RELATIONS, self).unwrap_or_default()
    }

    /// Whether its right side is a pattern with wildcards.
    pub(super) fn takes_pattern(self) -> bool {
        matches!(self, Self::String { test: StringTest::Like, .. })
    }
}

fn find<T: Copy>(table: &[(&'static str, T)], word: &str) -> Option<T> {
    table.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, meaning)| *meaning)
}

fn name<T: PartialEq>(table: &[(&'static str, T)], meaning: T) -> Option<&'static str> {
    table.iter().find(|(_, each)| *each == meaning).map(|(name, _)| *name)
}

pub(super) const QUANTIFIERS: [(&str, Quantifier); 4] = [
    ("ForAnyOfAnyValues", Quantifier::AnyOfAny),
    ("ForAllOfAnyValues", Quantifier::AllOfAny),
    ("ForAnyOfAllValues", Quantifier::AnyOfAll),
    ("ForAllOfAllValues", Quantifier::AllOfAll),
];

pub(super) const RELATIONS: [(&str, Relation); 28] = [
    ("StringEquals", string(StringTest::Equals, Case::Counts, false)),
    ("StringNotEquals", string(StringTest::Equals, Case::Counts, true)),
    ("StringEqualsIgnoreCase", string(StringTest::Equals, Case::Ignored, false)),
    ("StringNotEqualsIgnoreCase", string(StringTest::Equals, Case::Ignored, true)),
    ("StringStartsWith", string(StringTest::StartsWith, Case::Counts, false)),
    ("StringNotStartsWith", string(StringTest::StartsWith, Case::Counts, true)),
    ("StringStartsWithIgnoreCase", string(StringTest::StartsWith, Case::Ignored, false)),
    ("StringNotStartsWithIgnoreCase", string(StringTest::StartsWith, Case::Ignored, true)),
    ("StringLike", string(StringTest::Like, Case::Counts, false)),
    ("StringNotLike", string(StringTest::Like, Case::Counts, true)),
    ("StringLikeIgnoreCase", string(StringTest::Like, Case::Ignored, false)),
    ("StringNotLikeIgnoreCase", string(StringTest::Like, Case::Ignored, true)),
    ("NumericEquals", Relation::Numeric(Order::Equals)),
    ("NumericNotEquals", Relation::Numeric(Order::NotEquals)),
    ("NumericGreaterThan", Relation::Numeric(Order::GreaterThan)),
    ("NumericGreaterThanEquals", Relation::Numeric(Order::GreaterThanEquals)),
    ("NumericLessThan", Relation::Numeric(Order::LessThan)),
    ("NumericLessThanEquals", Relation::Numeric(Order::LessThanEquals)),
    ("BoolEquals", Relation::Bool { negated: false }),
    ("BoolNotEquals", Relation::Bool { negated: true }),
    ("DateTimeEquals", Relation::DateTime(Order::Equals)),
    ("DateTimeNotEquals", Relation::DateTime(Order::NotEquals)),
    ("DateTimeGreaterThan", Relation::DateTime(Order::GreaterThan)),
    ("DateTimeGreaterThanEquals", Relation::DateTime(Order::GreaterThanEquals)),
    ("DateTimeLessThan", Relation::DateTime(Order::LessThan)),
    ("DateTimeLessThanEquals", Relation::DateTime(Order::LessThanEquals)),
    ("GuidEquals", Relation::Guid { negated: false }),
    ("GuidNotEquals", Relation::Guid { negated: true }),
];

const fn string(test: StringTest, case: Case, negated: bool) -> Relation {
    Relation::String { test, case, negated }
}
