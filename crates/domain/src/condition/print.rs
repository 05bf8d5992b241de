//! A condition as text again: one line, operators as Microsoft spells them, parentheses only where they are
//! needed and around what is negated. Reading it gives the same tree.

use std::fmt::{self, Display};

use super::{
    ast::{Attribute, Comparison, Expression, Literal, Operand},
    literal::{write_quoted, write_quoted_pattern},
};

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Or(clauses) => write_joined(f, clauses, " OR "),
            Self::And(clauses) => write_joined(f, clauses, " AND "),
            Self::Not(clause) => write!(f, "!({clause})"),
            Self::ActionMatches(pattern) => write_function(f, "ActionMatches", pattern),
            Self::SubOperationMatches(pattern) => write_function(f, "SubOperationMatches", pattern),
            Self::Exists(attribute) => write!(f, "Exists {attribute}"),
            Self::Comparison(comparison) => comparison.fmt(f),
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}[{}]", self.source.name(), self.name)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_operand(f, &self.left, false)?;
        match self.operator.names() {
            (Some(quantifier), relation) => write!(f, " {quantifier}:{relation} ")?,
            (None, relation) => write!(f, " {relation} ")?,
        }
        self.write_operand(f, &self.right, self.operator.relation.takes_pattern())
    }
}

impl Comparison {
    fn write_operand(&self, f: &mut fmt::Formatter<'_>, operand: &Operand, is_pattern: bool) -> fmt::Result {
        let literals = match operand {
            Operand::Attribute(attribute) => return attribute.fmt(f),
            Operand::Literals(literals) => literals,
        };
        let is_set = self.operator.quantifier.is_some();
        f.write_str(if is_set { "{" } else { "" })?;
        for (index, literal) in literals.iter().enumerate() {
            f.write_str(if index > 0 { ", " } else { "" })?;
            match literal {
                Literal::String(pattern) if is_pattern => write_quoted_pattern(f, pattern)?,
                Literal::String(text) => write_quoted(f, text)?,
                Literal::Number(number) => number.fmt(f)?,
                Literal::Bool(truth) => truth.fmt(f)?,
                Literal::Time(time) => write!(f, "'{time}'")?,
                Literal::Guid(guid) => guid.fmt(f)?,
            }
        }
        f.write_str(if is_set { "}" } else { "" })
    }
}

fn write_joined(f: &mut fmt::Formatter<'_>, clauses: &[Expression], connective: &str) -> fmt::Result {
    for (index, clause) in clauses.iter().enumerate() {
        f.write_str(if index > 0 { connective } else { "" })?;
        match clause {
            Expression::Or(_) | Expression::And(_) => write!(f, "({clause})")?,
            _ => clause.fmt(f)?,
        }
    }
    Ok(())
}

fn write_function(f: &mut fmt::Formatter<'_>, name: &str, pattern: &str) -> fmt::Result {
    write!(f, "{name}{{")?;
    write_quoted(f, pattern)?;
    f.write_str("}")
}
