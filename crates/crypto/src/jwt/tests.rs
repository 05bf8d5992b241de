//! Tokens signed and verified, and those that attackers write. What claims mean is not known here.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn encode(value: &str) -> String {
    URL_SAFE_NO_PAD.encode(value)
}

#[test]
fn a_signed_token_verifies_with_its_key_alone() {
    let key = SigningKey::generate().unwrap();
    let other = SigningKey::generate().unwrap();
    let token = sign(&key, "k1", &json!({"sub": "alice", "exp": 1})).unwrap();
    let with_newline = format!("{token}\n");
    let parsed = parse(&with_newline).unwrap();
    assert_eq!(parsed.header.kid.as_deref(), Some("k1"));
    assert_eq!(parsed.verify(&key.public().verifying().unwrap()).unwrap()["sub"], "alice");
    assert_eq!(parsed.verify(&other.public().verifying().unwrap()), Err(JwtError::Signature));
    let (message, signature) = token.rsplit_once('.').unwrap();
    let forged =
        format!("{}.{}.{signature}", message.split_once('.').unwrap().0, encode(r#"{"sub":"root"}"#));
    assert_eq!(parse(&forged).unwrap().verify(&key.public().verifying().unwrap()), Err(JwtError::Signature));
}

#[test]
fn headers_that_would_weaken_the_check_are_refused() {
    let check = |header: &str, expected: JwtError| {
        let token = format!("{}.{}.{}", encode(header), encode("{}"), encode("x"));
        assert_eq!(parse(&token).map(|parsed| parsed.header).unwrap_err(), expected, "{header}");
    };
    check(r#"{"alg":"none"}"#, JwtError::Algorithm);
    check(r#"{"alg":"None"}"#, JwtError::Algorithm);
    check(r#"{"alg":"HS256"}"#, JwtError::Algorithm);
    check(r#"{"alg":"rs256"}"#, JwtError::Algorithm);
    check(r#"{"alg":"RS256","crit":["exp"]}"#, JwtError::Critical);
    check(r#"{"alg":"RS256","zip":"DEF"}"#, JwtError::Critical);
    check(r#"{"alg":"RS256","alg":"none"}"#, JwtError::Malformed);
    check(r#"{"typ":"JWT"}"#, JwtError::Malformed);
    check("[]", JwtError::Malformed);
}

#[test]
fn the_public_key_is_no_shared_secret() {
    // A token "signed" with HMAC under the public modulus, as attackers send to naive verifiers.
    let key = SigningKey::generate().unwrap();
    let message = format!("{}.{}", encode(r#"{"alg":"HS256","typ":"JWT"}"#), encode(r#"{"sub":"root"}"#));
    let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key.public().n.as_bytes());
    let tag = aws_lc_rs::hmac::sign(&secret, message.as_bytes());
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()));
    assert_eq!(parse(&token).map(drop), Err(JwtError::Algorithm));
    // The same under the name of an algorithm that is accepted.
    let renamed = token.replacen(&encode(r#"{"alg":"HS256","typ":"JWT"}"#), &encode(r#"{"alg":"RS256"}"#), 1);
    let verified = parse(&renamed).unwrap().verify(&key.public().verifying().unwrap());
    assert_eq!(verified, Err(JwtError::Signature));
}

#[test]
fn every_truncation_and_every_changed_byte_of_a_token_is_refused() {
    let key = SigningKey::generate().unwrap();
    let verifying = key.public().verifying().unwrap();
    let token = sign(&key, "k", &json!({"sub": "alice"})).unwrap();
    for length in 0..token.len() {
        assert!(parse(&token[..length]).and_then(|parsed| parsed.verify(&verifying)).is_err(), "{length}");
    }
    for place in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(parse(&changed).and_then(|parsed| parsed.verify(&verifying)).is_err(), "{place}");
    }
}

#[test]
fn a_token_that_brings_its_own_key_is_verified_with_ours() {
    let (ours, theirs) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let jwk = json!({"kty": "RSA", "n": theirs.public().n, "e": theirs.public().e});
    let header = json!({"alg": "RS256", "jwk": jwk, "jku": "https://evil.example/keys", "kid": "k",
        "x5u": "https://evil.example/cert", "x5c": ["MIIB\r\nAAAA\n"]});
    let message = format!("{}.{}", encode(&header.to_string()), encode("{}"));
    let signature = theirs.sign(message.as_bytes()).unwrap();
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    let parsed = parse(&token).unwrap();
    assert_eq!(parsed.verify(&ours.public().verifying().unwrap()), Err(JwtError::Signature));
}

#[test]
fn assertions_of_msal_are_signed_with_pss() {
    use aws_lc_rs::signature::RSA_PSS_SHA256;
    let key = SigningKey::generate().unwrap();
    let pair = aws_lc_rs::rsa::KeyPair::from_pkcs8(key.to_pkcs8().unwrap().expose()).unwrap();
    let message = format!("{}.{}", encode(r#"{"alg":"PS256"}"#), encode(r#"{"sub":"app"}"#));
    let mut signature = vec![0; pair.public_modulus_len()];
    let random = aws_lc_rs::rand::SystemRandom::new();
    pair.sign(&RSA_PSS_SHA256, &random, message.as_bytes(), &mut signature).unwrap();
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(&signature));
    let verifying = key.public().verifying().unwrap();
    assert_eq!(parse(&token).unwrap().verify(&verifying).unwrap()["sub"], "app");
    // One kind of signature under the name of the other is none.
    let renamed = token.replacen(&encode(r#"{"alg":"PS256"}"#), &encode(r#"{"alg":"RS256"}"#), 1);
    assert_eq!(parse(&renamed).unwrap().verify(&verifying), Err(JwtError::Signature));
}

#[test]
fn fractional_times_are_read() {
    let key = SigningKey::generate().unwrap();
    let token = sign(&key, "k", &json!({"exp": 1795477745.85373})).unwrap();
    let claims = parse(&token).unwrap().verify(&key.public().verifying().unwrap()).unwrap();
    assert_eq!(time(&claims, "exp").unwrap(), Some(1795477745.85373));
    assert_eq!(time(&claims, "nbf").unwrap(), None);
    for wrong in [json!("1"), json!(true), json!(null), json!({"a": 1}), json!(-1)] {
        let claims: Claims = [("exp".to_owned(), wrong.clone())].into_iter().collect();
        assert_eq!(time(&claims, "exp"), Err(JwtError::Malformed), "{wrong}");
    }
}

#[test]
fn texts_that_are_no_tokens_are_refused() {
    let deep = format!("{}.{}.x", encode(r#"{"alg":"RS256"}"#), encode(&"[".repeat(100_000)));
    for text in ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", "é.é.é", &deep] {
        assert!(
            parse(text).and_then(|parsed| parsed.claims_before_verification()).is_err(),
            "{}",
            &text[..text.len().min(20)]
        );
    }
    assert_eq!(parse(&"a".repeat(10_000_000)).map(drop), Err(JwtError::TooLong));
}

#[test]
fn a_claim_that_stands_twice_is_refused() {
    let token =
        format!("{}.{}.{}", encode(r#"{"alg":"RS256"}"#), encode(r#"{"oid":"a","oid":"b"}"#), encode("x"));
    assert_eq!(parse(&token).unwrap().claims_before_verification(), Err(JwtError::Malformed));
}

#[test]
fn thumbprints_are_read_with_and_without_padding() {
    for x5t in ["AAAA", "AAA=", "AAA"] {
        let header = format!(r#"{{"alg":"PS256","x5t#S256":"{x5t}"}}"#);
        let token = format!("{}.{}.{}", encode(&header), encode("{}"), encode("x"));
        assert!(parse(&token).unwrap().header.x5t_s256.is_some(), "{x5t}");
    }
}

proptest! {
    #[test]
    fn random_texts_never_panic(text in "[a-zA-Z0-9_.=-]{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&text);
        let token = format!("{}.{}.", URL_SAFE_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes));
        let _ = parse(&token);
    }
}
