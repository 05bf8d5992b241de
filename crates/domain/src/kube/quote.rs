//! Text in Go's quoted form. Reasons and refusals of kube-apiserver are printed with Go's `%q`, and clients
//! compare them byte for byte.

use std::fmt::{self, Write};

/// Prints as `strconv.Quote` of Go does: printable characters stand as they are, others as `\n`, `\x7f`,
/// `\u00a0` or `\U000e0001`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

/// Prints a list as Go's `%q` does: `["a" "b"]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QuotedList<'a>(pub(crate) &'a [String]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                '\x07' => f.write_str("\\a")?,
                '\x08' => f.write_str("\\b")?,
                '\x0c' => f.write_str("\\f")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\x0b' => f.write_str("\\v")?,
                _ if is_printable(character) => f.write_char(character)?,
                _ if (character as u32) < 0x80 => write!(f, "\\x{:02x}", character as u32)?,
                _ if (character as u32) < 0x1_0000 => write!(f, "\\u{:04x}", character as u32)?,
                _ => write!(f, "\\U{:08x}", character as u32)?,
            }
        }
        f.write_char('"')
    }
}

impl fmt::Display for QuotedList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        for (position, text) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_char(' ')?;
            }
            Quoted(text).fmt(f)?;
        }
        f.write_char(']')
    }
}

/// Letters, marks, numbers, punctuation, symbols and the ASCII space.
fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return (' '..='~').contains(&character);
    }
    // The standard library knows what is printable but says so only through its escapes, and it escapes a
    // combining mark only where no other character precedes it.
    let mut text = String::from("x");
    text.push(character);
    text.escape_debug().count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_go_does() {
        for (text, expected) in [
            ("plain text", r#""plain text""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("\u{7}\u{8}\u{c}\n\r\t\u{b}", r#""\a\b\f\n\r\t\v""#),
            ("\u{0}\u{7f}", r#""\x00\x7f""#),
            ("Zoë e\u{301} 日本", "\"Zoë e\u{301} 日本\""),
            ("a\u{a0}b\u{200b}", r#""a\u00a0b\u200b""#),
            ("\u{e0001}", r#""\U000e0001""#),
        ] {
            assert_eq!(Quoted(text).to_string(), expected);
        }
        assert_eq!(QuotedList(&["get".into(), "list".into()]).to_string(), r#"["get" "list"]"#);
        assert_eq!(QuotedList(&[]).to_string(), "[]");
    }
}
