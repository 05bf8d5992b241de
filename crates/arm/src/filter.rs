//! `$filter` for lists of Resource Manager: function calls and equalities, joined by `and`. An unsupported term is
//! refused, never ignored, because a client relies on the result being filtered.

use domain::id::ObjectId;

use crate::{call::Call, error::ArmError};

/// One condition of a filter; all must hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Term {
    /// A function call: `atScope()`, `assignedTo('ID')`; the name in lower case.
    Call(String, Option<String>),
    /// An equality: `principalId eq 'ID'`; the name in lower case.
    Equals(String, String),
}

/// The terms of the request's filter; empty without one. `expected` describes the supported filters in the error
/// message.
pub(crate) fn terms(call: &Call<'_>, expected: &str) -> Result<Vec<Term>, ArmError> {
    let filter = call.parameter("$filter").unwrap_or_default().trim();
    if filter.is_empty() {
        return Ok(Vec::new());
    }
    parse(filter).ok_or_else(|| refused(call, expected))
}

pub(crate) fn refused(call: &Call<'_>, expected: &str) -> ArmError {
    let filter: String = call.parameter("$filter").unwrap_or_default().chars().take(200).collect();
    let text = format!("The filter '{filter}' is not understood. Expected {expected}.");
    ArmError::bad("InvalidFilter", text)
}

/// Parses the object id in a term.
pub(crate) fn object_id(call: &Call<'_>, value: &str, expected: &str) -> Result<ObjectId, ArmError> {
    ObjectId::parse(value).map_err(|_| refused(call, expected))
}

pub(crate) fn parse(filter: &str) -> Option<Vec<Term>> {
    let mut rest = filter;
    let mut terms = Vec::new();
    loop {
        let name = word(&mut rest)?.to_ascii_lowercase();
        if take(&mut rest, "(") {
            let argument = if rest.trim_start().starts_with(')') { None } else { Some(value(&mut rest)?) };
            if !take(&mut rest, ")") {
                return None;
            }
            terms.push(Term::Call(name, argument));
        } else if word(&mut rest)?.eq_ignore_ascii_case("eq") {
            terms.push(Term::Equals(name, value(&mut rest)?));
        } else {
            return None;
        }
        if rest.trim().is_empty() {
            return Some(terms);
        }
        if terms.len() >= MOST_TERMS || !word(&mut rest)?.eq_ignore_ascii_case("and") {
            return None;
        }
    }
}

fn take(rest: &mut &str, mark: &str) -> bool {
    match rest.trim_start().strip_prefix(mark) {
        Some(after) => {
            *rest = after;
            true
        }
        None => false,
    }
}

fn word<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let text = rest.trim_start();
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "_-/.".contains(c))).unwrap_or(text.len());
    let (word, after) = text.split_at_checked(end)?;
    *rest = after;
    (!word.is_empty()).then_some(word)
}

/// A quoted string, in which two quotes stand for one; or a bare word, as some clients write ids.
fn value(rest: &mut &str) -> Option<String> {
    let Some(mut text) = rest.trim_start().strip_prefix('\'') else { return word(rest).map(str::to_owned) };
    let mut value = String::new();
    loop {
        let (inner, after) = text.split_once('\'')?;
        value.push_str(inner);
        match after.strip_prefix('\'') {
            Some(further) => {
                value.push('\'');
                text = further;
            }
            None => {
                *rest = after;
                return Some(value);
            }
        }
    }
}

const MOST_TERMS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_equalities_are_read_in_any_spacing() {
        let call = |name: &str, argument: Option<&str>| Term::Call(name.into(), argument.map(str::to_owned));
        let equals = |name: &str, value: &str| Term::Equals(name.into(), value.into());
        for (filter, expected) in [
            ("atScope()", vec![call("atscope", None)]),
            ("assignedTo('x')", vec![call("assignedto", Some("x"))]),
            ("AtScope() and principalId eq 'a b'", vec![call("atscope", None), equals("principalid", "a b")]),
            ("roleName eq 'O''Neil and co'", vec![equals("rolename", "O'Neil and co")]),
            ("tagName  eq'x'  and tagValue eq ''", vec![equals("tagname", "x"), equals("tagvalue", "")]),
            ("principalId eq 1-2", vec![equals("principalid", "1-2")]),
        ] {
            assert_eq!(parse(filter), Some(expected), "{filter}");
        }
    }

    #[test]
    fn anything_else_is_not_understood() {
        let long = ["atScope()"; 20].join(" and ");
        for filter in [
            "x",
            "eq 'x'",
            "a eq",
            "a eq 'x",
            "a eq 'x' or b eq 'y'",
            "a eq 'x' and",
            "a ne 'x'",
            "f(",
            "f('x'",
            "f('x','y')",
            "not f()",
            "a eq 'x''",
            "'a' eq 'a'",
            &long,
        ] {
            assert_eq!(parse(filter), None, "{filter}");
        }
    }
}
