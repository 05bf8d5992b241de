//! Field management: server-side apply, and `metadata.managedFields` for every other write.
//!
//! An apply sets the fields of its manager. Fields of other managers with a different value are conflicts unless it
//! is forced; fields that the manager applied before and now omits are removed if no other manager has them. Any
//! other write takes over the fields that it changes. The result is an object; the caller validates and stores it.

use std::collections::BTreeMap;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    schema::{FieldType, Message},
    status::{Cause, Details, Status},
};
use field_set::{FieldSet, changes};
use merge::{merge, remove};

mod field_set;
mod merge;

/// The manager of a write, as recorded in `managedFields`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager<'a> {
    pub name: &'a str,
    pub api_version: &'a str,
    /// Empty for the object itself.
    pub subresource: &'a str,
}

/// Fields of other managers that the apply would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflicts {
    pub causes: Vec<Cause>,
    pub message: String,
}

impl From<Conflicts> for Status {
    fn from(conflicts: Conflicts) -> Self {
        Self::new(StatusCode::CONFLICT, "Conflict", conflicts.message)
            .with_details(Details { causes: conflicts.causes, ..Details::default() })
    }
}

/// The object after an apply of `config` to `live` (null if there is none yet).
pub fn apply(
    live: &Value,
    config: &Value,
    message: &Message,
    manager: &Manager<'_>,
    force: bool,
    now: Timestamp,
) -> Result<Value, Conflicts> {
    let mut entries = Entries::read(live);
    let wanted = strip(FieldSet::of(config, message));
    let id = Id::new(manager, APPLY);
    let conflicts = entries.conflicts(&id, &wanted, live, config, message);
    if !conflicts.is_empty() && !force {
        return Err(describe(&conflicts, &entries));
    }
    for (other, paths) in &conflicts {
        if let Some(entry) = entries.0.get_mut(other) {
            entry.fields.subtract(paths);
            entry.time = Some(now);
        }
    }
    let mut merged = merge(live, config, &FieldType::Raw, Some(message));
    let previous = entries.0.get(&id).map(|entry| entry.fields.clone()).unwrap_or_default();
    let mut dropped = previous.clone();
    dropped.subtract(&wanted);
    let mut kept = wanted.clone();
    for (other, entry) in &entries.0 {
        if *other != id {
            kept.unite(&entry.fields);
        }
    }
    remove(&mut merged, &dropped, &kept);
    if previous != wanted {
        let time = Some(now);
        entries.0.insert(id, Entry { api_version: manager.api_version.to_owned(), time, fields: wanted });
    }
    entries.write(&mut merged);
    Ok(merged)
}

/// Updates `managedFields` of `new` after a write other than an apply. `old` is null for a create.
pub fn record_update(old: &Value, new: &mut Value, message: &Message, manager: &Manager<'_>, now: Timestamp) {
    // A client clears `managedFields` by sending an empty list.
    let cleared =
        matches!(new.pointer("/metadata/managedFields"), Some(Value::Array(list)) if list.is_empty());
    let mut entries =
        if cleared { Entries::default() } else { Entries::read(if old.is_null() { new } else { old }) };
    let (changed, removed) = changes(old, new, message);
    let (changed, removed) = (strip(changed), strip(removed));
    if !changed.is_empty() || !removed.is_empty() {
        let id = Id::new(manager, UPDATE);
        for (other, entry) in &mut entries.0 {
            entry.fields.subtract_below(&removed);
            if *other != id {
                entry.fields.subtract(&changed);
            }
        }
        if !changed.is_empty() {
            let entry = entries.0.entry(id).or_default();
            manager.api_version.clone_into(&mut entry.api_version);
            entry.time = Some(now);
            entry.fields.unite(&changed);
        }
    }
    entries.write(new);
}

/// The key of an entry of `managedFields`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Id {
    manager: String,
    operation: String,
    subresource: String,
}

impl Id {
    fn new(manager: &Manager<'_>, operation: &str) -> Self {
        Self {
            manager: manager.name.to_owned(),
            operation: operation.to_owned(),
            subresource: manager.subresource.to_owned(),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Entry {
    api_version: String,
    time: Option<Timestamp>,
    fields: FieldSet,
}

#[derive(Clone, Debug, Default)]
struct Entries(BTreeMap<Id, Entry>);

impl Entries {
    fn read(object: &Value) -> Self {
        let list = object.pointer("/metadata/managedFields").and_then(Value::as_array);
        let text = |entry: &Value, field: &str| {
            entry.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let entries = list.into_iter().flatten().map(|entry| {
            let id = Id {
                manager: text(entry, "manager"),
                operation: text(entry, "operation"),
                subresource: text(entry, "subresource"),
            };
            let fields = entry.get("fieldsV1").map(FieldSet::parse).unwrap_or_default();
            (
                id,
                Entry {
                    api_version: text(entry, "apiVersion"),
                    time: text(entry, "time").parse().ok(),
                    fields,
                },
            )
        });
        Self(entries.collect())
    }

    fn write(&self, object: &mut Value) {
        let list: Vec<Value> = self
            .0
            .iter()
            .filter(|(_, entry)| !entry.fields.is_empty())
            .map(|(id, entry)| {
                let mut written = Map::new();
                written.insert("manager".into(), id.manager.as_str().into());
                written.insert("operation".into(), id.operation.as_str().into());
                written.insert("apiVersion".into(), entry.api_version.as_str().into());
                if let Some(time) = entry.time {
                    written.insert("time".into(), time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into());
                }
                written.insert("fieldsType".into(), "FieldsV1".into());
                written.insert("fieldsV1".into(), entry.fields.to_json());
                if !id.subresource.is_empty() {
                    written.insert("subresource".into(), id.subresource.as_str().into());
                }
                Value::Object(written)
            })
            .collect();
        if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
            if list.is_empty() {
                metadata.remove("managedFields");
            } else {
                metadata.insert("managedFields".into(), list.into());
            }
        }
    }

    /// For each other manager: those of its fields in `wanted` whose value would change.
    fn conflicts(
        &self,
        own: &Id,
        wanted: &FieldSet,
        live: &Value,
        config: &Value,
        message: &Message,
    ) -> BTreeMap<Id, FieldSet> {
        let (mut changed, _) = changes(live, &merge(live, config, &FieldType::Raw, Some(message)), message);
        changed.intersect(wanted);
        self.0
            .iter()
            .filter(|(id, _)| *id != own)
            .filter_map(|(id, entry)| {
                let mut shared = entry.fields.clone();
                shared.intersect(&changed);
                (!shared.is_empty()).then(|| (id.clone(), shared))
            })
            .collect()
    }
}

fn describe(conflicts: &BTreeMap<Id, FieldSet>, entries: &Entries) -> Conflicts {
    let mut causes = Vec::new();
    let mut texts = Vec::new();
    for (id, fields) in conflicts {
        let mut name = format!("{:?}", id.manager);
        if !id.subresource.is_empty() {
            name = format!("{name} with subresource {:?}", id.subresource);
        }
        if let (UPDATE, Some(entry)) = (id.operation.as_str(), entries.0.get(id)) {
            name = format!("{name} using {}", entry.api_version);
            if let Some(time) = entry.time {
                name = format!("{name} at {}", time.strftime("%Y-%m-%dT%H:%M:%SZ"));
            }
        }
        let paths = fields.paths();
        for path in &paths {
            causes.push(Cause {
                reason: "FieldManagerConflict".into(),
                message: format!("conflict with {name}"),
                field: path.clone(),
            });
        }
        texts.push(match paths.as_slice() {
            [one] => format!("conflict with {name}: {one}"),
            many => format!("conflicts with {name}:\n- {}", many.join("\n- ")),
        });
    }
    let plural = if causes.len() == 1 { "" } else { "s" };
    let message = format!("Apply failed with {} conflict{plural}: {}", causes.len(), texts.join("\n"));
    Conflicts { causes, message }
}

/// Removes fields that have no manager: identity and server-set metadata.
fn strip(mut fields: FieldSet) -> FieldSet {
    let metadata = json!({
        "f:name": {}, "f:namespace": {}, "f:generateName": {}, "f:creationTimestamp": {}, "f:selfLink": {},
        "f:uid": {}, "f:generation": {}, "f:managedFields": {}, "f:resourceVersion": {},
        "f:deletionTimestamp": {}, "f:deletionGracePeriodSeconds": {},
    });
    let unmanaged = json!({"f:apiVersion": {}, "f:kind": {}, "f:metadata": metadata});
    fields.subtract_below(&FieldSet::parse(&unmanaged));
    fields
}

const APPLY: &str = "Apply";
const UPDATE: &str = "Update";

#[cfg(test)]
mod tests;
