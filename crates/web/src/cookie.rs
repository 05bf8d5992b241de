//! The session and browser cookies. With the prefix `__Host-` a browser accepts them only over TLS, for this exact
//! host and the path `/`, so another host of the domain cannot set one. `SameSite=Lax` keeps them out of POST
//! requests that other sites start.

use http::{HeaderMap, HeaderValue, header::COOKIE};

/// The session of a signed-in user.
pub const SESSION: &str = "__Host-portcullis-session";
/// Identifies a browser, signed in or not; forms and pending requests are bound to it. It outlives the session, so
/// that an account can recognize browsers it has signed in from.
pub const BROWSER: &str = "__Host-portcullis-browser";

/// The value of the cookie `name`; none if the browser sends it more than once.
pub fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(found, _)| *found == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) if is_plain(value) => Some(value),
        _ => None,
    }
}

/// A `Set-Cookie` header for a value of letters, digits, `-` and `_`. A session cookie lasts until the browser closes.
pub fn set(name: &'static str, value: &str) -> Option<HeaderValue> {
    let life = if name == BROWSER { format!("; Max-Age={BROWSER_LIFE}") } else { String::new() };
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{life}");
    is_plain(value).then(|| HeaderValue::try_from(text).ok()).flatten()
}

/// A `Set-Cookie` header that deletes the cookie.
pub fn clear(name: &'static str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("{name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")).ok()
}

fn is_plain(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= LONGEST
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

const LONGEST: usize = 100;
/// 180 days in seconds.
const BROWSER_LIFE: u32 = 180 * 24 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cookies: &[&str], expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(COOKIE, cookie.parse().unwrap());
        }
        assert_eq!(find(&headers, SESSION), expected, "{cookies:?}");
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name_and_only_if_it_stands_once() {
        check(&[], None);
        check(&["a=b; __Host-portcullis-session=abc_-1"], Some("abc_-1"));
        check(&["a=b", "__Host-portcullis-session=abc"], Some("abc"));
        check(&["x__Host-portcullis-session=abc"], None);
        check(&["__Host-portcullis-session=abc; __Host-portcullis-session=def"], None);
        check(&["__Host-portcullis-session=\"abc\""], None);
        check(&["__Host-portcullis-session="], None);
    }

    #[test]
    fn a_value_cannot_add_attributes() {
        assert!(set(SESSION, "a; Domain=evil.example").is_none());
        let header = set(SESSION, "abc").unwrap();
        assert_eq!(header, "__Host-portcullis-session=abc; Path=/; Secure; HttpOnly; SameSite=Lax");
    }
}
