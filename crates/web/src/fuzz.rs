//! Forms, queries, headers and certificates as nobody sends them: read or refused, in time and in words.

use fuzzing::{bytes, says_something, text};
use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, CONTENT_TYPE, COOKIE},
};
use serde_json::Value;

use crate::{
    bearer::{Credentials, credentials},
    body::{FormFields, media_type, parse_json},
    cookie, escapes, path,
    serve::ServerCertificate,
};

#[test]
fn forms_and_queries() {
    bytes(
        &[b"grant_type=password&username=a%40b&scope=openid+x&a", b"a=1&a=2"],
        &["%C3%B6", "&&"],
        |input| {
            match FormFields::parse(input) {
                Ok(form) => {
                    let pair =
                        |(name, value)| format!("{}={}", escapes::encode(name), escapes::encode(value));
                    let written: Vec<String> = form.iter().map(pair).collect();
                    assert!(FormFields::parse(written.join("&").as_bytes()).is_ok_and(|read| read == form));
                }
                Err(error) => says_something(error),
            }
            match escapes::decode(input) {
                Ok(plain) => assert_eq!(escapes::decode(escapes::encode(&plain).as_bytes()).unwrap(), plain),
                Err(error) => says_something(error),
            }
        },
    );
}

#[test]
fn paths() {
    text(&["/t/oauth2/v2.0/token", "/a%20b/c%2Fd/"], &["..", "//", "%2e", "%2F"], |text| {
        if let Err(error) = path::check(text) {
            says_something(error);
        }
        match path::segment(text) {
            Ok(segment) => assert_eq!(path::segment(&escapes::encode(&segment)).unwrap(), segment),
            Err(error) => says_something(error),
        }
    });
}

#[test]
fn json() {
    let object = br#"{"displayName": "a", "n": [1, -2.5e3, true, null], "s": "\u00e4\ud83d\ude00"}"#;
    bytes(&[object], &["[", "{\"a\":", "\\u", "1e9999", "\"\\ud800\""], |input| {
        match parse_json::<Value>(input) {
            Ok(value) => assert_eq!(parse_json::<Value>(value.to_string().as_bytes()).unwrap(), value),
            Err(error) => says_something(error),
        }
    });
}

#[test]
fn headers() {
    bytes(
        &[b"Bearer a.b.c", b"Basic YTpi", b"name=value; __Host-s=x", b"application/json; charset=utf-8"],
        &[],
        |input| {
            let Ok(value) = HeaderValue::from_bytes(input) else { return };
            let headers: HeaderMap =
                [AUTHORIZATION, COOKIE, CONTENT_TYPE].into_iter().map(|name| (name, value.clone())).collect();
            if let Credentials::Bearer(token) = credentials(&headers) {
                assert!(token.bytes().all(|byte| byte.is_ascii_graphic()), "{token}");
            }
            let _ = (cookie::find(&headers, "__Host-s"), media_type(&headers));
        },
    );
}

#[test]
fn server_certificates() {
    let pair = rcgen::generate_simple_self_signed(vec!["id.example".to_owned()]).unwrap();
    let (chain, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    text(
        &[&format!("{chain}{key}")],
        &["-----BEGIN CERTIFICATE-----\n", "-----END PRIVATE KEY-----"],
        |text| {
            if let Err(error) = ServerCertificate::from_pem(text.as_bytes(), text.as_bytes()) {
                says_something(error);
            }
        },
    );
}
