//! How objects end: at once, or marked until their finalizers are gone.

use std::sync::Arc;

use domain::{
    change::{Record, RecordKey},
    object::{Object, ObjectKey},
};
use serde_json::Value;
use state::Tx;

use super::{ObjectError, ObjectReference, grants, service_accounts};

pub(super) fn is_terminating(value: &Value) -> bool {
    value.pointer("/metadata/deletionTimestamp").is_some()
}

pub(super) fn put(tx: &mut Tx, key: &ObjectKey, value: Value) -> Result<(), ObjectError> {
    let object = Object { key: key.clone(), revision: 0, value: Arc::new(value) };
    tx.put(&Record::Object(object)).map_err(ObjectError::App)
}

pub(super) fn remove(tx: &mut Tx, key: &ObjectKey) -> Result<(), ObjectError> {
    service_accounts::delete_kept_tokens(tx, key).map_err(ObjectError::App)?;
    tx.delete(&RecordKey::Object(key.clone()));
    grants::keep_aggregated(tx, key, None)
}

/// The object with the mark that it ends.
pub(super) fn ended(tx: &Tx, value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
        let now = tx.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        metadata.insert("deletionTimestamp".into(), now.into());
        metadata.insert("deletionGracePeriodSeconds".into(), 0.into());
    }
    value
}

/// Whether nothing keeps a deleted object any more. A namespace waits for its contents as well.
pub(super) fn is_finished(reference: &ObjectReference<'_>, value: &Value) -> bool {
    let holds =
        |pointer| value.pointer(pointer).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let waits = reference.resource.is_namespace() && holds("/spec/finalizers");
    !holds("/metadata/finalizers") && !waits
}

pub(super) fn has_finalizers(value: &Value) -> bool {
    value.pointer("/metadata/finalizers").and_then(Value::as_array).is_some_and(|list| !list.is_empty())
}
