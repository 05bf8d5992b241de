//! Percent-encoding and -decoding for paths, queries and forms (RFC 3986 §2.1, URL Standard §5.1).
//!
//! The libraries used here pass malformed escapes through. This module refuses them, because two parsers could read
//! such a text differently.

use std::borrow::Cow;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

/// Why a percent-encoded text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EscapeError {
    #[error("a percent sign that no two hexadecimal digits follow")]
    BadEscape,
    #[error("not UTF-8")]
    NotUtf8,
}

/// Percent-encodes everything but ASCII letters and digits, so that the text is one value in any part of a URL.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Percent-decodes the text, once.
pub fn decode(text: &[u8]) -> Result<Cow<'_, str>, EscapeError> {
    check_escapes(text)?;
    percent_decode(text).decode_utf8().map_err(|_| EscapeError::NotUtf8)
}

/// The names and values of a query or a form, in their order.
pub fn pairs(text: &[u8]) -> Result<form_urlencoded::Parse<'_>, EscapeError> {
    check_escapes(text)?;
    lenient_pairs(text)
}

/// As [`pairs`], but a percent sign that begins no valid escape is taken literally.
pub fn lenient_pairs(text: &[u8]) -> Result<form_urlencoded::Parse<'_>, EscapeError> {
    // Separators are ASCII, so the whole text is UTF-8 exactly if each name and value is.
    percent_decode(text).decode_utf8().map_err(|_| EscapeError::NotUtf8)?;
    Ok(form_urlencoded::parse(text))
}

fn check_escapes(text: &[u8]) -> Result<(), EscapeError> {
    let is_escape = |at: usize| match text.get(at.saturating_add(1)..) {
        Some([high, low, ..]) => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => false,
    };
    match memchr::memchr_iter(b'%', text).all(is_escape) {
        true => Ok(()),
        false => Err(EscapeError::BadEscape),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Result<Vec<(String, String)>, EscapeError> {
        Ok(pairs(text.as_bytes())?.into_owned().collect())
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn escapes_are_undone_once() {
        for (text, plain) in [
            ("", ""),
            ("a b+c", "a b+c"),
            ("a%40b%2Fc%2fd", "a@b/c/d"),
            ("%252e", "%2e"),
            ("%25%32%65", "%2e"),
            ("gr%C3%BCn", "grün"),
            ("grün", "grün"),
            ("%00", "\0"),
        ] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Ok(plain), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for text in ["%", "a%", "%2", "%zz", "%2x", "%%20", "%+1", "%-1", "% 1", "%2%20"] {
            assert_eq!(decode(text.as_bytes()), Err(EscapeError::BadEscape), "{text}");
            assert_eq!(parsed(text), Err(EscapeError::BadEscape), "{text}");
        }
        for text in ["%ff", "%c0%af", "%C3", "%ed%a0%80", "a=%C3&b=%BC", "a=%C3+%BC", "%C3=%BC"] {
            assert_eq!(decode(text.as_bytes()), Err(EscapeError::NotUtf8), "{text}");
            assert_eq!(parsed(text), Err(EscapeError::NotUtf8), "{text}");
        }
        assert_eq!(decode(b"\xff"), Err(EscapeError::NotUtf8));
    }

    #[test]
    fn pairs_keep_their_order_and_stand_as_often_as_they_came() {
        assert_eq!(
            parsed("a=1&b=x+y%2Bz&&empty=&flag&%73=%26%3D&=&a=2=3"),
            Ok(owned(&[
                ("a", "1"),
                ("b", "x y+z"),
                ("empty", ""),
                ("flag", ""),
                ("s", "&="),
                ("", ""),
                ("a", "2=3"),
            ]))
        );
        assert_eq!(parsed(""), Ok(Vec::new()));
    }

    #[test]
    fn a_lenient_reader_takes_a_percent_sign_for_itself_and_yet_no_broken_text() {
        let lenient = |text: &str| lenient_pairs(text.as_bytes()).map(|pairs| pairs.into_owned().collect());
        assert_eq!(lenient("a=100%&b=%41"), Ok(owned(&[("a", "100%"), ("b", "A")])));
        assert_eq!(lenient("a=%ff"), Err::<Vec<_>, _>(EscapeError::NotUtf8));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_one_value_and_comes_back(name in ".{0,20}", value in ".{0,20}") {
            let (plain_name, plain_value) = (encode(&name), encode(&value));
            prop_assert!(plain_value.bytes().all(|byte| byte == b'%' || byte.is_ascii_alphanumeric()));
            prop_assert_eq!(decode(plain_value.as_bytes()).unwrap(), value.as_str());
            prop_assert_eq!(parsed(&format!("{plain_name}={plain_value}")).unwrap(), vec![(name, value)]);
        }

        /// Beside a reader that goes letter by letter.
        #[test]
        fn the_library_reads_as_the_standard_says(text in "[a%0-9fFcC+&=äz]{0,30}") {
            let mut bytes = Vec::new();
            let mut rest = text.bytes();
            let mut broken = false;
            while let Some(byte) = rest.next() {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                match byte {
                    b'%' => match (digit(rest.next()), digit(rest.next())) {
                        (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
                        _ => { broken = true; break }
                    },
                    byte => bytes.push(byte),
                }
            }
            let expected = match String::from_utf8(bytes) {
                _ if broken => Err(EscapeError::BadEscape),
                Ok(text) => Ok(text),
                Err(_) => Err(EscapeError::NotUtf8),
            };
            prop_assert_eq!(decode(text.as_bytes()).map(Cow::into_owned), expected);
        }
    }
}
