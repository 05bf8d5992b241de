//! Values as text: what stands between quotes in a condition, and what a fact that is known only as text
//! means to an operator. Both read dates, GUIDs and numbers by the same rules.
//!
//! In a quoted text `\'` is a quote and `\\` a backslash. In the pattern of a `Like` operator `\*` and `\?`
//! are the characters themselves. A backslash before anything else stands for itself, so that
//! `'DOMAIN\user'` needs no care.

use std::fmt::{self, Write};

use jiff::Timestamp;
use uuid::Uuid;

use super::glob::is_escapable;

/// An integer: the language knows no fractions.
pub(super) fn parse_number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

pub(super) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// `yyyy-mm-ddThh:mm:ss`, a fraction of up to nine digits if any, and `Z`. No other zone, no leap second.
pub(super) fn parse_time(text: &str) -> Option<Timestamp> {
    let (date_and_time, rest) = text.split_at_checked("0000-00-00T00:00:00".len())?;
    let in_shape = date_and_time.bytes().zip(*b"0000-00-00T00:00:00").all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        separator => byte == separator,
    });
    let fraction = rest.strip_suffix('Z')?;
    let fraction_in_shape = fraction.is_empty()
        || fraction.strip_prefix('.').is_some_and(|digits| {
            (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
    if in_shape && fraction_in_shape && !date_and_time.ends_with(":60") { text.parse().ok() } else { None }
}

/// The hyphenated form, in any case.
pub(super) fn parse_guid(text: &str) -> Option<Uuid> {
    if text.len() == 36 { Uuid::try_parse(text).ok() } else { None }
}

/// What a quoted text means; `raw` is what stands between the quotes.
pub(super) fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut characters = raw.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped =
            if character == '\\' { characters.next_if(|next| matches!(next, '\'' | '\\')) } else { None };
        text.push(escaped.unwrap_or(character));
    }
    text
}

/// A quoted text as a pattern: each backslash in the result stands before `*`, `?` or a backslash.
pub(super) fn unescape_pattern(raw: &str) -> String {
    let mut pattern = String::with_capacity(raw.len());
    let mut characters = raw.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\\' {
            pattern.push(character);
        } else if let Some(quote) = characters.next_if_eq(&'\'') {
            pattern.push(quote);
        } else {
            pattern.push('\\');
            pattern.push(characters.next_if(|next| is_escapable(*next)).unwrap_or('\\'));
        }
    }
    pattern
}

/// Writes `text` so that [`unescape`] reads it back, quotes included.
pub(super) fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    write_escaped(f, text, |character| matches!(character, '\'' | '\\'))
}

/// Writes `pattern` so that [`unescape_pattern`] reads it back, quotes included.
pub(super) fn write_quoted_pattern(f: &mut fmt::Formatter<'_>, pattern: &str) -> fmt::Result {
    write_escaped(f, pattern, |character| character == '\'')
}

fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str, is_escaped: fn(char) -> bool) -> fmt::Result {
    f.write_char('\'')?;
    for character in text.chars() {
        if is_escaped(character) {
            f.write_char('\\')?;
        }
        f.write_char(character)?;
    }
    f.write_char('\'')
}
