//! Reading and setting members of objects.

use serde_json::{Value, json};
use state::{Error, Tx};

/// The text at a JSON pointer (RFC 6901); empty where there is none.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Sets a member of an object; anything else stays as it is.
pub fn set(object: &mut Value, member: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(member.to_owned(), value);
    }
}

/// Sets a member of the object at a path of members, which is made where it is not there.
pub(super) fn set_at(object: &mut Value, path: &[&str], member: &str, value: Value) {
    let Some((first, rest)) = path.split_first() else { return set(object, member, value) };
    if let Some(members) = object.as_object_mut() {
        let next = members.entry(*first).or_insert_with(|| json!({}));
        if next.is_null() {
            *next = json!({});
        }
        set_at(next, rest, member, value);
    }
}

/// Gives an object that the server makes by itself its identity, which is another one each time.
pub fn stamp(tx: &Tx, value: &mut Value) -> Result<(), Error> {
    let uid = tx.new_uid()?;
    if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
        metadata.insert("uid".into(), uid.into());
        let created = tx.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        metadata.insert("creationTimestamp".into(), created.into());
    }
    Ok(())
}
