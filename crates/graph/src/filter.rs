//! The part of OData's `$filter` that directory clients use: `eq`, `ne`, `in`, `startswith`, `endswith`,
//! `f/any(c:c eq '...')` and `f/any(c:startswith(c,'...'))`, combined by `and`, `or`, `not` and parentheses. An
//! unsupported filter is an error, never ignored: clients take the first result of a look-up for the principal that
//! they asked for.

use crate::error::GraphError;

/// A condition on one object; an empty `$filter` matches every object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Term { field: String, test: Test },
}

/// A test of a field. For a list, some element must pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    Is(Literal),
    StartsWith(String),
    EndsWith(String),
    /// Some element of the list passes.
    Element(Box<Test>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Literal {
    Text(String),
    Bool(bool),
    Null,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Text(String),
    Bool(bool),
    List(Vec<String>),
    /// A known field without a value.
    Null,
}

impl Filter {
    /// `known` are the allowed fields, compared case-insensitively.
    pub(crate) fn parse(text: Option<&str>, known: &[&str]) -> Result<Self, GraphError> {
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
            return Ok(Self::All(Vec::new()));
        };
        let mut parser = Parser { rest: text.trim(), known, left: MOST_TERMS };
        let filter = parser.any_of(MOST_DEPTH)?;
        if parser.rest.is_empty() { Ok(filter) } else { Err(parser.error()) }
    }

    /// The value that a property, or an element of it, must have for the filter to match; `None` if the filter
    /// requires none.
    pub(crate) fn required(&self, property: &str) -> Option<&str> {
        match self {
            Self::All(parts) => parts.iter().find_map(|part| part.required(property)),
            Self::Any(parts) => match parts.as_slice() {
                [only] => only.required(property),
                _ => None,
            },
            Self::Term { field, test } if field == property => match test {
                Test::Is(Literal::Text(text)) => Some(text),
                Test::Element(test) => match &**test {
                    Test::Is(Literal::Text(text)) => Some(text),
                    _ => None,
                },
                Test::Is(_) | Test::StartsWith(_) | Test::EndsWith(_) => None,
            },
            Self::Not(_) | Self::Term { .. } => None,
        }
    }

    pub(crate) fn holds(&self, field: &impl Fn(&str) -> Field) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(field)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(field)),
            Self::Not(part) => !part.holds(field),
            Self::Term { field: name, test } => test.passes(&field(name)),
        }
    }
}

impl Test {
    fn passes(&self, value: &Field) -> bool {
        match (self, value) {
            (Self::Is(Literal::Text(wanted)), Field::Text(value)) => same(value, wanted),
            (Self::Is(Literal::Bool(wanted)), Field::Bool(value)) => value == wanted,
            (Self::Is(Literal::Null), Field::Null) => true,
            (Self::StartsWith(start), Field::Text(value)) => {
                value.to_lowercase().starts_with(&start.to_lowercase())
            }
            (Self::EndsWith(end), Field::Text(value)) => value.to_lowercase().ends_with(&end.to_lowercase()),
            (Self::Element(test), Field::List(values)) => {
                values.iter().any(|value| test.passes(&Field::Text(value.clone())))
            }
            (Self::Is(_) | Self::StartsWith(_) | Self::EndsWith(_) | Self::Element(_), _) => false,
        }
    }
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || one.to_lowercase() == other.to_lowercase()
}

struct Parser<'a> {
    rest: &'a str,
    known: &'a [&'a str],
    /// How many more terms are allowed.
    left: usize,
}

impl Parser<'_> {
    /// Parses `a or b`; up to `depth` more parentheses may be opened.
    fn any_of(&mut self, depth: usize) -> Result<Filter, GraphError> {
        let mut parts = vec![self.all_of(depth)?];
        while self.take_word("or") {
            parts.push(self.all_of(depth)?);
        }
        Ok(Filter::Any(parts))
    }

    fn all_of(&mut self, depth: usize) -> Result<Filter, GraphError> {
        let mut parts = vec![self.negated(depth)?];
        while self.take_word("and") {
            parts.push(self.negated(depth)?);
        }
        Ok(Filter::All(parts))
    }

    fn negated(&mut self, depth: usize) -> Result<Filter, GraphError> {
        let Some(depth) = depth.checked_sub(1) else { return Err(self.error()) };
        if self.take_word("not") {
            return Ok(Filter::Not(Box::new(self.negated(depth)?)));
        }
        if self.rest.starts_with('(') {
            self.symbol('(')?;
            let filter = self.any_of(depth)?;
            self.symbol(')')?;
            return Ok(filter);
        }
        self.term()
    }

    fn term(&mut self) -> Result<Filter, GraphError> {
        let Some(left) = self.left.checked_sub(1) else { return Err(self.error()) };
        self.left = left;
        let name = self.name()?;
        if self.rest.starts_with('(') {
            self.symbol('(')?;
            let field = self.name()?;
            let field = self.check(&field)?;
            let test = self.function(&name)?;
            return Ok(Filter::Term { field, test });
        }
        let field = self.check(&name)?;
        if let Some(rest) = self.rest.strip_prefix("/any(") {
            self.rest = rest.trim_start();
            let test = self.element()?;
            return Ok(Filter::Term { field, test: Test::Element(Box::new(test)) });
        }
        let is = |literal| Filter::Term { field: field.clone(), test: Test::Is(literal) };
        match self.name()?.as_str() {
            "eq" => Ok(is(self.literal()?)),
            "ne" => Ok(Filter::Not(Box::new(is(self.literal()?)))),
            "in" => {
                self.symbol('(')?;
                let mut values = vec![is(self.literal()?)];
                while self.rest.starts_with(',') && values.len() < MOST_VALUES {
                    self.symbol(',')?;
                    values.push(is(self.literal()?));
                }
                self.symbol(')')?;
                Ok(Filter::Any(values))
            }
            _ => Err(self.error()),
        }
    }

    /// After `any(`: `c:c eq 'x'` or `c:startswith(c,'x')`.
    fn element(&mut self) -> Result<Test, GraphError> {
        let variable = self.name()?;
        self.symbol(':')?;
        let name = self.name()?;
        let test = if self.rest.starts_with('(') {
            self.symbol('(')?;
            self.word(&variable)?;
            self.function(&name)?
        } else if name == variable {
            self.word("eq")?;
            Test::Is(Literal::Text(self.text()?))
        } else {
            return Err(self.error());
        };
        self.symbol(')')?;
        Ok(test)
    }

    /// After the function's first argument.
    fn function(&mut self, name: &str) -> Result<Test, GraphError> {
        self.symbol(',')?;
        let text = self.text()?;
        self.symbol(')')?;
        match name.to_ascii_lowercase().as_str() {
            "startswith" => Ok(Test::StartsWith(text)),
            "endswith" => Ok(Test::EndsWith(text)),
            _ => Err(GraphError::bad(format!(
                "Invalid filter clause: '{name}' is not a function that is known here, expected startswith or endswith."
            ))),
        }
    }

    fn literal(&mut self) -> Result<Literal, GraphError> {
        if self.rest.starts_with('\'') {
            return Ok(Literal::Text(self.text()?));
        }
        match self.name()?.as_str() {
            "true" => Ok(Literal::Bool(true)),
            "false" => Ok(Literal::Bool(false)),
            "null" => Ok(Literal::Null),
            _ => Err(self.error()),
        }
    }

    fn take_word(&mut self, word: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(word) else { return false };
        let ends = rest.starts_with([' ', '(']);
        if ends {
            self.rest = rest.trim_start();
        }
        ends
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
        // A slash or parenthesis must follow directly; other tokens may follow after white space.
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

    /// A quoted string, in which two quotes stand for one.
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
            "Invalid filter clause near '{rest}': expected \"property eq 'value'\" (or ne, in), startswith(property,'value'), endswith(property,'value') or property/any(c:c eq 'value'), joined by and, or, not."
        ))
    }
}

const MOST_TERMS: usize = 32;
const MOST_VALUES: usize = 32;
const MOST_DEPTH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str) -> Option<bool> {
        let filter = Filter::parse(Some(text), &["displayName", "accountEnabled", "names"]).ok()?;
        Some(filter.holds(&|name: &str| match name {
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
        assert_eq!(holds("displayName ne 'x'"), Some(true));
        assert_eq!(holds("accountEnabled ne true"), Some(false));
        assert_eq!(holds("displayName eq 'x' or displayName eq 'o''neil team'"), Some(true));
        assert_eq!(holds("displayName in ('x', 'O''Neil Team')"), Some(true));
        assert_eq!(holds("displayName in ('x')"), Some(false));
        assert_eq!(holds("displayName eq null"), Some(false));
        assert_eq!(holds("endswith(displayName,'team')"), Some(true));
        assert_eq!(holds("names/any(n:startswith(n,'b'))"), Some(true));
        // `and` binds before `or`, and `not` before both.
        assert_eq!(
            holds("accountEnabled eq true or accountEnabled eq true and accountEnabled eq false"),
            Some(true)
        );
        assert_eq!(
            holds("(accountEnabled eq true or accountEnabled eq true) and not (accountEnabled eq true)"),
            Some(false)
        );
        assert_eq!(holds("not startswith(displayName,'x') and accountEnabled eq true"), Some(true));
    }

    #[test]
    fn a_property_is_required_only_where_nothing_else_would_do() {
        let required = |text: &str| {
            let filter = Filter::parse(Some(text), &["displayName", "names"]).unwrap();
            ["displayName", "names"].map(|name| filter.required(name).map(str::to_owned))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(required("displayName eq 'x'"), [some("x"), None]);
        assert_eq!(required("startswith(displayName,'y') and (displayName eq 'x')"), [some("x"), None]);
        assert_eq!(required("names/any(c:c eq 'x')"), [None, some("x")]);
        assert_eq!(required("displayName in ('x')"), [some("x"), None]);
        for text in [
            "displayName in ('x', 'y')",
            "displayName ne 'x'",
            "not (displayName eq 'x')",
            "displayName eq 'x' or names/any(c:c eq 'x')",
            "displayName eq null",
            "startswith(displayName,'x')",
            "",
        ] {
            assert_eq!(required(text), [None, None], "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "secret eq 'x'",
            "displayName gt 'x'",
            "displayName in ()",
            "displayName eq 'x' or",
            "not",
            "contains(displayName,'x')",
            "names/any(c:startswith(d,'b'))",
            "displayName eq 'x",
            "displayName eq 'x' xor displayName eq 'y'",
            "displayName eq 'x' displayName eq 'x'",
            "names/any(c:d eq 'b')",
            "startswith(displayName)",
            "(displayName eq 'x'",
            "((((((((((displayName eq 'x'))))))))))",
            "'",
        ] {
            assert_eq!(holds(text), None, "{text}");
        }
    }
}
