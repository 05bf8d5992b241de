//! The part of OData's `$filter` that directory clients use: `eq`, `startswith`, `f/any(c:c eq '...')`, and
//! `and` between them. What is not understood is an error, never ignored: clients take the first match of a
//! look-up for the principal that they meant.

use crate::error::GraphError;

/// All of these must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter(Vec<Term>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    Equals(String, Literal),
    StartsWith(String, String),
    /// Some element of the list equals.
    Any(String, String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Literal {
    Text(String),
    Bool(bool),
}

/// What a filter looks at.
pub(crate) enum Field {
    Text(String),
    Bool(bool),
    List(Vec<String>),
    /// Known, and without value here.
    Null,
}

impl Filter {
    /// `known` are the fields that may be named, compared without regard to case.
    pub(crate) fn parse(text: Option<&str>, known: &[&str]) -> Result<Self, GraphError> {
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(Self::default()) };
        let mut parser = Parser { rest: text.trim(), known };
        let mut terms = vec![parser.term()?];
        while !parser.rest.is_empty() {
            parser.word("and")?;
            if terms.len() >= MOST_TERMS {
                return Err(parser.error());
            }
            terms.push(parser.term()?);
        }
        Ok(Self(terms))
    }

    pub(crate) fn holds(&self, field: impl Fn(&str) -> Field) -> bool {
        self.0.iter().all(|term| match term {
            Term::Equals(name, Literal::Text(wanted)) => match field(name) {
                Field::Text(value) => value.eq_ignore_ascii_case(wanted),
                Field::Bool(_) | Field::List(_) | Field::Null => false,
            },
            Term::Equals(name, Literal::Bool(wanted)) => {
                matches!(field(name), Field::Bool(value) if value == *wanted)
            }
            Term::StartsWith(name, start) => match field(name) {
                Field::Text(value) => value.to_lowercase().starts_with(&start.to_lowercase()),
                Field::Bool(_) | Field::List(_) | Field::Null => false,
            },
            Term::Any(name, wanted) => match field(name) {
                Field::List(values) => values.iter().any(|value| value.eq_ignore_ascii_case(wanted)),
                Field::Text(_) | Field::Bool(_) | Field::Null => false,
            },
        })
    }
}

struct Parser<'a> {
    rest: &'a str,
    known: &'a [&'a str],
}

impl Parser<'_> {
    fn term(&mut self) -> Result<Term, GraphError> {
        let name = self.name()?;
        if name.eq_ignore_ascii_case("startswith") {
            self.symbol('(')?;
            let field = self.field()?;
            self.symbol(',')?;
            let start = self.text()?;
            self.symbol(')')?;
            return Ok(Term::StartsWith(field, start));
        }
        let field = self.check(&name)?;
        if self.rest.starts_with("/any(") {
            self.rest = self.rest.get("/any(".len()..).unwrap_or_default();
            let variable = self.name()?;
            self.symbol(':')?;
            self.word(&variable)?;
            self.word("eq")?;
            let wanted = self.text()?;
            self.symbol(')')?;
            return Ok(Term::Any(field, wanted));
        }
        self.word("eq")?;
        if self.rest.starts_with('\'') {
            return Ok(Term::Equals(field, Literal::Text(self.text()?)));
        }
        match self.name()?.as_str() {
            "true" => Ok(Term::Equals(field, Literal::Bool(true))),
            "false" => Ok(Term::Equals(field, Literal::Bool(false))),
            _ => Err(self.error()),
        }
    }

    fn field(&mut self) -> Result<String, GraphError> {
        let name = self.name()?;
        self.check(&name)
    }

    fn check(&self, name: &str) -> Result<String, GraphError> {
        let known = self.known.iter().find(|known| known.eq_ignore_ascii_case(name));
        known.map(|known| (*known).to_owned()).ok_or_else(|| {
            GraphError::bad(format!(
                "Invalid filter clause: '{name}' is not a property that can be filtered by."
            ))
        })
    }

    fn name(&mut self) -> Result<String, GraphError> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() {
            return Err(self.error());
        }
        let name = name.to_owned();
        // A slash or bracket follows at once; before anything else there may be space.
        self.rest = rest.trim_start();
        Ok(name)
    }

    fn word(&mut self, word: &str) -> Result<(), GraphError> {
        if self.name()? == word { Ok(()) } else { Err(self.error()) }
    }

    fn symbol(&mut self, symbol: char) -> Result<(), GraphError> {
        self.rest = self.rest.strip_prefix(symbol).ok_or_else(|| self.error())?.trim_start();
        Ok(())
    }

    /// A quoted text, in which two quotes stand for one.
    fn text(&mut self) -> Result<String, GraphError> {
        let mut rest = self.rest.strip_prefix('\'').ok_or_else(|| self.error())?;
        let mut text = String::new();
        loop {
            let end = rest.find('\'').ok_or_else(|| self.error())?;
            let (part, after) = rest.split_at(end);
            text.push_str(part);
            rest = after.get(1..).unwrap_or_default();
            match rest.strip_prefix('\'') {
                Some(more) => {
                    text.push('\'');
                    rest = more;
                }
                None => break,
            }
        }
        self.rest = rest.trim_start();
        Ok(text)
    }

    fn error(&self) -> GraphError {
        let rest: String = self.rest.chars().take(60).collect();
        GraphError::bad(format!(
            "Invalid filter clause near '{rest}': expected \"property eq 'value'\", startswith(property,'value') or property/any(c:c eq 'value'), joined by and."
        ))
    }
}

const MOST_TERMS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str) -> Option<bool> {
        let filter = Filter::parse(Some(text), &["displayName", "accountEnabled", "names"]).ok()?;
        Some(filter.holds(|name| match name {
            "displayName" => Field::Text("O'Neil Team".into()),
            "accountEnabled" => Field::Bool(true),
            _ => Field::List(vec!["a".into(), "b".into()]),
        }))
    }

    #[test]
    fn what_clients_send_is_understood() {
        assert_eq!(holds("displayName eq 'o''neil team'"), Some(true));
        assert_eq!(holds("displayname eq 'other'"), Some(false));
        assert_eq!(holds("startswith(displayName,'O''N') and accountEnabled eq true"), Some(true));
        assert_eq!(holds("names/any(c:c eq 'b')"), Some(true));
        assert_eq!(holds("names/any(x:x eq 'c')"), Some(false));
        assert_eq!(holds(""), Some(true));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "secret eq 'x'",
            "displayName ne 'x'",
            "displayName eq 'x",
            "displayName eq 'x' or displayName eq 'y'",
            "displayName eq 'x' displayName eq 'x'",
            "names/any(c:d eq 'b')",
            "startswith(displayName)",
            "(displayName eq 'x')",
            "'",
        ] {
            assert_eq!(holds(text), None, "{text}");
        }
    }
}
