//! Keys and stored forms of all records. Nobody else builds a key.
//!
//! ```text
//!   /live/access/<kind>/<id>                         decisions depend on it
//!   /live/access/object/<cluster>/<group>/<resource>/<namespace>/<name>
//!   /live/access/unfinished/<kind>/<id>              what is being made or deleted in steps
//!   /live/unique/<kind>/<name>                       taken names; not in the snapshot
//!   /live/object/<cluster>/...                       other objects of embedded clusters
//!   /cold/<kind>/<id>                                many, read by key: grants, sessions, audit
//! ```
//!
//! A stored record is `{"v":1,"<kind>":{...}}`; an older form is read and the newest written. Objects of
//! clusters are stored as their bare JSON, their place being in the key; Secrets as `{"sealed":"..."}`.

use crate::UniqueName;
use std::{fmt, sync::Arc};

use bytes::Bytes;
use domain::{
    change::{Change, Record, RecordKey},
    group::Membership,
    id::{ClusterId, Id},
    nesting,
    object::{Object, ObjectKey},
    scope::Scope,
    unreadable::Unreadable,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, value::MapAccessDeserializer},
};

use crate::{Error, Secret, sealed::Seal};

/// Everything that the snapshot follows.
pub(crate) const LIVE: &str = "/live/";
const UNIQUE: &str = "/live/unique/";
/// Records outside the snapshot, read by key.
const COLD: &str = "/cold/";
/// What decisions depend on.
pub(crate) const ACCESS: &str = "/live/access/";

#[derive(Serialize)]
struct Stored {
    v: u32,
    #[serde(flatten)]
    record: Record,
}

/// The version of a stored record alone.
#[derive(Deserialize)]
struct Form {
    v: u32,
}

/// Reads the version and then the record straight from the text. What serde derives for a flattened member would hold
/// everything in between first, which is much of a start with many records.
impl<'de> Deserialize<'de> for Stored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Stored;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("{\"v\": VERSION, \"KIND\": {...}}")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Stored, A::Error> {
                match map.next_key::<&str>()? {
                    Some("v") => {}
                    _ => return Err(de::Error::custom("expected the version first")),
                }
                let v = map.next_value()?;
                let record = Record::deserialize(MapAccessDeserializer::new(&mut map))?;
                match map.next_key::<&str>()? {
                    None => Ok(Stored { v, record }),
                    Some(more) => Err(de::Error::custom(format_args!("an unexpected member \"{more}\""))),
                }
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// The stored form of an object that is a secret, bound to its key.
#[derive(Serialize, Deserialize)]
struct Sealed {
    sealed: String,
}

pub(crate) fn key(key: &RecordKey) -> Bytes {
    let text = match key {
        RecordKey::Tenant(id) => format!("{ACCESS}tenant/{id}"),
        RecordKey::User(id) => format!("{ACCESS}user/{id}"),
        RecordKey::Group(id) => format!("{ACCESS}group/{id}"),
        RecordKey::Membership(Membership { group, member }) => format!("{ACCESS}member/{group}/{member}"),
        RecordKey::Application(id) => format!("{ACCESS}application/{id}"),
        RecordKey::ServicePrincipal(id) => format!("{ACCESS}service-principal/{id}"),
        RecordKey::ManagementGroup(name) => format!("{ACCESS}management-group/{name}"),
        RecordKey::Subscription(id) => format!("{ACCESS}subscription/{id}"),
        RecordKey::ResourceGroup(subscription, name) => {
            format!("{ACCESS}resource-group/{subscription}/{name}")
        }
        RecordKey::Resource(id) => format!("{ACCESS}resource{id}"),
        RecordKey::Role(id) => format!("{ACCESS}role/{id}"),
        RecordKey::Assignment(id) => format!("{ACCESS}assignment/{id}"),
        RecordKey::DenyAssignment(id) => format!("{ACCESS}deny-assignment/{id}"),
        RecordKey::Lock(key) => format!("{ACCESS}lock/{key}"),
        RecordKey::Cluster(id) => format!("{ACCESS}cluster/{id}"),
        RecordKey::AdminCertificate(cluster, serial) => format!("{ACCESS}certificate/{cluster}/{serial}"),
        RecordKey::SigningKey(kid) => format!("{ACCESS}signing-key/{kid}"),
        RecordKey::Unfinished(key) => format!("{ACCESS}unfinished/{key}"),
        RecordKey::Object(key) => object_place(key),
    };
    text.into()
}

/// Where a record is stored, as operators name it.
pub fn place_of(record: &RecordKey) -> String {
    place(&key(record))
}

/// The key that a unique name takes. `name` must be folded already where case does not count.
pub(crate) fn unique_key(kind: UniqueName, name: &str) -> Bytes {
    format!("{UNIQUE}{}/{name}", kind.as_str()).into()
}

/// Whether a key is that of a unique name.
pub(crate) fn is_name(key: &[u8]) -> bool {
    key.starts_with(UNIQUE.as_bytes())
}

/// The key of the unique name that a record has taken.
pub(crate) fn name_of(record: &Record) -> Option<Bytes> {
    match record {
        Record::User(user) => Some(unique_key(UniqueName::UserPrincipalName, user.upn.folded())),
        Record::Application(application) => {
            Some(unique_key(UniqueName::AppId, &application.app_id.to_string()))
        }
        Record::Cluster(cluster) => {
            let scope = Scope::parse(&cluster.resource_id()).ok()?;
            Some(unique_key(UniqueName::Cluster, scope.folded()))
        }
        _ => None,
    }
}

/// The key of a cold record.
pub(crate) fn cold_key(kind: &'static str, id: &str) -> Bytes {
    format!("{COLD}{kind}/{id}").into()
}

/// The kind of the cold record at a key; none where the key is of no cold record.
pub(crate) fn cold_kind(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key).ok()?.strip_prefix(COLD)?.split('/').next()
}

pub(crate) fn encode(record: &Record, seal: &Seal) -> Result<Bytes, Error> {
    let bytes = match record {
        Record::Object(object) if is_sealed(&object.key) => {
            let plain = Secret::new(serde_json::to_vec(&object.value).map_err(Error::internal)?);
            let place = object_place(&object.key);
            serde_json::to_vec(&Sealed { sealed: seal.seal(&place, plain.expose())? })
        }
        Record::Object(object) => serde_json::to_vec(&object.value),
        record => serde_json::to_vec(&Stored { v: 1, record: record.clone() }),
    };
    bytes.map(Bytes::from).map_err(Error::internal)
}

/// The stored form of a record that can be read again: what could not be is refused before it is committed.
pub(crate) fn encode_readable(record: &Record, key: &Bytes, seal: &Seal) -> Result<Bytes, Error> {
    let kept = match record {
        Record::Object(object) => {
            // Of JSON as it is, depth is all that the parser refuses: no need to read all of it again.
            if let Some(place) = nesting::beyond(&object.value, nesting::DEEPEST_STORED) {
                return Err(too_deep(&place));
            }
            let bytes = encode(record, seal)?;
            let ending = object.value.pointer("/metadata/deletionTimestamp").is_some();
            // What is sealed counts as it was before.
            let counted = if is_sealed(&object.key) { bytes.len() / 4 * 3 } else { bytes.len() };
            check_size("an object", counted, if ending { MOST_BYTES + ENDING_BYTES } else { MOST_BYTES })?;
            return Ok(bytes);
        }
        record => encode(record, seal)?,
    };
    check_size("a record", kept.len(), MOST_BYTES)?;
    match decode(key, Some(&kept), 0, seal) {
        Ok(Some(Change::Put(read))) if read.key() == record.key() => Ok(kept),
        Ok(_) => Err(Error::Internal(format!("{} is read as another record", key.escape_ascii()))),
        Err(problem) => {
            let value = serde_json::to_value(record).map_err(Error::internal)?;
            match nesting::beyond(&value, nesting::DEEPEST_STORED) {
                Some(place) => Err(too_deep(&place)),
                None => Err(damaged(key, problem)),
            }
        }
    }
}

/// What an event of the live records says.
pub(crate) enum DecodedEvent {
    Change(Change),
    /// Of a key that the snapshot does not hold.
    Nothing,
    /// It cannot be read.
    Unreadable(Unreadable),
}

pub(crate) fn read(key: &[u8], value: Option<&[u8]>, revision: u64, seal: &Seal) -> DecodedEvent {
    match decode(key, value, revision, seal) {
        Ok(Some(change)) => DecodedEvent::Change(change),
        Ok(None) => DecodedEvent::Nothing,
        Err(problem) => match value {
            Some(text) => {
                DecodedEvent::Unreadable(Unreadable::new(&place(key), known_key(key), text, problem))
            }
            // Whatever it was, it is gone.
            None => DecodedEvent::Nothing,
        },
    }
}

/// The key of a stored record as a text.
pub(crate) fn place(key: &[u8]) -> String {
    match std::str::from_utf8(key) {
        Ok(text) => text.to_owned(),
        Err(_) => key.escape_ascii().to_string(),
    }
}

/// Whether the stored form of an object was sealed by an earlier key; never of one that is not sealed.
pub(crate) fn is_outdated(value: &[u8], key: &ObjectKey, seal: &Seal) -> bool {
    is_sealed(key) && serde_json::from_slice(value).is_ok_and(|Sealed { sealed }| seal.is_outdated(&sealed))
}

/// Reads one event of the live records. `None`: a key that the snapshot does not hold. The error says why the record
/// cannot be read.
pub(crate) fn decode(
    key: &[u8],
    value: Option<&[u8]>,
    revision: u64,
    seal: &Seal,
) -> Result<Option<Change>, String> {
    let text = std::str::from_utf8(key).map_err(|_| "the key is not UTF-8")?;
    if let Some(place) = text.strip_prefix(ACCESS_OBJECT).or_else(|| text.strip_prefix(PLAIN_OBJECT)) {
        let object_key = parse_object_key(place).ok_or("not an object's key")?;
        let Some(value) = value else { return Ok(Some(Change::Delete(RecordKey::Object(object_key)))) };
        let value = match is_sealed(&object_key) {
            true => {
                let Sealed { sealed } = serde_json::from_slice(value).map_err(|error| error.to_string())?;
                let plain =
                    seal.open(&object_place(&object_key), &sealed).map_err(|error| error.to_string())?;
                serde_json::from_slice(plain.expose())
            }
            false => serde_json::from_slice(value),
        };
        let value = value.map_err(|error| error.to_string())?;
        let object = Object { key: object_key, revision, value: Arc::new(value) };
        return Ok(Some(Change::Put(Record::Object(object))));
    }
    let Some(place) = text.strip_prefix(ACCESS) else { return Ok(None) };
    let Some(value) = value else {
        return Ok(Some(Change::Delete(parse_record_key(place).ok_or("an unknown kind of record")?)));
    };
    let newer = |v: u32| format!("stored form {v} is newer than this program");
    let stored: Stored =
        serde_json::from_slice(value).map_err(|error| match serde_json::from_slice(value) {
            // What a later release writes may be of no kind that is known here.
            Ok(Form { v }) if v > 1 => newer(v),
            _ => error.to_string(),
        })?;
    if stored.v != 1 {
        return Err(newer(stored.v));
    }
    Ok(Some(Change::Put(stored.record)))
}

/// The record that a key stands for, whatever is stored there.
fn known_key(key: &[u8]) -> Option<RecordKey> {
    let text = std::str::from_utf8(key).ok()?;
    match text.strip_prefix(ACCESS_OBJECT).or_else(|| text.strip_prefix(PLAIN_OBJECT)) {
        Some(place) => parse_object_key(place).map(RecordKey::Object),
        None => parse_record_key(text.strip_prefix(ACCESS)?),
    }
}

fn check_size(kind: &'static str, bytes: usize, most: usize) -> Result<(), Error> {
    if bytes > most { Err(Error::TooLarge { kind, bytes, most }) } else { Ok(()) }
}

fn too_deep(place: &str) -> Error {
    Error::invalid("", format!("nested deeper than {} levels at {place}", nesting::DEEPEST_STORED))
}

fn object_place(key: &ObjectKey) -> String {
    let prefix = if key.bears_on_access() { ACCESS_OBJECT } else { PLAIN_OBJECT };
    format!("{prefix}{}/{}/{}/{}/{}", key.cluster, key.group, key.resource, key.namespace, key.name)
}

/// Kubernetes Secrets hold tokens and passwords.
fn is_sealed(key: &ObjectKey) -> bool {
    key.group.is_empty() && &*key.resource == "secrets"
}

fn parse_object_key(place: &str) -> Option<ObjectKey> {
    let mut parts = place.splitn(5, '/');
    let cluster = ClusterId::parse(parts.next()?).ok()?;
    Some(ObjectKey::new(cluster, parts.next()?, parts.next()?, parts.next()?, parts.next()?))
}

fn parse_record_key(place: &str) -> Option<RecordKey> {
    let (kind, id) = place.split_once('/')?;
    if kind == "resource" {
        // The id of a resource begins with the slash itself.
        return Some(RecordKey::Resource(format!("/{id}")));
    }
    fn parse<K>(id: &str) -> Option<Id<K>> {
        Id::parse(id).ok()
    }
    Some(match kind {
        "tenant" => RecordKey::Tenant(parse(id)?),
        "user" => RecordKey::User(parse(id)?),
        "group" => RecordKey::Group(parse(id)?),
        "member" => {
            let (group, member) = id.split_once('/')?;
            RecordKey::Membership(Membership { group: parse(group)?, member: parse(member)? })
        }
        "application" => RecordKey::Application(parse(id)?),
        "service-principal" => RecordKey::ServicePrincipal(parse(id)?),
        "management-group" => RecordKey::ManagementGroup(id.to_owned()),
        "subscription" => RecordKey::Subscription(parse(id)?),
        "resource-group" => {
            let (subscription, name) = id.split_once('/')?;
            RecordKey::ResourceGroup(parse(subscription)?, name.to_owned())
        }
        "role" => RecordKey::Role(parse(id)?),
        "assignment" => RecordKey::Assignment(parse(id)?),
        "deny-assignment" => RecordKey::DenyAssignment(parse(id)?),
        "lock" => RecordKey::Lock(id.to_owned()),
        "cluster" => RecordKey::Cluster(parse(id)?),
        "certificate" => {
            let (cluster, serial) = id.split_once('/')?;
            RecordKey::AdminCertificate(parse(cluster)?, serial.to_owned())
        }
        "signing-key" => RecordKey::SigningKey(id.to_owned()),
        "unfinished" => RecordKey::Unfinished(id.to_owned()),
        _ => return None,
    })
}

fn damaged(key: &[u8], problem: impl ToString) -> Error {
    Error::Internal(format!("stored record {} cannot be read: {}", key.escape_ascii(), problem.to_string()))
}

/// Of one record: what etcd takes at its default limits, and room beside it.
pub(crate) const MOST_BYTES: usize = 1_536 * 1024 - ENDING_BYTES;
/// So much more for an object that ends and says so: what could be made can be deleted.
const ENDING_BYTES: usize = 16 * 1024;
const ACCESS_OBJECT: &str = "/live/access/object/";
const PLAIN_OBJECT: &str = "/live/object/";

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
