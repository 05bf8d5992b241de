//! Serializes objects in the format that the client accepts: single, in a list, or as a row of a Table. Stored
//! objects are written without a copy, so the cost of a list is the size of its text.

use domain::object::Object;
use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, json};

use crate::{
    kinds::Kind,
    request::Form,
    table::{IncludeObject, cells, definitions},
};

/// The format of the objects in one response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) kind: &'static Kind,
    pub(crate) form: Form,
    pub(crate) include: IncludeObject,
    /// The time that ages are computed for.
    pub(crate) now: Timestamp,
}

impl View {
    /// Writes one object, as a response or in a watch event. `headers` says whether a Table includes column
    /// definitions.
    pub(crate) fn object(&self, object: &Object, headers: Headers, to: &mut Vec<u8>) {
        match self.form {
            Form::Table => {
                let metadata = json!({"resourceVersion": object.revision.to_string()});
                self.table_head(&metadata, headers, to);
                self.row(object, to);
                to.extend_from_slice(LIST_END);
            }
            Form::Metadata => write(&Partial(object), to),
            Form::Object | Form::Discovery => write(&VersionedObject { object, with_type: true }, to),
        }
    }

    /// Writes the beginning of a list, up to its first item.
    pub(crate) fn list_head(&self, metadata: &Value, to: &mut Vec<u8>) {
        let (kind, api_version) = match self.form {
            Form::Table => return self.table_head(metadata, Headers::Described, to),
            Form::Metadata => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
            Form::Object | Form::Discovery => (format!("{}List", self.kind.kind), self.kind.api_version()),
        };
        to.extend_from_slice(b"{\"kind\":");
        write(&kind, to);
        to.extend_from_slice(b",\"apiVersion\":");
        write(&api_version, to);
        to.extend_from_slice(b",\"metadata\":");
        write(metadata, to);
        to.extend_from_slice(b",\"items\":[");
    }

    /// Writes one item of a list.
    pub(crate) fn item(&self, object: &Object, to: &mut Vec<u8>) {
        match self.form {
            Form::Table => self.row(object, to),
            Form::Metadata => write(&Partial(object), to),
            Form::Object | Form::Discovery => write(&VersionedObject { object, with_type: false }, to),
        }
    }

    fn table_head(&self, metadata: &Value, headers: Headers, to: &mut Vec<u8>) {
        to.extend_from_slice(b"{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":");
        write(metadata, to);
        to.extend_from_slice(b",\"columnDefinitions\":");
        match headers {
            Headers::Described => write(&definitions(self.kind), to),
            Headers::AlreadySent => write(&Value::Null, to),
        }
        to.extend_from_slice(b",\"rows\":[");
    }

    fn row(&self, object: &Object, to: &mut Vec<u8>) {
        to.extend_from_slice(b"{\"cells\":");
        write(&cells(self.kind, &object.value, self.now), to);
        match self.include {
            IncludeObject::None => {}
            IncludeObject::Metadata => {
                to.extend_from_slice(b",\"object\":");
                write(&Partial(object), to);
            }
            IncludeObject::Object => {
                to.extend_from_slice(b",\"object\":");
                write(&VersionedObject { object, with_type: true }, to);
            }
        }
        to.push(b'}');
    }
}

/// Whether a Table includes column definitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Headers {
    Described,
    /// An earlier Table of the same response had them.
    AlreadySent,
}

/// An object with its `resourceVersion`.
struct VersionedObject<'a> {
    object: &'a Object,
    /// False for list items: the list names the type.
    with_type: bool,
}

impl Serialize for VersionedObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Value::Object(members) = &*self.object.value else {
            return self.object.value.serialize(serializer);
        };
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in members {
            match name.as_str() {
                "kind" | "apiVersion" if !self.with_type => {}
                "metadata" => map.serialize_entry(name, &Metadata(self.object))?,
                _ => map.serialize_entry(name, value)?,
            }
        }
        if !members.contains_key("metadata") {
            map.serialize_entry("metadata", &Metadata(self.object))?;
        }
        map.end()
    }
}

/// The metadata alone, as a PartialObjectMetadata.
struct Partial<'a>(&'a Object);

impl Serialize for Partial<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", "PartialObjectMetadata")?;
        map.serialize_entry("apiVersion", "meta.k8s.io/v1")?;
        map.serialize_entry("metadata", &Metadata(self.0))?;
        map.end()
    }
}

struct Metadata<'a>(&'a Object);

impl Serialize for Metadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Object { revision, value, .. } = self.0;
        let nothing = Map::new();
        let members = value.get("metadata").and_then(Value::as_object).unwrap_or(&nothing);
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in members {
            // An object that is not stored (revision 0) keeps the `resourceVersion` it came with, if any.
            if name != "resourceVersion" || *revision == 0 {
                map.serialize_entry(name, value)?;
            }
        }
        if *revision > 0 {
            map.serialize_entry("resourceVersion", &revision.to_string())?;
        }
        map.end()
    }
}

/// Whether an object is large enough to be serialized on a blocking thread under a memory reservation.
pub(crate) fn is_large(value: &Value) -> bool {
    fn rest(value: &Value, left: usize) -> Option<usize> {
        match value {
            Value::String(text) => left.checked_sub(text.len() + 2),
            Value::Array(list) => list.iter().try_fold(left, |left, value| rest(value, left)),
            Value::Object(members) => members
                .iter()
                .try_fold(left, |left, (name, value)| rest(value, left.checked_sub(name.len() + 4)?)),
            Value::Null | Value::Bool(_) | Value::Number(_) => left.checked_sub(4),
        }
    }
    rest(value, LARGE).is_none()
}

/// Serialization to memory cannot fail, as all map keys are strings.
pub(crate) fn write(value: &impl Serialize, to: &mut Vec<u8>) {
    let written = serde_json::to_writer(to, value);
    debug_assert!(written.is_ok(), "JSON of plain values");
}

/// The end of a list, and of a Table.
pub(crate) const LIST_END: &[u8] = b"]}";
const LARGE: usize = 32 * 1024;

#[cfg(test)]
mod tests;
