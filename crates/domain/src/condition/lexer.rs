//! Cuts the text of a condition into tokens. Knows nothing of what may follow what.
//!
//! Tokens borrow from the text; their escapes are still in them. Spaces, tabs and line ends separate and
//! mean nothing else. Every other invisible character is refused by name: a condition that was pasted from
//! a word processor must not silently mean something else than it shows.

use std::fmt;

use super::{
    error::ConditionError,
    facts::{KEY_CASE_SENSITIVE, Source},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    Open,
    Close,
    OpenBrace,
    CloseBrace,
    Comma,
    Not,
    And,
    Or,
    /// Letters, digits, `_`, `-`, `.` and `:`: names of functions and operators, numbers, GUIDs.
    Word(&'t str),
    /// What stands between quotes, escapes included.
    Text(&'t str),
    Attribute(Source, &'t str),
    End,
}

/// A token and the byte at which it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spanned<'t> {
    pub(super) token: Token<'t>,
    pub(super) position: usize,
}

#[derive(Debug)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    position: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, position: 0 }
    }

    /// The next token; `End` at the end and ever after.
    pub(super) fn next(&mut self) -> Result<Spanned<'t>, ConditionError> {
        let rest = self.rest();
        self.position += rest.len() - rest.trim_start_matches(is_space).len();
        let position = self.position;
        let rest = self.rest();
        let (token, length) = match rest.chars().next() {
            None => (Token::End, 0),
            Some('(') => (Token::Open, 1),
            Some(')') => (Token::Close, 1),
            Some('{') => (Token::OpenBrace, 1),
            Some('}') => (Token::CloseBrace, 1),
            Some(',') => (Token::Comma, 1),
            Some('!') => (Token::Not, 1),
            Some('&') if rest.starts_with("&&") => (Token::And, 2),
            Some('|') if rest.starts_with("||") => (Token::Or, 2),
            Some('\'') => self.quoted(rest)?,
            Some('@') => self.attribute(rest)?,
            Some(first) if is_word(first) => {
                let length = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
                (word(rest.get(..length).unwrap_or(rest)), length)
            }
            Some(other) => return Err(self.error(position, unexpected(other))),
        };
        self.position += length;
        Ok(Spanned { token, position })
    }

    pub(super) fn error(&self, position: usize, message: String) -> ConditionError {
        ConditionError::at(self.text, position, message)
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.position..).unwrap_or_default()
    }

    /// `rest` begins with the opening quote.
    fn quoted(&self, rest: &'t str) -> Result<(Token<'t>, usize), ConditionError> {
        let mut characters = rest.char_indices().skip(1);
        while let Some((index, character)) = characters.next() {
            match character {
                '\'' => return Ok((Token::Text(rest.get(1..index).unwrap_or_default()), index + 1)),
                '\\' if rest.get(index + 1..).is_some_and(|next| next.starts_with(['\'', '\\'])) => {
                    characters.next();
                }
                control if control.is_control() => {
                    let message = format!("expected the closing ' of the text, found {}", name(control));
                    return Err(self.error(self.position + index, message));
                }
                _ => {}
            }
        }
        let message = "the text that begins here has no closing ' (inside of a text, a quote is written \\')";
        Err(self.error(self.position, message.to_owned()))
    }

    /// `rest` begins with the `@`.
    fn attribute(&self, rest: &'t str) -> Result<(Token<'t>, usize), ConditionError> {
        let error = |offset: usize, message: String| Err(self.error(self.position + offset, message));
        let end = rest.get(1..).and_then(|name| name.find(|character| !is_word(character)));
        let open = end.map_or(rest.len(), |length| length + 1);
        let written = rest.get(1..open).unwrap_or_default();
        let Some(source) = Source::ALL.into_iter().find(|source| source.name().eq_ignore_ascii_case(written))
        else {
            let message = "expected @Request, @Resource, @Principal or @Environment, found \"@";
            return error(0, format!("{message}{}\"", excerpt(written)));
        };
        let behind = rest.get(open..).unwrap_or_default();
        let Some(inner) = behind.strip_prefix('[') else {
            let found = behind.chars().next().map_or_else(|| Token::End.to_string(), name);
            return error(open, format!("expected \"[\" after @{}, found {found}", source.name()));
        };
        let close =
            inner.find(|character: char| matches!(character, '[' | ']' | '\'') || character.is_control());
        let Some(close) = close.filter(|close| inner.get(*close..).is_some_and(|rest| rest.starts_with(']')))
        else {
            let offset = close.map_or(rest.len(), |close| open + 1 + close);
            let found = rest.get(offset..).and_then(|rest| rest.chars().next());
            let found = found.map_or_else(|| Token::End.to_string(), name);
            return error(
                offset,
                format!("expected the \"]\" that closes the attribute's name, found {found}"),
            );
        };
        let attribute = inner.get(..close).unwrap_or_default().trim_matches(is_space);
        if let Err(message) = check_name(attribute) {
            return error(open + 1, message);
        }
        Ok((Token::Attribute(source, attribute), open + 1 + close + 1))
    }
}

/// How a token is called in "found ...".
impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("\"(\""),
            Self::Close => f.write_str("\")\""),
            Self::OpenBrace => f.write_str("\"{\""),
            Self::CloseBrace => f.write_str("\"}\""),
            Self::Comma => f.write_str("\",\""),
            Self::Not => f.write_str("NOT"),
            Self::And => f.write_str("AND"),
            Self::Or => f.write_str("OR"),
            Self::Word(word) => write!(f, "\"{}\"", excerpt(word)),
            Self::Text(text) => write!(f, "the text '{}'", excerpt(text)),
            Self::Attribute(source, name) => write!(f, "@{}[{}]", source.name(), excerpt(name)),
            Self::End => f.write_str("the end of the condition"),
        }
    }
}

/// At most 60 characters: what is quoted in messages came from outside.
pub(super) fn excerpt(text: &str) -> String {
    let mut excerpt: String = text.chars().take(60).collect();
    if excerpt.len() < text.len() {
        excerpt.push('…');
    }
    excerpt
}

fn word(word: &str) -> Token<'_> {
    match word {
        _ if word.eq_ignore_ascii_case("AND") => Token::And,
        _ if word.eq_ignore_ascii_case("OR") => Token::Or,
        _ if word.eq_ignore_ascii_case("NOT") => Token::Not,
        _ => Token::Word(word),
    }
}

/// The two suffixes of tag attributes must be whole: shells eat what stands behind a dollar sign, and a
/// name that was cut so would be one that no request ever has.
fn check_name(name: &str) -> Result<(), String> {
    let path = name.strip_suffix(KEY_CASE_SENSITIVE).or_else(|| name.strip_suffix(KEYS)).unwrap_or(name);
    if path.is_empty() {
        return Err(format!(
            "expected the name of an attribute between the brackets, found \"{}\"",
            excerpt(name)
        ));
    }
    if name.ends_with(KEY_CASE_SENSITIVE) && !path.contains(':') {
        return Err(format!(
            "expected a key after a colon before {KEY_CASE_SENSITIVE}, found \"{}\"",
            excerpt(name)
        ));
    }
    if path.contains(['$', '<', '>', '&']) {
        return Err(format!(
            "expected {KEY_CASE_SENSITIVE} or {KEYS} or nothing behind the attribute's name, found \"{}\" \
             (was a $ lost to the shell?)",
            excerpt(name)
        ));
    }
    Ok(())
}

fn unexpected(character: char) -> String {
    let hint = match character {
        '&' => ", expected &&",
        '|' => ", expected ||",
        '"' => ", texts stand between single quotes",
        '[' => ", attributes are written @Resource[...]",
        _ => "",
    };
    format!("found {}{hint}", name(character))
}

/// A character as people can find it: by its number too, where it cannot be seen or looks like another.
fn name(character: char) -> String {
    match character {
        ' '..='~' => format!("\"{character}\""),
        _ if character.is_control() || character.is_whitespace() => {
            format!("the character U+{:04X}", u32::from(character))
        }
        _ => format!("\"{character}\" (U+{:04X})", u32::from(character)),
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.' | ':')
}

/// Ends the name of an attribute that lists the keys of tags.
const KEYS: &str = "&$keys$&";
