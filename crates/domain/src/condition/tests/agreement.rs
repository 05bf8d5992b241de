//! Random conditions about random requests: the evaluator agrees with the naive one, and what is printed is
//! read back. The conditions are trees of the right types, the values come from small sets, so that
//! comparisons come out both ways and values of wrong types, lists and gaps occur often.

use std::sync::Arc;

use jiff::Timestamp;
use proptest::{
    prelude::*,
    sample::select,
    strategy::{Union, ValueTree},
};
use uuid::Uuid;

use super::{
    super::{
        Condition, Source, Value,
        ast::{Attribute, Comparison, Expression, Literal, Operand},
        operator::{Operator, QUANTIFIERS, RELATIONS, Relation},
    },
    facts::TestFacts,
    naive,
};
use crate::comparisons::compare;

#[test]
fn the_evaluator_agrees_with_a_naive_one() {
    let inputs = (expressions(), prop::collection::vec(requests(), 4));
    compare("answers of conditions", 256, &inputs, |(expression, requests)| {
        let condition = condition(expression);
        let mut compared = 0;
        for facts in requests {
            let expected = naive::holds(&condition.expression, &facts);
            prop_assert_eq!(condition.holds(&facts), expected, "{} {:?}", condition, facts);
            prop_assert_eq!(condition.refusal(&facts).is_none(), expected);
            compared += 1;
        }
        Ok(compared)
    });
}

#[test]
fn what_is_printed_is_read_back() {
    compare("conditions printed and read back", 256, &expressions(), |expression| {
        let condition = condition(expression);
        let text = condition.to_string();
        let read = Condition::parse(&text).map_err(|error| error.to_string());
        prop_assert_eq!(read, Ok(condition), "{}", text);
        prop_assert_eq!(Condition::parse(&text).map(|read| read.to_string()), Ok(text));
        Ok(1)
    });
}

#[test]
fn random_conditions_come_out_both_ways() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut held = 0;
    for _ in 0..400 {
        let mut draw = || (expressions(), requests()).new_tree(&mut runner).map(|tree| tree.current());
        let (expression, facts) = draw().unwrap();
        held += u32::from(condition(expression).holds(&facts));
    }
    assert!((60..340).contains(&held), "{held} of 400 held");
}

fn condition(expression: Expression) -> Condition {
    Condition { text: Arc::from(""), expression: Arc::new(expression) }
}

fn expressions() -> impl Strategy<Value = Expression> {
    let leaf = prop_oneof![
        1 => select(ACTION_PATTERNS).prop_map(|pattern| Expression::ActionMatches(pattern.to_owned())),
        1 => select(ACTION_PATTERNS).prop_map(|pattern| Expression::SubOperationMatches(pattern.to_owned())),
        1 => attributes().prop_map(Expression::Exists),
        6 => comparisons().prop_map(|comparison| Expression::Comparison(Box::new(comparison))),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::Or),
            inner.prop_map(|clause| Expression::Not(Box::new(clause))),
        ]
    })
}

fn comparisons() -> impl Strategy<Value = Comparison> {
    let relation = select(RELATIONS.map(|(_, relation)| relation).to_vec());
    let quantifier = prop::option::of(select(QUANTIFIERS.map(|(_, quantifier)| quantifier).to_vec()));
    (relation, quantifier).prop_flat_map(|(relation, quantifier)| {
        let operator = Operator { quantifier, relation };
        (operands(operator, false), operands(operator, relation.takes_pattern()))
            .prop_map(move |(left, right)| Comparison { left, operator, right })
    })
}

fn operands(operator: Operator, is_pattern: bool) -> impl Strategy<Value = Operand> {
    let count = if operator.quantifier.is_some() { 1..4 } else { 1..2 };
    let literals =
        prop::collection::vec(literals(operator.relation, is_pattern), count).prop_map(Operand::Literals);
    prop_oneof![2 => attributes().prop_map(Operand::Attribute), 1 => literals]
}

fn attributes() -> impl Strategy<Value = Attribute> {
    let name = select(&["x", "Y", "a/tags:K<$key_case_sensitive$>", "subOperation"][..]);
    (select(Source::ALL.to_vec()), name)
        .prop_map(|(source, name)| Attribute { source, name: name.to_owned() })
}

fn literals(relation: Relation, is_pattern: bool) -> BoxedStrategy<Literal> {
    match relation {
        Relation::String { .. } if is_pattern => prop_oneof![
            Just("*"),
            Just("?"),
            Just("\\*"),
            Just("\\?"),
            Just("\\\\"),
            Just("'"),
            Just("a"),
            Just("B")
        ]
        .prop_map(str::to_owned)
        .prop_flat_map(|first| (Just(first), "[aBé*?]{0,3}"))
        .prop_map(|(first, rest)| Literal::String(format!("{first}{rest}")))
        .boxed(),
        Relation::String { .. } => "[abBé*'\\\\]{0,3}".prop_map(Literal::String).boxed(),
        Relation::Numeric(_) => prop_oneof![-1..3_i64, any::<i64>()].prop_map(Literal::Number).boxed(),
        Relation::Bool { .. } => any::<bool>().prop_map(Literal::Bool).boxed(),
        Relation::DateTime(_) => times().prop_map(Literal::Time).boxed(),
        Relation::Guid { .. } => guids().prop_map(Literal::Guid).boxed(),
    }
}

fn times() -> impl Strategy<Value = Timestamp> {
    let nanosecond = prop_oneof![-1..2_i128, any::<i32>().prop_map(i128::from), TIME_RANGE];
    nanosecond.prop_map(|nanosecond| Timestamp::from_nanosecond(nanosecond).unwrap())
}

fn guids() -> impl Strategy<Value = Uuid> {
    prop_oneof![4 => (0..3_u128).prop_map(Uuid::from_u128), 1 => any::<u128>().prop_map(Uuid::from_u128)]
}

fn requests() -> impl Strategy<Value = TestFacts> {
    let attribute = (
        select(Source::ALL.to_vec()),
        select(&["X", "y", "A/tags:K", "a/tags:k"][..]),
        prop_oneof![3 => prop::collection::vec(values(), 1..2), 2 => prop::collection::vec(values(), 0..4)],
    );
    let sub_operation = prop::option::of(select(ACTIONS));
    (select(ACTIONS), sub_operation, prop::collection::vec(attribute, 4..14)).prop_map(
        |(action, sub_operation, attributes)| {
            let mut facts = TestFacts::new(action);
            facts.sub_operation = sub_operation;
            attributes
                .into_iter()
                .fold(facts, |facts, (source, name, values)| facts.with_list(source, name, values))
        },
    )
}

fn values() -> impl Strategy<Value = Value<'static>> {
    Union::new_weighted(vec![
        (4, select(TEXTS).prop_map(Value::String).boxed()),
        (1, (-1..3_i64).prop_map(Value::Number).boxed()),
        (1, any::<bool>().prop_map(Value::Bool).boxed()),
        (1, times().prop_map(Value::Time).boxed()),
        (1, guids().prop_map(Value::Guid).boxed()),
    ])
}

const ACTIONS: &[&str] = &["a/read", "A/WRITE", "a/b/read", "b", ""];
const ACTION_PATTERNS: &[&str] = &["a/read", "*", "a/*", "*/read", "a*b*d", "b", "it's \\ ?"];
const TEXTS: &[&str] = &[
    "a",
    "B",
    "b",
    "ab",
    "aBé",
    "a*",
    "'",
    "\\",
    "",
    "é",
    "0",
    "1",
    "-1",
    "+1",
    "01",
    "true",
    "FALSE",
    "yes",
    "1970-01-01T00:00:00Z",
    "1970-01-01T00:00:00.000000001Z",
    "1970-01-01T00:00:00.0000000001Z",
    "1970-01-01T00:00:00.Z",
    "1970-01-01T00:00:00",
    "1970-01-01 00:00:00Z",
    "1970-02-30T00:00:00Z",
    "1969-12-31T23:59:60Z",
    "00000000-0000-0000-0000-000000000001",
    "00000000000000000000000000000001",
    "{00000000-0000-0000-0000-000000000001}",
    "a\\*",
    "?",
];

/// The years 1 to 9998, in nanoseconds.
const TIME_RANGE: std::ops::Range<i128> = -62_135_596_800_000_000_000..253_370_764_800_000_000_000;
