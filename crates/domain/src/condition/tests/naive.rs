//! The language once more, written from its description in the slowest and plainest way, as a judge for the
//! evaluator. What is not known about a request may be either way: a clause yields the set of answers that
//! are possible, and a condition holds if `true` is the only one.

use std::collections::BTreeSet;

use super::{
    super::{
        Facts, Source, Value, Values,
        ast::{Attribute, Expression, Literal, Operand},
        case::Case,
        operator::{Order, Quantifier, Relation, StringTest},
    },
    facts::TestFacts,
};

type Answers = BTreeSet<bool>;

pub(super) fn holds(expression: &Expression, facts: &TestFacts) -> bool {
    answers(expression, facts) == Answers::from([true])
}

fn answers(expression: &Expression, facts: &TestFacts) -> Answers {
    match expression {
        Expression::Or(clauses) => {
            every_way(clauses, facts).into_iter().map(|way| way.contains(&true)).collect()
        }
        Expression::And(clauses) => {
            every_way(clauses, facts).into_iter().map(|way| !way.contains(&false)).collect()
        }
        Expression::Not(clause) => answers(clause, facts).into_iter().map(|answer| !answer).collect(),
        Expression::ActionMatches(pattern) => sure(action_like(pattern, facts.action)),
        Expression::SubOperationMatches(pattern) => {
            sure(facts.sub_operation.is_some_and(|name| action_like(pattern, name)))
        }
        Expression::Exists(attribute) => sure(!attribute_values(attribute, facts).is_empty()),
        Expression::Comparison(comparison) => {
            let (left, right) = (operand(&comparison.left, facts), operand(&comparison.right, facts));
            let relation = comparison.operator.relation;
            if left.is_empty() || right.is_empty() {
                return open();
            }
            let rows =
                left.iter().map(|each| right.iter().map(|other| pair(relation, each, other)).collect());
            let rows: Vec<Vec<Answers>> = rows.collect();
            let any = |answers: Vec<Answers>| combine(&answers, |way| way.contains(&true));
            let all = |answers: Vec<Answers>| combine(&answers, |way| !way.contains(&false));
            match comparison.operator.quantifier {
                None if left.len() == 1 && right.len() == 1 => rows[0][0].clone(),
                None => open(),
                Some(Quantifier::AnyOfAny) => any(rows.into_iter().map(any).collect()),
                Some(Quantifier::AllOfAny) => all(rows.into_iter().map(any).collect()),
                Some(Quantifier::AnyOfAll) => any(rows.into_iter().map(all).collect()),
                Some(Quantifier::AllOfAll) => all(rows.into_iter().map(all).collect()),
            }
        }
    }
}

fn sure(answer: bool) -> Answers {
    Answers::from([answer])
}

fn open() -> Answers {
    Answers::from([false, true])
}

/// All combinations of the answers of the clauses.
fn every_way(clauses: &[Expression], facts: &TestFacts) -> Vec<Vec<bool>> {
    ways(&clauses.iter().map(|clause| answers(clause, facts)).collect::<Vec<_>>())
}

fn combine(answers: &[Answers], join: impl Fn(&Vec<bool>) -> bool) -> Answers {
    ways(answers).iter().map(join).collect()
}

fn ways(answers: &[Answers]) -> Vec<Vec<bool>> {
    answers.iter().fold(vec![Vec::new()], |ways, answers| {
        let extended = ways.iter().flat_map(|way| answers.iter().map(move |answer| (way, answer)));
        extended.map(|(way, answer)| [way.as_slice(), &[*answer]].concat()).collect()
    })
}

/// A value in the one form in which everything of its type can be compared.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
enum Plain {
    Text(String),
    Number(i128),
    Bool(bool),
    /// All digits down to the nanosecond, so that the order of the texts is that of time.
    Time(String),
    Guid(String),
}

fn operand(operand: &Operand, facts: &TestFacts) -> Vec<Plain> {
    let literals = match operand {
        Operand::Attribute(attribute) => return attribute_values(attribute, facts),
        Operand::Literals(literals) => literals,
    };
    let plain = |literal: &Literal| match literal {
        Literal::String(text) => Plain::Text(text.clone()),
        Literal::Number(number) => Plain::Number(i128::from(*number)),
        Literal::Bool(truth) => Plain::Bool(*truth),
        Literal::Time(time) => Plain::Time(digits(*time)),
        Literal::Guid(guid) => Plain::Guid(guid.to_string()),
    };
    literals.iter().map(plain).collect()
}

fn attribute_values(attribute: &Attribute, facts: &TestFacts) -> Vec<Plain> {
    let plain = |value: &Value<'_>| match value {
        Value::String(text) => Plain::Text((*text).to_owned()),
        Value::Number(number) => Plain::Number(i128::from(*number)),
        Value::Bool(truth) => Plain::Bool(*truth),
        Value::Time(time) => Plain::Time(digits(*time)),
        Value::Guid(guid) => Plain::Guid(guid.to_string()),
    };
    let values = match facts.attribute(attribute.source, &attribute.name) {
        None => Vec::new(),
        Some(Values::One(value)) => vec![plain(&value)],
        Some(Values::Many(values)) => values.iter().map(plain).collect(),
        Some(Values::Strings(texts)) => texts.iter().cloned().map(Plain::Text).collect(),
    };
    let asks_sub_operation =
        attribute.source == Source::Request && attribute.name.to_lowercase() == "suboperation";
    match facts.sub_operation {
        Some(name) if values.is_empty() && asks_sub_operation => vec![Plain::Text(name.to_owned())],
        _ => values,
    }
}

fn digits(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string()
}

fn pair(relation: Relation, left: &Plain, right: &Plain) -> Answers {
    match (read(relation, left), read(relation, right)) {
        (Some(left), Some(right)) => sure(related(relation, left, right)),
        _ => open(),
    }
}

/// The value as the relation's type; nothing if it is not one.
fn read(relation: Relation, value: &Plain) -> Option<Plain> {
    match (relation, value) {
        (Relation::String { .. }, Plain::Text(text)) => (text.len() <= 8192).then(|| value.clone()),
        (Relation::Numeric(_), Plain::Text(text)) => {
            let number: i64 = text.parse().ok()?;
            (!text.starts_with('+')).then_some(Plain::Number(i128::from(number)))
        }
        (Relation::Bool { .. }, Plain::Text(text)) => text.to_lowercase().parse().ok().map(Plain::Bool),
        (Relation::DateTime(_), Plain::Text(text)) => {
            let (seconds, fraction) =
                text.strip_suffix('Z').map(|text| text.split_once('.').unwrap_or((text, "0")))?;
            let time: jiff::civil::DateTime = seconds.parse().ok()?;
            let same = time.strftime("%Y-%m-%dT%H:%M:%S").to_string() == seconds;
            let fits =
                !fraction.is_empty() && fraction.len() <= 9 && fraction.chars().all(|c| c.is_ascii_digit());
            (same && fits).then(|| Plain::Time(format!("{seconds}.{fraction:0<9}Z")))
        }
        (Relation::Guid { .. }, Plain::Text(text)) => {
            let parts: Vec<&str> = text.split('-').collect();
            let fits = parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
                && parts.concat().chars().all(|c| c.is_ascii_hexdigit());
            fits.then(|| Plain::Guid(text.to_lowercase()))
        }
        (Relation::Numeric(_), Plain::Number(_))
        | (Relation::Bool { .. }, Plain::Bool(_))
        | (Relation::DateTime(_), Plain::Time(_))
        | (Relation::Guid { .. }, Plain::Guid(_)) => Some(value.clone()),
        _ => None,
    }
}

fn related(relation: Relation, left: Plain, right: Plain) -> bool {
    match (relation, left, right) {
        (Relation::String { test, case, negated }, Plain::Text(left), Plain::Text(right)) => {
            let (left, right) = match case {
                Case::Counts => (left, right),
                Case::Ignored => (left.to_ascii_lowercase(), right.to_ascii_lowercase()),
            };
            let answer = match test {
                StringTest::Equals => left == right,
                StringTest::StartsWith => {
                    left.chars().take(right.chars().count()).collect::<String>() == right
                }
                StringTest::Like => like(&right, &left),
            };
            if negated { !answer } else { answer }
        }
        (Relation::Numeric(order) | Relation::DateTime(order), left, right) => match order {
            Order::Equals => left == right,
            Order::NotEquals => left != right,
            Order::GreaterThan => left > right,
            Order::GreaterThanEquals => left >= right,
            Order::LessThan => left < right,
            Order::LessThanEquals => left <= right,
        },
        (Relation::Bool { negated } | Relation::Guid { negated }, left, right) => (left == right) != negated,
        (relation, left, right) => panic!("{relation:?} of {left:?} and {right:?}"),
    }
}

/// A segment of nothing but stars may also be left out.
pub(super) fn action_like(pattern: &str, action: &str) -> bool {
    let plain = pattern.to_ascii_lowercase().replace('\\', "\\\\").replace('?', "\\?");
    let without = |(place, _): (usize, &str)| {
        let behind = pattern[place + 1..].trim_start_matches('*');
        let is_segment = behind.starts_with('/') && behind.len() + 1 < pattern.len() - place;
        is_segment && action_like(&format!("{}{behind}", &pattern[..place]), action)
    };
    like(&plain, &action.to_ascii_lowercase()) || pattern.match_indices('/').any(without)
}

/// One row of answers for each element of the pattern: which beginnings of the text it has matched so far.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut reached: Vec<bool> = (0..=text.len()).map(|end| end == 0).collect();
    let mut pattern = pattern.chars().peekable();
    while let Some(character) = pattern.next() {
        let escaped = if character == '\\' { pattern.next_if(|next| "*?\\".contains(*next)) } else { None };
        reached = (0..=text.len())
            .map(|end| match (character, escaped) {
                ('*', None) => reached[..=end].contains(&true),
                ('?', None) => end > 0 && reached[end - 1],
                _ => end > 0 && reached[end - 1] && text[end - 1] == escaped.unwrap_or(character),
            })
            .collect();
    }
    reached[text.len()]
}
