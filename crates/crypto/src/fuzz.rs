//! Tokens, certificates and sealed texts as nobody made them: they are refused, in time, and one that differs from what
//! was signed or sealed is never taken for it.

use fuzzing::{bytes, says_something, text};
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::json;

use crate::{
    cert::{Authority, Certificate, ClientVerifier, server_identity},
    jwt::{parse, sign},
    keys::SigningKey,
    random::System,
    seal::Sealer,
    secret::Secret,
};

#[test]
fn tokens() {
    let key = SigningKey::generate().unwrap();
    let claims = json!({"iss": "https://id.example/t", "aud": ["a"], "exp": 1795477745.5, "groups": ["g"]});
    let token = sign(&key, "k", &claims).unwrap();
    let verifying = key.public().verifying().unwrap();
    text(&[&token], &[".", "=", "eyJhbGciOiJub25lIn0", "eyJhbGciOiJSUzI1NiJ9"], |text| match parse(text) {
        Ok(parsed) => {
            // A signature's last letter holds bits that do not count; a parser that takes both forms takes one.
            assert_eq!(parsed.verify(&verifying).is_ok(), text.trim_ascii() == token);
            if let Err(error) = parsed.claims_before_verification() {
                says_something(error);
            }
        }
        Err(error) => says_something(error),
    });
}

fn authority() -> (Authority, String, Vec<u8>) {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let (authority, key) = Authority::generate("authority", now, &System::default()).unwrap();
    let pem = authority.certificate_pem().to_owned();
    (authority, pem, key.expose().clone())
}

#[test]
fn certificates_in_pem() {
    let (authority, pem, key) = authority();
    let key = Secret::new(key);
    text(&[&pem], &["-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----", "PRIVATE KEY"], |text| {
        if let Err(error) = Certificate::from_pem(text) {
            says_something(error);
        }
        if let Err(error) = ClientVerifier::new(text) {
            says_something(error);
        }
        if let Err(error) = Authority::open(text, &key) {
            says_something(error);
        }
        if let Err(error) = server_identity(text, text) {
            says_something(error);
        }
    });
    drop(authority);
}

#[test]
fn certificates_in_der() {
    let (_, pem, _) = authority();
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let verifier = ClientVerifier::new(&pem).unwrap();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    bytes(&[&der], &[], |input| {
        match Certificate::from_der(input) {
            Ok(certificate) => {
                if let Err(error) = certificate.rsa_key() {
                    says_something(error);
                }
            }
            Err(error) => says_something(error),
        }
        // An authority is no client of itself.
        assert!(!verifier.accepts(input, now));
    });
}

#[test]
fn sealed_texts() {
    let sealer = Sealer::new(&Secret::new([7; 32])).unwrap();
    let sealed = sealer.seal("place", b"secret", &System::default()).unwrap();
    text(&[&sealed], &["=", "AAAA"], |text| match sealer.open("place", text) {
        Ok(_) => assert_eq!(text, sealed),
        Err(error) => says_something(error),
    });
}
