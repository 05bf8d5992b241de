//! The credentials in the `Authorization` header of a request: a bearer token (RFC 6750 §2.1), or a client id and
//! secret (RFC 7617, RFC 6749 §2.3.1).
//!
//! They are parsed, not verified. A header that cannot be used is not the same as no header: the request must fail
//! then, and not continue with other credentials or as anonymous.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};

use crate::escapes::{self, EscapeError};

/// The parsed `Authorization` header.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials<'a> {
    /// There is no `Authorization` header.
    None,
    Bearer(&'a str),
    /// Client id and secret, form-decoded.
    Basic {
        name: String,
        secret: String,
    },
    /// The header cannot be used: unknown scheme, several headers, characters no token has, or too long.
    Unusable,
}

impl std::fmt::Debug for Credentials<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::None => "None",
            Self::Bearer(_) => "Bearer(***)",
            Self::Basic { .. } => "Basic(***)",
            Self::Unusable => "Unusable",
        })
    }
}

pub fn credentials(headers: &HeaderMap) -> Credentials<'_> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Credentials::None,
        (Some(value), None) if value.len() <= LONGEST => value,
        _ => return Credentials::Unusable,
    };
    let parts = value.to_str().ok().and_then(|text| text.trim().split_once(' '));
    match parts {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => bearer(token.trim()),
        Some((scheme, text)) if scheme.eq_ignore_ascii_case("basic") => {
            basic(text.trim()).unwrap_or(Credentials::Unusable)
        }
        _ => Credentials::Unusable,
    }
}

fn bearer(token: &str) -> Credentials<'_> {
    let plausible = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    match !token.is_empty() && token.bytes().all(plausible) {
        true => Credentials::Bearer(token),
        false => Credentials::Unusable,
    }
}

fn basic(text: &str) -> Option<Credentials<'static>> {
    let pair = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
    let (name, secret) = pair.split_once(':')?;
    Some(Credentials::Basic { name: form_decoded(name)?, secret: form_decoded(secret)? })
}

/// Form-decodes one part. Many clients do not encode it: their text is understood if it has no percent sign and no
/// plus. Text with a malformed escape is taken literally.
fn form_decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let decoded = match escapes::decode(spaced.as_bytes()) {
        Err(EscapeError::BadEscape) => return Some(text.to_owned()),
        decoded => decoded.ok()?.into_owned(),
    };
    Some(decoded).filter(|text| !text.contains('\0'))
}

/// The longest header value; a token with 200 groups has about 10,000 characters.
const LONGEST: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(values: &[&str], expected: Credentials<'_>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        assert!(credentials(&headers) == expected, "{values:?}: {:?}", credentials(&headers));
    }

    fn pair(name: &str, secret: &str) -> Credentials<'static> {
        Credentials::Basic { name: name.to_owned(), secret: secret.to_owned() }
    }

    #[test]
    fn one_bearer_header_is_a_token() {
        check(&[], Credentials::None);
        check(&["Bearer a.b-c_d~e+f/g=="], Credentials::Bearer("a.b-c_d~e+f/g=="));
        check(&["bEARER  abc "], Credentials::Bearer("abc"));
    }

    #[test]
    fn everything_else_is_unusable_and_not_nothing() {
        for values in [
            &["Bearer"][..],
            &["Bearer "],
            &["Bearer a b"],
            &["Bearer a,b"],
            &["Bearer a", "Bearer b"],
            &["Bearer a", "Basic YTpi"],
            &["Negotiate abc"],
            &["Basic ???"],
            &["Basic YQ=="],
            &["abc"],
            &[""],
        ] {
            check(values, Credentials::Unusable);
        }
        check(&[&format!("Bearer {}", "a".repeat(20_000))], Credentials::Unusable);
    }

    #[test]
    fn a_client_gives_name_and_secret() {
        // "client:secret", "a%40b:x+y%2B", "client:100%", "client:"
        check(&["Basic Y2xpZW50OnNlY3JldA=="], pair("client", "secret"));
        check(&["basic YSU0MGI6eCt5JTJC"], pair("a@b", "x y+"));
        check(&["Basic Y2xpZW50OjEwMCU="], pair("client", "100%"));
        check(&["Basic Y2xpZW50Og=="], pair("client", ""));
        // "client:a&b=c;d:e"
        check(&["Basic Y2xpZW50OmEmYj1jO2Q6ZQ=="], pair("client", "a&b=c;d:e"));
    }

    #[test]
    fn credentials_are_not_shown() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, "Bearer secret".parse().unwrap());
        assert_eq!(format!("{:?}", credentials(&headers)), "Bearer(***)");
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_unusable(bytes in proptest::collection::vec(32_u8..=255, 0..200)) {
            let mut headers = HeaderMap::new();
            if let Ok(value) = http::HeaderValue::from_bytes(&bytes) {
                headers.append(AUTHORIZATION, value);
                prop_assert!(credentials(&headers) != Credentials::None);
            }
        }
    }
}
