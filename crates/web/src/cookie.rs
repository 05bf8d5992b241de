//! The two cookies that browsers keep for us, and how they are written. The prefix `__Host-` makes a browser
//! take them only over TLS, from this very host and for the whole of it, so that no neighbour can plant one.
//! `SameSite=Lax` keeps them out of posts that other sites start.

use http::{HeaderMap, HeaderValue, header::COOKIE};

/// Of a signed-in person.
pub const SESSION: &str = "__Host-portcullis-session";
/// Tells one browser from another, signed in or not; forms and pending requests are bound to it. It lasts, so that an
/// account knows the browsers that it was signed in with.
pub const BROWSER: &str = "__Host-portcullis-browser";

/// The value of a cookie, unless the browser sends it several times.
pub fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(found, _)| *found == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) if is_plain(value) => Some(value),
        _ => None,
    }
}

/// A `Set-Cookie` header for a value of letters, digits, `-` and `_`: a session's until the browser is closed.
pub fn set(name: &'static str, value: &str) -> Option<HeaderValue> {
    let life = if name == BROWSER { format!("; Max-Age={BROWSER_LIFE}") } else { String::new() };
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{life}");
    is_plain(value).then(|| HeaderValue::try_from(text).ok()).flatten()
}

/// A `Set-Cookie` header that takes the cookie away.
pub fn clear(name: &'static str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("{name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")).ok()
}

fn is_plain(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= LONGEST
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

const LONGEST: usize = 100;
/// Seconds of 180 days.
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
