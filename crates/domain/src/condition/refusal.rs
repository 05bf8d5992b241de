//! Why a condition does not hold, for people: the first clause that would have to be otherwise.

use std::fmt;

use super::{
    ast::{Attribute, Expression, Operand},
    eval::{Truth, evaluate, values},
    facts::Facts,
};

/// One clause of a condition that a request does not meet. The values of the request are left out, so that
/// the text may be shown to whoever asked.
///
/// `Display`: `requires @Request[kind] StringEquals 'pods', but the request has no @Request[kind]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal<'c> {
    clause: &'c Expression,
    /// Whether the clause would have to be true; otherwise it stands under a NOT and would have to be false.
    must_hold: bool,
    absent: Option<&'c Attribute>,
}

impl Refusal<'_> {
    /// The clause in canonical form.
    pub fn clause(&self) -> String {
        self.clause.to_string()
    }
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.must_hold {
            write!(f, "requires {}", self.clause)?;
        } else {
            write!(f, "requires !({})", self.clause)?;
        }
        match self.absent {
            Some(attribute) => write!(f, ", but the request has no {attribute}"),
            None => Ok(()),
        }
    }
}

/// The clause of `expression` to blame for its not being `must_hold`; the caller knows that it is not.
pub(super) fn find<'c, F: Facts + ?Sized>(
    expression: &'c Expression,
    must_hold: bool,
    facts: &F,
) -> Refusal<'c> {
    let wanted = Truth::from(must_hold);
    let mut failing = match expression {
        Expression::Not(clause) => return find(clause, !must_hold, facts),
        Expression::Or(clauses) | Expression::And(clauses) => {
            clauses.iter().filter(move |clause| evaluate(clause, facts) != wanted)
        }
        leaf => return Refusal { clause: leaf, must_hold, absent: absent(leaf, facts) },
    };
    // Where one clause would do, that is hardly the guard of the action, which stands first.
    let one_would_do = matches!(expression, Expression::Or(_)) == must_hold;
    match if one_would_do { failing.next_back() } else { failing.next() } {
        Some(clause) => find(clause, must_hold, facts),
        None => Refusal { clause: expression, must_hold, absent: None },
    }
}

fn absent<'c, F: Facts + ?Sized>(leaf: &'c Expression, facts: &F) -> Option<&'c Attribute> {
    let Expression::Comparison(comparison) = leaf else { return None };
    [&comparison.left, &comparison.right].into_iter().find_map(|operand| match operand {
        Operand::Attribute(attribute) if values(attribute, facts).is_none() => Some(attribute),
        _ => None,
    })
}
