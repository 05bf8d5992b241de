//! Stored forms: what must not be readable in the data file, and what is no stored form.

use std::{collections::HashSet, sync::Arc};

use domain::{
    change::{Change, Record, RecordKey},
    group::Membership,
    id::{ClusterId, Id},
    object::{Object, ObjectKey},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Bytes, MOST_BYTES, decode, encode, encode_readable, key};
use crate::{Error, Secret, sealed::Seal};

pub(super) fn seal(key: u8) -> Seal {
    let sealer = crypto::seal::Sealer::new(&Secret::new([key; 32])).unwrap();
    Seal::new(sealer, Arc::new(crypto::random::System::default()))
}

pub(super) fn object(resource: &str, name: &str) -> Object {
    let cluster = ClusterId::parse("11111111-2222-3333-4444-555555555555").unwrap();
    let value = json!({"metadata": {"name": name}, "data": {"password": "aHVudGVyMg=="}});
    Object { key: ObjectKey::new(cluster, "", resource, "web", name), revision: 7, value: Arc::new(value) }
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    memchr::memmem::find(haystack, needle.as_bytes()).is_some()
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

/// One key of each kind. The match is there so that a new kind is not forgotten in the list below it.
#[test]
fn every_kind_of_record_comes_back_from_its_key() {
    fn is_listed(kind: &RecordKey) -> bool {
        match kind {
            RecordKey::Tenant(_)
            | RecordKey::User(_)
            | RecordKey::Group(_)
            | RecordKey::Membership(_)
            | RecordKey::Application(_)
            | RecordKey::ServicePrincipal(_)
            | RecordKey::ManagementGroup(_)
            | RecordKey::Subscription(_)
            | RecordKey::ResourceGroup(..)
            | RecordKey::Resource(_)
            | RecordKey::Role(_)
            | RecordKey::Assignment(_)
            | RecordKey::DenyAssignment(_)
            | RecordKey::Lock(_)
            | RecordKey::Cluster(_)
            | RecordKey::AdminCertificate(..)
            | RecordKey::SigningKey(_)
            | RecordKey::Unfinished(_)
            | RecordKey::Object(_) => true,
        }
    }
    fn id<K>(number: u128) -> Id<K> {
        Id::parse(&format!("{number:08x}-0000-4000-8000-000000000000")).unwrap()
    }
    let name = || "a name".to_owned();
    let keys = [
        RecordKey::Tenant(id(1)),
        RecordKey::User(id(1)),
        RecordKey::Group(id(1)),
        RecordKey::Membership(Membership { group: id(1), member: id(2) }),
        RecordKey::Application(id(1)),
        RecordKey::ServicePrincipal(id(1)),
        RecordKey::ManagementGroup(name()),
        RecordKey::Subscription(id(1)),
        RecordKey::ResourceGroup(id(1), name()),
        RecordKey::Resource("/subscriptions/x/providers/y".to_owned()),
        RecordKey::Role(id(1)),
        RecordKey::Assignment(id(1)),
        RecordKey::DenyAssignment(id(1)),
        RecordKey::Lock(name()),
        RecordKey::Cluster(id(1)),
        RecordKey::AdminCertificate(id(1), name()),
        RecordKey::SigningKey(name()),
        RecordKey::Unfinished(name()),
        RecordKey::Object(object("configmaps", "c").key),
    ];
    let kinds: HashSet<_> = keys.iter().map(std::mem::discriminant).collect();
    assert_eq!(kinds.len(), keys.len());
    for expected in keys {
        assert!(is_listed(&expected));
        match decode(&key(&expected), None, 7, &seal(1)) {
            Ok(Some(Change::Delete(found))) => assert_eq!(found, expected),
            other => panic!("{expected:?}: {other:?}"),
        }
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
        let error = decode(&place(name), Some(&stored), 7, &seal(by)).unwrap_err();
        assert!(error.contains(&format!("/web/{name} cannot be opened")), "{error}");
    }
}

#[test]
fn a_secret_that_is_not_sealed_is_damage() {
    let place = key(&RecordKey::Object(object("secrets", "s").key));
    let error = decode(&place, Some(br#"{"data":{}}"#), 7, &seal(1)).unwrap_err();
    assert!(error.contains("missing field `sealed`"), "{error}");
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
        assert!(read(bad.clone()).is_err(), "{bad}");
        match super::read(place.as_bytes(), Some(bad.as_bytes()), 7, &seal(1)) {
            super::DecodedEvent::Unreadable(unreadable) => {
                assert_eq!(&*unreadable.place, place);
                assert!(matches!(unreadable.record, Some(RecordKey::Membership(_))));
            }
            _ => panic!("{bad}"),
        }
    }
}

fn nested(levels: usize) -> Value {
    (1..levels).fold(json!([]), |inner, _| json!([inner]))
}

pub(super) fn resource(properties: Value) -> Record {
    let scope = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers/a.b/c/d";
    let stored = json!({"resource": {
        "id": scope, "location": "local", "tags": {}, "identity": null, "other": {"properties": properties},
        "created": "2026-11-24T09:00:00Z", "updated": "2026-11-24T09:00:00Z",
    }});
    serde_json::from_value(stored).unwrap()
}

/// What is accepted can be read back: what could not is refused, with its place, before it is committed.
#[test]
fn a_record_that_could_not_be_read_again_is_not_stored() {
    let store = |record: &Record| encode_readable(record, &key(&record.key()), &seal(1));
    for levels in [1, 64, 100] {
        let record = resource(nested(levels));
        let stored = store(&record).unwrap();
        assert!(decode(&key(&record.key()), Some(&stored), 7, &seal(1)).is_ok(), "{levels}");
    }
    for levels in [126, 127, 128, 1000] {
        match store(&resource(nested(levels))) {
            Err(Error::Invalid(problems)) => {
                assert!(
                    problems[0].message.contains("levels at /resource/other/properties/0/0"),
                    "{problems:?}"
                );
            }
            other => panic!("{levels}: {other:?}"),
        }
    }
    for name in ["configmaps", "secrets"] {
        let object = |levels| Object { value: Arc::new(nested(levels)), ..object(name, "n") };
        let record = Record::Object(object(120));
        let stored = store(&record).unwrap();
        assert!(decode(&key(&record.key()), Some(&stored), 7, &seal(1)).is_ok());
        assert!(matches!(store(&Record::Object(object(121))), Err(Error::Invalid(_))));
    }
}

#[test]
fn a_record_is_no_larger_than_a_store_takes_and_can_still_say_that_it_ends() {
    let store = |value: Value| {
        let record = Record::Object(Object { value: Arc::new(value), ..object("configmaps", "c") });
        encode_readable(&record, &key(&record.key()), &seal(1))
    };
    let data = "x".repeat(MOST_BYTES - 30);
    assert!(store(json!({"data": data})).is_ok());
    let large = "x".repeat(MOST_BYTES);
    assert!(matches!(store(json!({"data": large})), Err(Error::TooLarge { .. })));
    assert!(store(json!({"data": large, "metadata": {"deletionTimestamp": "2026-11-24T09:00:00Z"}})).is_ok());
    assert!(matches!(
        encode_readable(&resource(json!(large)), &Bytes::from("k"), &seal(1)),
        Err(Error::TooLarge { .. })
    ));
}

proptest! {
    /// For objects, whose depth alone is looked at before they are committed.
    #[test]
    fn any_object_that_may_be_stored_is_read_as_it_was(value in any_value()) {
        for name in ["configmaps", "secrets"] {
            let object = Object { value: Arc::new(value.clone()), ..object(name, "n") };
            let place = key(&RecordKey::Object(object.key.clone()));
            let stored = encode_readable(&Record::Object(object.clone()), &place, &seal(1)).unwrap();
            match decode(&place, Some(&stored), 7, &seal(1)) {
                Ok(Some(Change::Put(Record::Object(read)))) => prop_assert_eq!(&read, &object),
                other => panic!("{other:?}"),
            }
        }
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Of these every one has an exact text.
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        any::<String>().prop_map(Value::from)
    ];
    leaf.prop_recursive(80, 200, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
