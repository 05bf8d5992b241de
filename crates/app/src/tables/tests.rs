//! Stored forms: what must not be readable in the data file, and what is no stored form.

use std::sync::Arc;

use domain::{
    change::{Change, Record, RecordKey},
    id::ClusterId,
    object::{Object, ObjectKey},
};
use serde_json::json;

use super::{decode, encode, key};
use crate::{Secret, sealed::Seal};

fn seal(key: u8) -> Seal {
    let sealer = crypto::seal::Sealer::new(&Secret::new([key; 32])).unwrap();
    Seal::new(sealer, Arc::new(crypto::random::System::default()))
}

fn object(resource: &str, name: &str) -> Object {
    let cluster = ClusterId::parse("11111111-2222-3333-4444-555555555555").unwrap();
    let value = json!({"metadata": {"name": name}, "data": {"password": "aHVudGVyMg=="}});
    Object { key: ObjectKey::new(cluster, "", resource, "web", name), revision: 7, value: Arc::new(value) }
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[test]
fn a_secret_is_stored_sealed_and_read_whole() {
    let secret = object("secrets", "s");
    let stored = encode(&Record::Object(secret.clone()), &seal(1)).unwrap();
    assert!(!contains(&stored, "aHVudGVyMg") && !contains(&stored, "password"));
    let place = key(&RecordKey::Object(secret.key.clone()));
    match decode(&place, Some(&stored), 7, &seal(1)).unwrap() {
        Some(Change::Put(Record::Object(read))) => assert_eq!(read, secret),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_secret_is_stored_readable() {
    let stored = encode(&Record::Object(object("configmaps", "c")), &seal(1)).unwrap();
    assert!(contains(&stored, "aHVudGVyMg"));
}

#[test]
fn a_sealed_secret_opens_neither_under_another_name_nor_with_another_key() {
    let stored = encode(&Record::Object(object("secrets", "s")), &seal(1)).unwrap();
    let place = |name: &str| key(&RecordKey::Object(object("secrets", name).key));
    for (name, by) in [("other", 1), ("s", 2)] {
        let error = decode(&place(name), Some(&stored), 7, &seal(by)).unwrap_err().to_string();
        assert!(error.contains(&format!("/web/{name} cannot be opened")), "{error}");
    }
}

#[test]
fn a_secret_that_is_not_sealed_is_damage() {
    let place = key(&RecordKey::Object(object("secrets", "s").key));
    let error = decode(&place, Some(br#"{"data":{}}"#), 7, &seal(1)).unwrap_err().to_string();
    assert!(error.contains("cannot be read: missing field `sealed`"), "{error}");
}

#[test]
fn a_record_is_read_in_its_stored_form_only() {
    let member = "6f1e2b7a-0000-4000-8000-00000000000a";
    let place = format!("/live/access/member/{member}/{member}");
    let record = format!(r#""membership":{{"group":"{member}","member":"{member}"}}"#);
    let read = |text: String| decode(place.as_bytes(), Some(text.as_bytes()), 7, &seal(1));
    assert!(matches!(read(format!(r#"{{"v":1,{record}}}"#)), Ok(Some(Change::Put(Record::Membership(_))))));
    for bad in [
        format!("{{{record},\"v\":1}}"),
        format!(r#"{{"v":2,{record}}}"#),
        format!(r#"{{"v":1,{record},{record}}}"#),
        format!(r#"{{"v":1,{record}"#),
        r#"{"v":1}"#.to_owned(),
        r#"{"v":1,"nothing":{}}"#.to_owned(),
        "{}".to_owned(),
    ] {
        let error = read(bad.clone()).unwrap_err().to_string();
        assert!(error.contains(&place), "{bad}: {error}");
    }
}
