//! Decodes request bodies in the Kubernetes protobuf encoding to the JSON form of the same object.
//!
//! kubectl's typed commands send only protobuf, without fallback, so a server must read it; responses are JSON, which
//! these clients accept. The decoder is generic and driven by `schema`. It does not write protobuf and does not
//! validate values; defaults and validation follow.
//!
//! ```text
//! 6b 38 73 00 | Unknown { 1: TypeMeta { 1: apiVersion, 2: kind }, 2: bytes of the object, .. }
//! ```
//!
//! The JSON form is what a Go server would produce: empty scalars are dropped unless the field is a pointer; list
//! elements and map values are always kept.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::schema::{Field, FieldType, Message, schema};

/// An object with the type that its envelope names.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    pub api_version: String,
    pub kind: String,
    /// With `apiVersion` and `kind`.
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    #[error("the body does not begin with the four bytes of the Kubernetes protobuf envelope")]
    Envelope,
    #[error("the body ends in the middle of {0}")]
    Truncated(&'static str),
    #[error("{0} is malformed")]
    Malformed(&'static str),
    #[error("a field has a wire type that is not expected there")]
    WireType,
    #[error("messages are nested deeper than {MAXIMUM_DEPTH}")]
    Depth,
    #[error("the object has more than {MAXIMUM_ELEMENTS} elements")]
    Elements,
    #[error("content encoding {0:?} is not supported")]
    ContentEncoding(String),
    #[error("no message is known for kind {kind:?} of {api_version:?}")]
    UnknownKind { api_version: String, kind: String },
}

/// Decodes a body; `message` names the message of a type (`apiVersion`, `kind`), if it is served.
pub fn decode(
    body: &[u8],
    message: impl FnOnce(&str, &str) -> Option<&'static Message>,
) -> Result<Decoded, DecodeError> {
    let mut envelope = Reader::new(body.strip_prefix(MAGIC).ok_or(DecodeError::Envelope)?);
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    while let Some((number, wire)) = envelope.tag()? {
        match (number, wire) {
            (1, Wire::Bytes) => (api_version, kind) = type_meta(envelope.bytes()?)?,
            (2, Wire::Bytes) => raw = envelope.bytes()?,
            (3, Wire::Bytes) => {
                let encoding = text(envelope.bytes()?)?;
                if !encoding.is_empty() {
                    return Err(DecodeError::ContentEncoding(encoding));
                }
            }
            (_, wire) => envelope.skip(wire)?,
        }
    }
    let Some(message) = message(&api_version, &kind) else {
        return Err(DecodeError::UnknownKind { api_version, kind });
    };
    let mut budget = Budget { depth: 0, elements: 0 };
    let mut object = decode_message(raw, message, &mut budget)?;
    object.insert("apiVersion".into(), Value::String(api_version.clone()));
    object.insert("kind".into(), Value::String(kind.clone()));
    Ok(Decoded { api_version, kind, value: Value::Object(object) })
}

fn type_meta(bytes: &[u8]) -> Result<(String, String), DecodeError> {
    let mut reader = Reader::new(bytes);
    let (mut api_version, mut kind) = (String::new(), String::new());
    while let Some((number, wire)) = reader.tag()? {
        match (number, wire) {
            (1, Wire::Bytes) => api_version = text(reader.bytes()?)?,
            (2, Wire::Bytes) => kind = text(reader.bytes()?)?,
            (_, wire) => reader.skip(wire)?,
        }
    }
    Ok((api_version, kind))
}

fn decode_message(
    bytes: &[u8],
    message: &Message,
    budget: &mut Budget,
) -> Result<Map<String, Value>, DecodeError> {
    budget.enter()?;
    let mut object = Map::new();
    let mut reader = Reader::new(bytes);
    while let Some((number, wire)) = reader.tag()? {
        let Some(field) = message.fields.iter().find(|field| field.number == number) else {
            reader.skip(wire)?;
            continue;
        };
        budget.element()?;
        match &field.kind {
            FieldType::List(element) => {
                decode_element(&mut reader, wire, field, element, &mut object, budget)?
            }
            FieldType::Map(value) => decode_entry(&mut reader, wire, field, value, &mut object, budget)?,
            FieldType::Message(id) if field.inline => {
                let inner = decode_message(reader.expect_bytes(wire)?, schema().message(*id), budget)?;
                object.extend(inner);
            }
            kind => match decode_value(&mut reader, wire, kind, budget)? {
                Some(value) if is_kept(&value, field) => {
                    object.insert(field.name.to_owned(), value);
                }
                // The last value of a field wins (protobuf's rule), also if it is empty.
                _ => {
                    object.remove(field.name);
                }
            },
        }
    }
    budget.leave();
    Ok(object)
}

fn is_kept(value: &Value, field: &Field) -> bool {
    match (value, &field.kind) {
        (Value::Object(object), FieldType::Message(_)) => !(field.value && object.is_empty()),
        (Value::String(text), FieldType::String | FieldType::Bytes) => field.pointer || !text.is_empty(),
        (Value::Bool(truth), _) => field.pointer || *truth,
        (Value::Number(number), FieldType::Int32 | FieldType::Int64 | FieldType::Double) => {
            field.pointer || number.as_f64() != Some(0.0)
        }
        _ => true,
    }
}

fn decode_element(
    reader: &mut Reader<'_>,
    wire: Wire,
    field: &Field,
    element: &FieldType,
    object: &mut Map<String, Value>,
    budget: &mut Budget,
) -> Result<(), DecodeError> {
    let packed = wire == Wire::Bytes
        && matches!(element, FieldType::Int32 | FieldType::Int64 | FieldType::Bool | FieldType::Double);
    let mut decoded = Vec::new();
    if packed {
        let mut inner = Reader::new(reader.bytes()?);
        let wire = if *element == FieldType::Double { Wire::Fixed64 } else { Wire::Varint };
        while !inner.rest.is_empty() {
            budget.element()?;
            decoded.extend(decode_value(&mut inner, wire, element, budget)?);
        }
    } else {
        decoded.push(decode_value(reader, wire, element, budget)?.unwrap_or(Value::Null));
    }
    let list = object.entry(field.name).or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(list) = list {
        list.append(&mut decoded);
    }
    Ok(())
}

fn decode_entry(
    reader: &mut Reader<'_>,
    wire: Wire,
    field: &Field,
    kind: &FieldType,
    object: &mut Map<String, Value>,
    budget: &mut Budget,
) -> Result<(), DecodeError> {
    let mut entry = Reader::new(reader.expect_bytes(wire)?);
    let (mut key, mut value) = (String::new(), None);
    while let Some((number, wire)) = entry.tag()? {
        match (number, wire) {
            (1, Wire::Bytes) => key = text(entry.bytes()?)?,
            (2, wire) => value = decode_value(&mut entry, wire, kind, budget)?,
            (_, wire) => entry.skip(wire)?,
        }
    }
    let value = match (value, kind) {
        (Some(value), _) => value,
        (None, FieldType::String | FieldType::Bytes) => Value::String(String::new()),
        (None, FieldType::Quantity) => Value::String("0".into()),
        (None, FieldType::Strings | FieldType::List(_)) => Value::Array(Vec::new()),
        (None, FieldType::Bool) => Value::Bool(false),
        (None, FieldType::Int32 | FieldType::Int64 | FieldType::Double) => Value::from(0),
        (None, _) => Value::Object(Map::new()),
    };
    let map = object.entry(field.name).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(map) = map {
        map.insert(key, value);
    }
    Ok(())
}

/// `None`: a time that is not set.
fn decode_value(
    reader: &mut Reader<'_>,
    wire: Wire,
    kind: &FieldType,
    budget: &mut Budget,
) -> Result<Option<Value>, DecodeError> {
    Ok(Some(match kind {
        FieldType::String => Value::String(text(reader.expect_bytes(wire)?)?),
        FieldType::Bool => Value::Bool(reader.expect_varint(wire)? != 0),
        FieldType::Int32 | FieldType::Int64 => Value::from(reader.expect_varint(wire)?.cast_signed()),
        FieldType::Double => Value::from(f64::from_bits(reader.expect_fixed64(wire)?)),
        FieldType::Bytes => Value::String(STANDARD.encode(reader.expect_bytes(wire)?)),
        FieldType::Quantity => Value::String(string_field(reader.expect_bytes(wire)?, 1)?),
        FieldType::Time => return timestamp(reader.expect_bytes(wire)?, Precision::Seconds),
        FieldType::MicroTime => return timestamp(reader.expect_bytes(wire)?, Precision::Microseconds),
        FieldType::IntOrString => int_or_string(reader.expect_bytes(wire)?)?,
        FieldType::Raw | FieldType::Fields => {
            let json = bytes_field(reader.expect_bytes(wire)?, 1)?;
            if json.is_empty() {
                return Ok(None);
            }
            serde_json::from_slice(json).map_err(|_| DecodeError::Malformed("JSON inside the object"))?
        }
        FieldType::Strings => strings(reader.expect_bytes(wire)?, budget)?,
        FieldType::Message(id) => {
            Value::Object(decode_message(reader.expect_bytes(wire)?, schema().message(*id), budget)?)
        }
        FieldType::List(_) | FieldType::Map(_) => return Err(DecodeError::WireType),
    }))
}

fn strings(bytes: &[u8], budget: &mut Budget) -> Result<Value, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut list = Vec::new();
    while let Some((number, wire)) = reader.tag()? {
        budget.element()?;
        match (number, wire) {
            (1, Wire::Bytes) => list.push(Value::String(text(reader.bytes()?)?)),
            (_, wire) => reader.skip(wire)?,
        }
    }
    Ok(Value::Array(list))
}

fn bytes_field(bytes: &[u8], wanted: u32) -> Result<&[u8], DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut found = &[][..];
    while let Some((number, wire)) = reader.tag()? {
        match wire {
            Wire::Bytes if number == wanted => found = reader.bytes()?,
            wire => reader.skip(wire)?,
        }
    }
    Ok(found)
}

fn string_field(bytes: &[u8], wanted: u32) -> Result<String, DecodeError> {
    text(bytes_field(bytes, wanted)?)
}

/// `IntOrString { 1: type (0 = number), 2: number, 3: string }`.
fn int_or_string(bytes: &[u8]) -> Result<Value, DecodeError> {
    let mut reader = Reader::new(bytes);
    let (mut is_string, mut number, mut string) = (false, 0, String::new());
    while let Some((field, wire)) = reader.tag()? {
        match (field, wire) {
            (1, Wire::Varint) => is_string = reader.varint()? == 1,
            (2, Wire::Varint) => number = reader.varint()?.cast_signed(),
            (3, Wire::Bytes) => string = text(reader.bytes()?)?,
            (_, wire) => reader.skip(wire)?,
        }
    }
    Ok(if is_string { Value::String(string) } else { Value::from(number) })
}

enum Precision {
    Seconds,
    Microseconds,
}

/// `Time { 1: seconds, 2: nanoseconds }`; an empty message is a time that is not set.
fn timestamp(bytes: &[u8], precision: Precision) -> Result<Option<Value>, DecodeError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut reader = Reader::new(bytes);
    let (mut seconds, mut nanoseconds) = (0_i64, 0_i64);
    while let Some((number, wire)) = reader.tag()? {
        match (number, wire) {
            (1, Wire::Varint) => seconds = reader.varint()?.cast_signed(),
            (2, Wire::Varint) => nanoseconds = reader.varint()?.cast_signed(),
            (_, wire) => reader.skip(wire)?,
        }
    }
    let nanoseconds = i32::try_from(nanoseconds).map_err(|_| DecodeError::Malformed("a time"))?;
    let nanoseconds = if matches!(precision, Precision::Seconds) { 0 } else { nanoseconds };
    let time = jiff::Timestamp::new(seconds, nanoseconds).map_err(|_| DecodeError::Malformed("a time"))?;
    Ok(Some(Value::String(match precision {
        Precision::Seconds => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Precision::Microseconds => time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
    })))
}

fn text(bytes: &[u8]) -> Result<String, DecodeError> {
    // Go accepts any bytes and replaces invalid UTF-8 in JSON; refusing is safer, because access decisions depend on
    // names.
    String::from_utf8(bytes.to_vec()).map_err(|_| DecodeError::Malformed("a string"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Varint,
    Fixed64,
    Bytes,
    Fixed32,
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next field, or the end.
    fn tag(&mut self) -> Result<Option<(u32, Wire)>, DecodeError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| DecodeError::Malformed("a field number"))?;
        if number == 0 {
            return Err(DecodeError::Malformed("a field number"));
        }
        let wire = match tag & 7 {
            0 => Wire::Varint,
            1 => Wire::Fixed64,
            2 => Wire::Bytes,
            5 => Wire::Fixed32,
            // Groups (3 and 4) are not part of the Kubernetes encoding.
            _ => return Err(DecodeError::WireType),
        };
        Ok(Some((number, wire)))
    }

    fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(DecodeError::Truncated("a number"))?;
            self.rest = rest;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Malformed("a number"))
    }

    fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(self.varint()?).map_err(|_| DecodeError::Truncated("a field"))?;
        self.take(length)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated("a field"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn fixed64(&mut self) -> Result<u64, DecodeError> {
        let bytes = self.take(8)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn skip(&mut self, wire: Wire) -> Result<(), DecodeError> {
        match wire {
            Wire::Varint => self.varint().map(drop),
            Wire::Fixed64 => self.take(8).map(drop),
            Wire::Bytes => self.bytes().map(drop),
            Wire::Fixed32 => self.take(4).map(drop),
        }
    }

    fn expect_bytes(&mut self, wire: Wire) -> Result<&'a [u8], DecodeError> {
        if wire == Wire::Bytes { self.bytes() } else { Err(DecodeError::WireType) }
    }

    fn expect_varint(&mut self, wire: Wire) -> Result<u64, DecodeError> {
        if wire == Wire::Varint { self.varint() } else { Err(DecodeError::WireType) }
    }

    fn expect_fixed64(&mut self, wire: Wire) -> Result<u64, DecodeError> {
        if wire == Wire::Fixed64 { self.fixed64() } else { Err(DecodeError::WireType) }
    }
}

/// The limits for decoding one body.
struct Budget {
    depth: usize,
    elements: usize,
}

impl Budget {
    fn enter(&mut self) -> Result<(), DecodeError> {
        self.depth += 1;
        if self.depth > MAXIMUM_DEPTH { Err(DecodeError::Depth) } else { Ok(()) }
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    fn element(&mut self) -> Result<(), DecodeError> {
        self.elements += 1;
        if self.elements > MAXIMUM_ELEMENTS { Err(DecodeError::Elements) } else { Ok(()) }
    }
}

/// The prefix of every body in this encoding.
pub const MAGIC: &[u8] = b"k8s\0";
const MAXIMUM_DEPTH: usize = 64;
const MAXIMUM_ELEMENTS: usize = 200_000;

#[cfg(test)]
mod tests;
