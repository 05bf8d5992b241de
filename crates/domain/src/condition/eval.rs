//! Whether a condition holds for a request.
//!
//! Logic of three values: a comparison whose attribute is absent, or whose values cannot be compared, is
//! neither true nor false. AND and OR take the lesser and the greater of `False < Unknown < True`, NOT turns
//! the order round. A condition holds if the whole is true. Clauses are visited from left to right, and no
//! further than needed. Nothing is allocated but what the facts allocate for a list of values.

use super::{
    ast::{Attribute, Comparison, Expression, Literal, Operand},
    facts::{Facts, Source, Value, Values},
    gaps::MAXIMUM_TEXT,
    glob::{glob_matches, like_matches},
    literal::{parse_bool, parse_guid, parse_number, parse_time},
    operator::{Order, Quantifier, Relation, StringTest},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    False,
    Unknown,
    True,
}

pub(super) fn evaluate<F: Facts + ?Sized>(expression: &Expression, facts: &F) -> Truth {
    match expression {
        Expression::Or(clauses) => Truth::any(clauses.iter().map(|clause| evaluate(clause, facts))),
        Expression::And(clauses) => Truth::all(clauses.iter().map(|clause| evaluate(clause, facts))),
        Expression::Not(clause) => evaluate(clause, facts).not(),
        Expression::ActionMatches(pattern) => Truth::from(glob_matches(pattern, facts.action())),
        Expression::SubOperationMatches(pattern) => {
            Truth::from(facts.sub_operation().is_some_and(|name| glob_matches(pattern, name)))
        }
        Expression::Exists(attribute) => Truth::from(values(attribute, facts).is_some()),
        Expression::Comparison(comparison) => compare(comparison, facts),
    }
}

/// What the request has under this name; a list without values is as good as absent.
pub(super) fn values<'f, F: Facts + ?Sized>(attribute: &Attribute, facts: &'f F) -> Option<Values<'f>> {
    let values = facts.attribute(attribute.source, &attribute.name).filter(|values| values.len() > 0);
    // The form in which sub-operations were asked for before `SubOperationMatches`.
    let is_sub_operation =
        attribute.source == Source::Request && attribute.name.eq_ignore_ascii_case("subOperation");
    match values {
        None if is_sub_operation => facts.sub_operation().map(|name| Values::One(Value::String(name))),
        values => values,
    }
}

impl Truth {
    /// The greatest; `False` of none.
    fn any(truths: impl Iterator<Item = Self>) -> Self {
        Self::reach(Self::False, Self::True, Self::max, truths)
    }

    /// The least; `True` of none.
    fn all(truths: impl Iterator<Item = Self>) -> Self {
        Self::reach(Self::True, Self::False, Self::min, truths)
    }

    fn reach(
        start: Self,
        end: Self,
        join: fn(Self, Self) -> Self,
        truths: impl Iterator<Item = Self>,
    ) -> Self {
        let mut reached = start;
        for truth in truths {
            reached = join(reached, truth);
            if reached == end {
                break;
            }
        }
        reached
    }

    fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

impl From<bool> for Truth {
    fn from(truth: bool) -> Self {
        if truth { Self::True } else { Self::False }
    }
}

/// One side of a comparison, with the values that it has for this request.
enum Side<'a> {
    Literals(&'a [Literal]),
    Values(Values<'a>),
}

fn compare<F: Facts + ?Sized>(comparison: &Comparison, facts: &F) -> Truth {
    let (Some(left), Some(right)) = (Side::of(&comparison.left, facts), Side::of(&comparison.right, facts))
    else {
        return Truth::Unknown;
    };
    let relation = comparison.operator.relation;
    // The left value is read as the relation's type once, not for each value of the right side.
    let lefts = || left.iter().map(|each| typed(relation, each));
    let meets = |left: Option<Value<'_>>, right: Value<'_>| {
        left.zip(typed(relation, right)).map_or(Truth::Unknown, |(left, right)| meets(relation, left, right))
    };
    match comparison.operator.quantifier {
        // A list compared as if it were one value: which of its values is meant cannot be said.
        None if left.len() != 1 || right.len() != 1 => Truth::Unknown,
        None | Some(Quantifier::AnyOfAny) => {
            Truth::any(lefts().map(|each| Truth::any(right.iter().map(|other| meets(each, other)))))
        }
        Some(Quantifier::AllOfAny) => {
            Truth::all(lefts().map(|each| Truth::any(right.iter().map(|other| meets(each, other)))))
        }
        Some(Quantifier::AnyOfAll) => {
            Truth::any(lefts().map(|each| Truth::all(right.iter().map(|other| meets(each, other)))))
        }
        Some(Quantifier::AllOfAll) => {
            Truth::all(lefts().map(|each| Truth::all(right.iter().map(|other| meets(each, other)))))
        }
    }
}

impl<'a> Side<'a> {
    fn of<F: Facts + ?Sized>(operand: &'a Operand, facts: &'a F) -> Option<Self> {
        match operand {
            Operand::Literals(literals) => Some(Self::Literals(literals)),
            Operand::Attribute(attribute) => values(attribute, facts).map(Self::Values),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Literals(literals) => literals.len(),
            Self::Values(values) => values.len(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = Value<'_>> {
        (0..self.len()).filter_map(|index| match self {
            Self::Literals(literals) => literals.get(index).map(Literal::value),
            Self::Values(values) => values.get(index),
        })
    }
}

impl Literal {
    fn value(&self) -> Value<'_> {
        match self {
            Self::String(text) => Value::String(text),
            Self::Number(number) => Value::Number(*number),
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Time(time) => Value::Time(*time),
            Self::Guid(guid) => Value::Guid(*guid),
        }
    }
}

/// The value as the relation's type; nothing if it is not one. A text is read as what the relation compares.
fn typed(relation: Relation, value: Value<'_>) -> Option<Value<'_>> {
    match (relation, value) {
        (Relation::String { .. }, Value::String(text)) => (text.len() <= MAXIMUM_TEXT).then_some(value),
        (Relation::Numeric(_), Value::String(text)) => parse_number(text).map(Value::Number),
        (Relation::Bool { .. }, Value::String(text)) => parse_bool(text).map(Value::Bool),
        (Relation::DateTime(_), Value::String(text)) => parse_time(text).map(Value::Time),
        (Relation::Guid { .. }, Value::String(text)) => parse_guid(text).map(Value::Guid),
        (Relation::Numeric(_), Value::Number(_))
        | (Relation::Bool { .. }, Value::Bool(_))
        | (Relation::DateTime(_), Value::Time(_))
        | (Relation::Guid { .. }, Value::Guid(_)) => Some(value),
        _ => None,
    }
}

/// Whether the relation holds between two values of its type.
fn meets(relation: Relation, left: Value<'_>, right: Value<'_>) -> Truth {
    Truth::from(match (relation, left, right) {
        (Relation::String { test, case, negated }, Value::String(left), Value::String(right)) => {
            let holds = match test {
                StringTest::Equals => case.equal(left, right),
                StringTest::StartsWith => case.strip_prefix(left, right).is_some(),
                StringTest::Like => like_matches(right, left, case),
            };
            holds != negated
        }
        (Relation::Numeric(order), Value::Number(left), Value::Number(right)) => order.holds(left, right),
        (Relation::Bool { negated }, Value::Bool(left), Value::Bool(right)) => (left == right) != negated,
        (Relation::DateTime(order), Value::Time(left), Value::Time(right)) => order.holds(left, right),
        (Relation::Guid { negated }, Value::Guid(left), Value::Guid(right)) => (left == right) != negated,
        _ => return Truth::Unknown,
    })
}

impl Order {
    fn holds<T: Ord>(self, left: T, right: T) -> bool {
        match self {
            Self::Equals => left == right,
            Self::NotEquals => left != right,
            Self::GreaterThan => left > right,
            Self::GreaterThanEquals => left >= right,
            Self::LessThan => left < right,
            Self::LessThanEquals => left <= right,
        }
    }
}
