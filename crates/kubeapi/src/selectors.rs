//! Label and field selectors: parsing and matching.
//!
//! The grammar is that of the query parameters `labelSelector` and `fieldSelector`. Matching sees only the labels or
//! fields that it is given.

use std::collections::BTreeSet;

use serde_json::Value;

use domain::kube::names;

/// All requirements must hold; none at all matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(pub Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    pub key: String,
    pub operator: Operator,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Exists,
    DoesNotExist,
    GreaterThan(i64),
    LessThan(i64),
}

/// `field=value` and `field!=value`, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(pub Vec<FieldRequirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRequirement {
    pub field: String,
    pub value: String,
    pub negated: bool,
}

impl LabelSelector {
    /// Parses `a=b,c!=d,e in (f,g),h notin (i),j,!k`. The error is a message for the client.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut requirements = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let end = end_of_requirement(rest)?;
            let (one, after) = rest.split_at(end);
            requirements.push(parse_requirement(one.trim())?);
            rest = match after.strip_prefix(',') {
                Some(after) if after.trim().is_empty() => {
                    return Err(
                        "unable to parse requirement: found '', expected: identifier after ','".to_owned()
                    );
                }
                Some(after) => after.trim(),
                None => "",
            };
            if requirements.len() > MAXIMUM_REQUIREMENTS {
                return Err(format!("more than {MAXIMUM_REQUIREMENTS} requirements"));
            }
        }
        Ok(Self(requirements))
    }

    /// From `matchLabels` and `matchExpressions`; `None` where an operator is unknown.
    pub fn from_value(selector: &Value) -> Option<Self> {
        let mut requirements = Vec::new();
        for (key, value) in selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
            let values = BTreeSet::from([value.as_str()?.to_owned()]);
            requirements.push(Requirement { key: key.clone(), operator: Operator::In(values) });
        }
        for expression in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
            let values = || {
                let values = expression.get("values").and_then(Value::as_array).into_iter().flatten();
                values.filter_map(Value::as_str).map(str::to_owned).collect()
            };
            let operator = match expression.get("operator")?.as_str()? {
                "In" => Operator::In(values()),
                "NotIn" => Operator::NotIn(values()),
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                _ => return None,
            };
            requirements.push(Requirement { key: expression.get("key")?.as_str()?.to_owned(), operator });
        }
        Some(Self(requirements))
    }

    /// Whether these labels (an object of strings, or null) match.
    pub fn matches_value(&self, labels: &Value) -> bool {
        self.0.iter().all(|requirement| {
            let label = labels.get(&requirement.key).and_then(Value::as_str);
            match &requirement.operator {
                Operator::In(values) => label.is_some_and(|label| values.contains(label)),
                Operator::NotIn(values) => label.is_none_or(|label| !values.contains(label)),
                Operator::Exists => label.is_some(),
                Operator::DoesNotExist => label.is_none(),
                Operator::GreaterThan(limit) => number(label).is_some_and(|number| number > *limit),
                Operator::LessThan(limit) => number(label).is_some_and(|number| number < *limit),
            }
        })
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FieldSelector {
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut requirements = Vec::new();
        for term in split_terms(text) {
            if term.is_empty() {
                continue;
            }
            let (field, value, negated) = split_term(&term)
                .ok_or_else(|| format!("invalid selector: '{text}'; can't understand '{term}'"))?;
            requirements.push(FieldRequirement { field: field.to_owned(), value: unescape(value)?, negated });
            if requirements.len() > MAXIMUM_REQUIREMENTS {
                return Err(format!("more than {MAXIMUM_REQUIREMENTS} requirements"));
            }
        }
        Ok(Self(requirements))
    }

    /// The only name that can match, if the selector requires one.
    pub fn name(&self) -> Option<&str> {
        self.0
            .iter()
            .find(|requirement| requirement.field == "metadata.name" && !requirement.negated)
            .map(|requirement| requirement.value.as_str())
    }

    /// Whether the fields match; `field` returns the value of a field of the object, empty if it has none.
    pub fn matches<'a>(&self, field: impl Fn(&str) -> &'a str) -> bool {
        self.0
            .iter()
            .all(|requirement| (field(&requirement.field) == requirement.value) != requirement.negated)
    }

    /// An error that names the first field that is not in `known`.
    pub fn check(&self, known: &[&str]) -> Result<(), String> {
        match self.0.iter().find(|requirement| !known.contains(&requirement.field.as_str())) {
            None => Ok(()),
            Some(requirement) => {
                let known: Vec<_> = known.iter().map(|field| format!("{field:?}")).collect();
                Err(format!(
                    "{:?} is not a known field selector: only {}",
                    requirement.field,
                    known.join(", ")
                ))
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn number(label: Option<&str>) -> Option<i64> {
    label.and_then(|label| label.parse().ok())
}

/// Where the first requirement ends: a comma outside parentheses, or the end.
fn end_of_requirement(text: &str) -> Result<usize, String> {
    let mut inside = false;
    for (place, sign) in text.char_indices() {
        match sign {
            '(' => inside = true,
            ')' => inside = false,
            ',' if !inside => return Ok(place),
            _ => {}
        }
    }
    if inside { Err("unable to parse requirement: missing ')'".to_owned()) } else { Ok(text.len()) }
}

fn parse_requirement(text: &str) -> Result<Requirement, String> {
    let fail = |because: String| format!("unable to parse requirement: {because}");
    if let Some(key) = text.strip_prefix('!') {
        return requirement(key.trim(), Operator::DoesNotExist);
    }
    // The order matters: `!=` and `==` before `=`.
    for (sign, negated) in [("!=", true), ("==", false), ("=", false)] {
        if let Some((key, value)) = text.split_once(sign) {
            let value = value.trim();
            if value.contains(['=', '!', '(', ')', ' ']) {
                return Err(fail(format!("found '{value}', expected: a label value")));
            }
            if let Some(fault) = names::check_label_value(value).first() {
                return Err(fail(format!("values[0][{}]: Invalid value: {value:?}: {fault}", key.trim())));
            }
            let values = BTreeSet::from([value.to_owned()]);
            return requirement(
                key.trim(),
                if negated { Operator::NotIn(values) } else { Operator::In(values) },
            );
        }
    }
    for (sign, greater) in [('>', true), ('<', false)] {
        if let Some((key, value)) = text.split_once(sign) {
            let limit = value
                .trim()
                .parse()
                .map_err(|_| fail(format!("for 'Gt', 'Lt' operators, {value:?} must be an integer")))?;
            let operator = if greater { Operator::GreaterThan(limit) } else { Operator::LessThan(limit) };
            return requirement(key.trim(), operator);
        }
    }
    let Some((key, rest)) = text.split_once(char::is_whitespace) else {
        // A space must separate the key from the operator; none is needed between the operator and its values.
        return requirement(text, Operator::Exists);
    };
    let rest = rest.trim();
    let (values, negated) = match (rest.strip_prefix("notin"), rest.strip_prefix("in")) {
        (Some(values), _) => (values, true),
        (None, Some(values)) => (values, false),
        _ => return Err(fail(format!("found '{rest}', expected: in, notin, =, ==, !=, gt, lt"))),
    };
    let values = values
        .trim()
        .strip_prefix('(')
        .and_then(|values| values.strip_suffix(')'))
        .ok_or_else(|| fail("expected: '(' and ')' around the values".to_owned()))?;
    let values: BTreeSet<_> = values.split(',').map(|value| value.trim().to_owned()).collect();
    for value in &values {
        if let Some(fault) = names::check_label_value(value).first() {
            return Err(fail(format!("values[0][{key}]: Invalid value: {value:?}: {fault}")));
        }
    }
    requirement(key, if negated { Operator::NotIn(values) } else { Operator::In(values) })
}

fn requirement(key: &str, operator: Operator) -> Result<Requirement, String> {
    match names::check_qualified_name(key).first() {
        None => Ok(Requirement { key: key.to_owned(), operator }),
        Some(fault) => Err(format!("unable to parse requirement: key: Invalid value: {key:?}: {fault}")),
    }
}

/// The terms of a field selector, separated by commas; a backslash escapes the next character.
fn split_terms(text: &str) -> Vec<String> {
    let (mut terms, mut term, mut escaped) = (Vec::new(), String::new(), false);
    for sign in text.chars() {
        match sign {
            ',' if !escaped => terms.push(std::mem::take(&mut term)),
            sign => term.push(sign),
        }
        escaped = sign == '\\' && !escaped;
    }
    terms.push(term);
    terms
}

fn split_term(term: &str) -> Option<(&str, &str, bool)> {
    for (sign, negated) in [("!=", true), ("==", false), ("=", false)] {
        if let Some((field, value)) = term.split_once(sign) {
            return Some((field, value, negated));
        }
    }
    None
}

fn unescape(value: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(value.len());
    let mut signs = value.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '\\' => match signs.next() {
                Some(escaped @ ('\\' | ',' | '=')) => plain.push(escaped),
                _ => return Err(format!("invalid field selector: invalid escape sequence in {value:?}")),
            },
            '=' => return Err(format!("invalid field selector: unescaped = in {value:?}")),
            sign => plain.push(sign),
        }
    }
    Ok(plain)
}

const MAXIMUM_REQUIREMENTS: usize = 256;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(selector: &str, labels: &Value) -> bool {
        LabelSelector::parse(selector).unwrap().matches_value(labels)
    }

    #[test]
    fn label_selectors_match_as_kubernetes_matches() {
        let labels = json!({"a": "b", "x.io/tier": "front", "n": "7"});
        for (selector, matches) in [
            ("", true),
            ("a=b", true),
            ("a==b,n=7", true),
            ("a!=b", false),
            ("missing!=b", true),
            ("a in (b, c)", true),
            ("a notin (b)", false),
            ("missing notin (b)", true),
            ("x.io/tier", true),
            ("!x.io/tier", false),
            ("! missing", true),
            ("n>6", true),
            ("n<7", false),
            ("a in (b),n in (1,2)", false),
        ] {
            assert_eq!(check(selector, &labels), matches, "{selector}");
        }
    }

    #[test]
    fn malformed_label_selectors_are_refused() {
        for selector in ["a=b,", "a in b", "a in (b", "=b", "a=b=c", "a b", "A B=c", "a/b/c=d", "a>x", "-a=b"]
        {
            assert!(LabelSelector::parse(selector).is_err(), "{selector}");
        }
    }

    #[test]
    fn field_selectors_know_their_fields() {
        let selector = FieldSelector::parse("metadata.name=a\\,b,metadata.namespace!=c").unwrap();
        assert_eq!(selector.name(), Some("a,b"));
        assert!(selector.matches(|field| if field == "metadata.name" { "a,b" } else { "d" }));
        assert!(!selector.matches(|field| if field == "metadata.name" { "a,b" } else { "c" }));
        assert_eq!(
            FieldSelector::parse("foo=1")
                .unwrap()
                .check(&["metadata.name", "metadata.namespace"])
                .unwrap_err(),
            "\"foo\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        );
        assert!(FieldSelector::parse("foo").is_err());
        assert!(FieldSelector::parse("a=b\\x").is_err());
    }
}
