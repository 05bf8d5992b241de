//! Certificates made, read and checked. TLS itself is not run here.

use super::*;
use crate::random::System;

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn authority(name: &str) -> (Authority, Secret<Vec<u8>>) {
    Authority::generate(name, now(), &System::default()).unwrap()
}

fn client(authority: &Authority, until: Timestamp) -> Issued {
    let subject = Subject { name: "clusterAdmin:alice@example.org", organization: "admins" };
    authority.issue_client(subject, now(), until, &System::default()).unwrap()
}

#[test]
fn a_client_certificate_counts_for_its_authority_in_its_time_only() {
    let (ours, _) = authority("ours");
    // The same name with another key.
    let (theirs, _) = authority("ours");
    let hour = now() + SignedDuration::from_hours(1);
    let certificate = Certificate::from_pem(&client(&ours, hour).certificate_pem).unwrap();
    let verifier = ClientVerifier::new(ours.certificate_pem()).unwrap();
    assert!(verifier.accepts(&certificate.der, now()));
    assert!(!verifier.accepts(&certificate.der, hour + SignedDuration::from_secs(1)));
    assert!(!verifier.accepts(&certificate.der, now() - SignedDuration::from_hours(1)));
    assert!(!ClientVerifier::new(theirs.certificate_pem()).unwrap().accepts(&certificate.der, now()));
    assert!(!verifier.accepts(b"not a certificate", now()));
}

#[test]
fn a_server_certificate_is_no_client_certificate() {
    let (ours, _) = authority("ours");
    let hour = now() + SignedDuration::from_hours(1);
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let issued = ours.issue_server(&names, now(), hour, &System::default()).unwrap();
    let certificate = Certificate::from_pem(&issued.certificate_pem).unwrap();
    assert!(!ClientVerifier::new(ours.certificate_pem()).unwrap().accepts(&certificate.der, now()));
    assert!(server_identity(&issued.certificate_pem, issued.key_pem.expose()).is_ok());
}

#[test]
fn an_authority_that_was_sealed_signs_as_before() {
    let (first, key) = authority("ours");
    let again = Authority::open(first.certificate_pem(), &key).unwrap();
    let issued = client(&again, now() + SignedDuration::from_hours(1));
    let certificate = Certificate::from_pem(&issued.certificate_pem).unwrap();
    assert!(ClientVerifier::new(first.certificate_pem()).unwrap().accepts(&certificate.der, now()));
    assert_eq!(certificate.common_name, "clusterAdmin:alice@example.org");
    assert_eq!(certificate.organizations, ["admins"]);
    assert_eq!(certificate.serial, issued.serial);
    assert_eq!(certificate.thumbprint(), issued.thumbprint);
}

#[test]
fn texts_that_are_no_certificates_are_refused() {
    for text in ["", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(Certificate::from_pem(text).is_err(), "{text}");
    }
}
