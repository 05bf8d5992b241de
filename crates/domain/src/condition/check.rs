//! The type check: which literals an operator compares, and how many of them.
//!
//! An operator compares values of one type: texts, whole numbers, booleans, date-times or GUIDs. A literal
//! of another type can only be a mistake, and a comparison that can never be true would refuse everybody
//! without a word; so it is an error here, at the literal. The types of most attributes are known only to
//! the services that own them; those of the environment are the language's own and are checked too.

use super::{
    ast::{Attribute, Comparison, Literal, Operand},
    facts::Source,
    lexer::excerpt,
    literal::{parse_bool, parse_guid, parse_number, parse_time, unescape, unescape_pattern},
    operator::{Operator, Relation},
};

/// An operand as the parser found it, and where.
#[derive(Debug)]
pub(super) enum ParsedOperand<'t> {
    Attribute(Attribute),
    Literal(WrittenLiteral<'t>),
    Set(Vec<WrittenLiteral<'t>>, usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum WrittenLiteral<'t> {
    /// Between quotes; escapes are still in it.
    Text { raw: &'t str, position: usize },
    /// A number, `true`, `false` or a GUID.
    Word { word: &'t str, position: usize },
}

#[derive(Debug)]
pub(super) struct TypeError {
    pub(super) position: usize,
    pub(super) message: String,
}

/// Whether an unquoted word can be a literal at all, of whatever type.
pub(super) fn is_literal(word: &str) -> bool {
    let is_numeric = word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'));
    is_numeric || parse_bool(word).is_some() || parse_guid(word).is_some()
}

pub(super) fn comparison(
    left: ParsedOperand<'_>,
    (operator, position): (Operator, usize),
    right: ParsedOperand<'_>,
) -> Result<Comparison, TypeError> {
    for operand in [&left, &right] {
        if let ParsedOperand::Attribute(attribute) = operand {
            check_attribute(attribute, operator.relation, position)?;
        }
    }
    let takes_pattern = operator.relation.takes_pattern();
    let left = self::operand(left, operator, unescape)?;
    let right = self::operand(right, operator, if takes_pattern { unescape_pattern } else { unescape })?;
    Ok(Comparison { left, operator, right })
}

fn operand(
    written: ParsedOperand<'_>,
    operator: Operator,
    read: fn(&str) -> String,
) -> Result<Operand, TypeError> {
    let (literals, position) = match written {
        ParsedOperand::Attribute(attribute) => return Ok(Operand::Attribute(attribute)),
        ParsedOperand::Literal(literal) => (vec![literal], 0),
        ParsedOperand::Set(literals, position) => (literals, position),
    };
    if operator.quantifier.is_none() && literals.len() > 1 {
        let name = operator.relation.name();
        let message =
            format!("{name} compares one value, for a set write ForAnyOfAnyValues:{name} or its like");
        return Err(TypeError { position, message });
    }
    let literals = literals.into_iter().map(|literal| self::literal(literal, operator.relation, read));
    Ok(Operand::Literals(literals.collect::<Result<_, _>>()?))
}

fn literal(
    written: WrittenLiteral<'_>,
    relation: Relation,
    read: fn(&str) -> String,
) -> Result<Literal, TypeError> {
    use WrittenLiteral::{Text, Word};
    let literal = match (relation, written) {
        (Relation::String { .. }, Text { raw, .. }) => Some(Literal::String(read(raw))),
        (Relation::Numeric(_), Word { word, .. }) => parse_number(word).map(Literal::Number),
        (Relation::Bool { .. }, Word { word, .. }) => parse_bool(word).map(Literal::Bool),
        (Relation::DateTime(_), Text { raw, .. }) => parse_time(raw).map(Literal::Time),
        (Relation::Guid { .. }, Text { raw: guid, .. } | Word { word: guid, .. }) => {
            parse_guid(guid).map(Literal::Guid)
        }
        _ => None,
    };
    literal.ok_or_else(|| {
        let (found, position) = match written {
            Text { raw, position } => (format!("'{}'", excerpt(raw)), position),
            Word { word, position } => (format!("\"{}\"", excerpt(word)), position),
        };
        let message = format!("{} compares {}, found {found}", relation.name(), form(relation));
        TypeError { position, message }
    })
}

/// The attributes of the environment have known types ("Environment attributes" in Microsoft's page).
fn check_attribute(attribute: &Attribute, relation: Relation, position: usize) -> Result<(), TypeError> {
    let is = |name: &str| attribute.name.eq_ignore_ascii_case(name);
    let (type_name, fits) = match attribute.source {
        Source::Environment if is("UtcNow") => ("a date-time", matches!(relation, Relation::DateTime(_))),
        Source::Environment if is("isPrivateLink") => {
            ("a boolean", matches!(relation, Relation::Bool { .. }))
        }
        _ => return Ok(()),
    };
    if fits {
        return Ok(());
    }
    let message = format!(
        "expected an operator that compares {type_name}, which @Environment[{}] is, found {}",
        attribute.name,
        relation.name()
    );
    Err(TypeError { position, message })
}

/// What the literals of an operator look like.
fn form(relation: Relation) -> &'static str {
    match relation {
        Relation::String { .. } => "texts between single quotes",
        Relation::Numeric(_) => "whole numbers such as 10, without quotes, of at most 64 bits",
        Relation::Bool { .. } => "true or false, without quotes",
        Relation::DateTime(_) => "date-times such as '2023-05-01T13:00:00.0Z'",
        Relation::Guid { .. } => "GUIDs such as 00000000-0000-0000-0000-000000000000",
    }
}
