//! Stored records with any content, as another version or damage would leave them: each is read or said to be
//! unreadable, and what is read is stored so that it is read the same.

use fuzzing::{bytes, says_something};
use serde_json::json;

use super::{
    Change, DecodedEvent, Record, RecordKey, decode, encode_readable, key, read,
    tests::{object, resource, seal},
};

#[test]
fn values() {
    let seal = seal(1);
    let records = [
        Record::Object(object("configmaps", "c")),
        Record::Object(object("secrets", "s")),
        resource(json!({"a": [1, null, {"b": "c"}]})),
    ];
    let stored = records.map(|record| {
        let place = key(&record.key());
        let value = encode_readable(&record, &place, &seal).unwrap();
        (place, value)
    });
    let examples: Vec<&[u8]> = stored.iter().map(|(_, value)| &**value).collect();
    bytes(&examples, &["\"v\":9", "null", "{}", "[["], |input| {
        for (place, _) in &stored {
            match decode(place, Some(input), 7, &seal) {
                Ok(Some(Change::Put(record))) => {
                    // What is too deep for a store is read, and not stored again.
                    let Ok(again) = encode_readable(&record, place, &seal) else { continue };
                    assert!(
                        matches!(decode(place, Some(&again), 7, &seal), Ok(Some(Change::Put(read))) if format!("{read:?}") == format!("{record:?}"))
                    );
                }
                Ok(other) => assert!(other.is_none(), "{other:?}"),
                Err(problem) => {
                    says_something(problem);
                    assert!(matches!(read(place, Some(input), 7, &seal), DecodedEvent::Unreadable(_)));
                }
            }
        }
    });
}

#[test]
fn keys() {
    let seal = seal(1);
    let object = key(&RecordKey::Object(object("configmaps", "c").key));
    let resource = key(&resource(json!({})).key());
    bytes(&[&object, &resource], &["/live/access/", "//", "%2F"], |input| {
        for value in [None, Some(&b"{}"[..])] {
            if let Err(problem) = decode(input, value, 7, &seal) {
                says_something(problem);
            }
        }
    });
}
