//! Old and new certificates of one cluster, and when each stops to count.

use serde_json::json;

use super::*;

fn at(hours: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
}

fn certificate(thumbprint: &str, hours: i64) -> WebhookCertificate {
    WebhookCertificate {
        thumbprint: thumbprint.into(),
        issued_by: None,
        issued: Some(at(hours)),
        expires: Some(at(hours + 24 * 365)),
        seen: None,
        ends: None,
    }
}

fn used(thumbprint: &str) -> Used<'_> {
    Used { thumbprint, not_before: at(0), not_after: at(24 * 365) }
}

fn with(thumbprints: &[&str]) -> WebhookCertificates {
    let mut all = WebhookCertificates::default();
    for thumbprint in thumbprints {
        all.add(certificate(thumbprint, 0), at(0)).unwrap();
    }
    all
}

fn counting(all: &WebhookCertificates, now: Timestamp) -> Vec<&str> {
    all.iter().filter(|each| each.counts(now)).map(|each| each.thumbprint.as_str()).collect()
}

#[test]
fn a_new_certificate_ends_none_before_it_was_seen_and_then_leaves_them_a_day() {
    let mut all = with(&["old"]);
    assert!(all.note_use(used("old"), at(1)));
    all.add(certificate("new", 2), at(2)).unwrap();
    assert_eq!(counting(&all, at(2000)), ["old", "new"]);
    assert!(all.note_use(used("new"), at(100)));
    assert_eq!(counting(&all, at(123)), ["old", "new"]);
    assert_eq!(counting(&all, at(124)), ["new"]);
    assert_eq!(all.find("old").unwrap().until(), Some(at(124)));
    // Later uses change nothing.
    let before = all.clone();
    assert!(!all.note_use(used("new"), at(110)));
    assert!(!all.note_use(used("old"), at(110)));
    assert!(!all.note_use(used("another"), at(110)));
    assert_eq!(all, before);
}

#[test]
fn an_older_one_that_is_first_used_late_ends_nothing_and_does_not_live_longer() {
    let mut all = with(&["one", "two", "three"]);
    assert!(all.note_use(used("two"), at(10)));
    assert!(all.note_use(used("one"), at(20)));
    assert_eq!(all.find("one").unwrap().until(), Some(at(34)));
    assert_eq!(counting(&all, at(35)), ["two", "three"]);
    assert!(all.note_use(used("three"), at(40)));
    assert_eq!(all.find("one").unwrap().until(), Some(at(34)), "an end is never put off");
}

#[test]
fn one_can_be_ended_at_once() {
    let mut all = with(&["one", "two"]);
    assert_eq!(all.end("one", at(5)).unwrap().ends, Some(at(5)));
    assert_eq!(counting(&all, at(5)), ["two"]);
    assert_eq!(all.end("one", at(9)).unwrap().ends, Some(at(5)));
    assert!(!all.note_use(used("one"), at(6)), "what has ended is not used any more");
    assert_eq!(all.end("three", at(9)), None);
    all.end("two", at(9)).unwrap();
    assert!(counting(&all, at(9)).is_empty());
}

#[test]
fn none_counts_longer_than_its_own_time() {
    let all = with(&["one"]);
    assert_eq!(counting(&all, at(24 * 365 - 1)), ["one"]);
    assert!(counting(&all, at(24 * 365)).is_empty());
}

#[test]
fn how_many_are_kept_is_bounded() {
    let mut all = WebhookCertificates::default();
    for number in 0..100 {
        let thumbprint = number.to_string();
        all.add(certificate(&thumbprint, 0), at(0)).unwrap();
        all.end(&thumbprint, at(0)).unwrap();
    }
    assert_eq!(all.iter().count(), MOST_ENDED + 1);
    for number in 100..100 + MOST_COUNTING {
        all.add(certificate(&number.to_string(), 0), at(0)).unwrap();
    }
    assert_eq!(all.add(certificate("more", 0), at(0)), Err(TooManyError));
    assert_eq!(counting(&all, at(0)).len(), MOST_COUNTING);
}

#[test]
fn the_older_stored_forms_are_read() {
    let read = |stored| serde_json::from_value::<WebhookCertificates>(stored).unwrap();
    assert_eq!(read(json!(null)), WebhookCertificates::default());
    let mut known = read(json!("ab12"));
    assert_eq!(counting(&known, at(24 * 365 * 100)), ["ab12"]);
    assert!(known.note_use(used("ab12"), at(3)));
    assert_eq!(known.find("ab12").unwrap().expires, Some(at(24 * 365)));
    assert_eq!(read(serde_json::to_value(&known).unwrap()), known);
}
