//! The schema of the API's messages: one table, used by protobuf decoding, field checks, patches, apply and the
//! OpenAPI documents.
//!
//! With it a new kind is a row and its messages, not code. The data is in `schema/messages.txt`; this file parses it.
//! It does not handle values: see `protobuf`, `fields`, `patch`.

use std::{collections::HashMap, sync::LazyLock};

/// Every message, by name.
#[derive(Debug)]
pub struct Schema {
    messages: Vec<Message>,
    by_name: HashMap<&'static str, MessageId>,
}

/// The index of a message in the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageId(usize);

#[derive(Debug)]
pub struct Message {
    /// As in `core.v1.Pod`.
    pub name: &'static str,
    /// The protobuf fields, in their order; an inline message is one field here.
    pub fields: Vec<Field>,
    /// The JSON fields: fields of inline messages instead of the inline message.
    json: HashMap<&'static str, Field>,
}

#[derive(Clone, Debug)]
pub struct Field {
    pub number: u32,
    pub name: &'static str,
    pub kind: FieldType,
    /// A pointer in Go: an empty scalar is kept when protobuf becomes JSON; otherwise it is dropped.
    pub pointer: bool,
    /// A value with `omitempty` in Go: an empty message is dropped; otherwise it is kept.
    pub value: bool,
    pub inline: bool,
    pub patch: PatchStrategy,
    pub list: ListType,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldType {
    String,
    Bool,
    Int32,
    Int64,
    Double,
    Bytes,
    Quantity,
    Time,
    MicroTime,
    IntOrString,
    /// Any JSON, as bytes in protobuf.
    Raw,
    /// A field set of server-side apply, JSON as bytes in protobuf.
    Fields,
    /// As `authentication.v1.ExtraValue`: a message around a list of strings in protobuf, a plain list in JSON.
    Strings,
    Message(MessageId),
    List(Box<FieldType>),
    Map(Box<FieldType>),
}

/// How a strategic merge patch treats the field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PatchStrategy {
    /// Lists are merged instead of replaced: objects by this key; with an empty key, scalars as a set.
    pub merge: Option<&'static str>,
    pub retain_keys: bool,
}

/// How server-side apply treats a list, map or message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ListType {
    /// Lists: atomic. Maps and messages: field by field.
    #[default]
    Unmarked,
    Atomic,
    Set,
    Keys(Vec<&'static str>),
}

/// The schema of this program.
pub fn schema() -> &'static Schema {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::parse(MESSAGES));
    &SCHEMA
}

impl Schema {
    pub fn find(&self, name: &str) -> Option<&Message> {
        self.by_name.get(name).and_then(|id| self.messages.get(id.0))
    }

    pub fn id(&self, name: &str) -> Option<MessageId> {
        self.by_name.get(name).copied()
    }

    pub fn message(&self, id: MessageId) -> &Message {
        self.messages.get(id.0).unwrap_or(&EMPTY)
    }

    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    fn parse(text: &'static str) -> Self {
        let lines = || text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let by_name: HashMap<&'static str, MessageId> = lines()
            .filter(|line| !line.starts_with(' '))
            .enumerate()
            .map(|(index, name)| (name, MessageId(index)))
            .collect();
        let mut messages: Vec<Message> = Vec::with_capacity(by_name.len());
        for line in lines() {
            match line.strip_prefix(' ') {
                None => messages.push(Message { name: line, fields: Vec::new(), json: HashMap::new() }),
                Some(field) => {
                    if let (Some(message), Some(field)) = (messages.last_mut(), parse_field(field, &by_name))
                    {
                        message.fields.push(field);
                    }
                }
            }
        }
        let views: Vec<_> = messages.iter().map(|message| flatten(message, &messages)).collect();
        for (message, view) in messages.iter_mut().zip(views) {
            message.json = view;
        }
        Self { messages, by_name }
    }
}

impl Message {
    /// The field of this name in JSON.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.json.get(name)
    }

    /// The fields as JSON has them, by name.
    pub fn json_fields(&self) -> Vec<&Field> {
        let mut fields: Vec<_> = self.json.values().collect();
        fields.sort_unstable_by_key(|field| field.name);
        fields
    }

    /// As in `Pod`, without group and version.
    pub fn short_name(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }
}

fn flatten(message: &Message, messages: &[Message]) -> HashMap<&'static str, Field> {
    let mut view = HashMap::with_capacity(message.fields.len());
    for field in &message.fields {
        match &field.kind {
            FieldType::Message(id) if field.inline => {
                if let Some(inner) = messages.get(id.0) {
                    view.extend(flatten(inner, messages));
                }
            }
            _ => {
                view.insert(field.name, field.clone());
            }
        }
    }
    view
}

fn parse_field(line: &'static str, by_name: &HashMap<&'static str, MessageId>) -> Option<Field> {
    let mut words = line.split(' ');
    let number = words.next()?.parse().ok()?;
    let name = words.next()?;
    let kind = match words.next()? {
        "map" => FieldType::Map(Box::new(parse_type(words.next()?, by_name)?)),
        word => parse_type(word, by_name)?,
    };
    let mut field = Field {
        number,
        name,
        kind,
        pointer: false,
        value: false,
        inline: false,
        patch: PatchStrategy::default(),
        list: ListType::Unmarked,
    };
    for flag in words {
        match flag.split_once('=') {
            None if flag == "pointer" => field.pointer = true,
            None if flag == "value" => field.value = true,
            None if flag == "inline" => field.inline = true,
            None if flag == "atomic" => field.list = ListType::Atomic,
            None if flag == "set" => field.list = ListType::Set,
            Some(("keys", keys)) => field.list = ListType::Keys(keys.split(',').collect()),
            Some(("patch", strategy)) => {
                let (strategies, key) = strategy.split_once(':').unwrap_or((strategy, ""));
                field.patch.retain_keys = strategies.contains("retainKeys");
                field.patch.merge = strategies.contains("merge").then_some(key);
            }
            _ => return None,
        }
    }
    Some(field)
}

fn parse_type(word: &'static str, by_name: &HashMap<&'static str, MessageId>) -> Option<FieldType> {
    if let Some(inner) = word.strip_prefix("[]") {
        return Some(FieldType::List(Box::new(parse_type(inner, by_name)?)));
    }
    Some(match word {
        "string" => FieldType::String,
        "bool" => FieldType::Bool,
        "int32" => FieldType::Int32,
        "int64" => FieldType::Int64,
        "double" => FieldType::Double,
        "bytes" => FieldType::Bytes,
        "quantity" => FieldType::Quantity,
        "time" => FieldType::Time,
        "microtime" => FieldType::MicroTime,
        "intorstring" => FieldType::IntOrString,
        "raw" => FieldType::Raw,
        "fields" => FieldType::Fields,
        "strings" => FieldType::Strings,
        name => FieldType::Message(*by_name.get(name)?),
    })
}

const MESSAGES: &str = include_str!("schema/messages.txt");

static EMPTY: LazyLock<Message> =
    LazyLock::new(|| Message { name: "", fields: Vec::new(), json: HashMap::new() });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_understood() {
        let schema = schema();
        let fields = MESSAGES.lines().filter(|line| line.starts_with(' ')).count();
        assert_eq!(schema.messages.iter().map(|message| message.fields.len()).sum::<usize>(), fields);
        for message in &schema.messages {
            let mut numbers: Vec<_> = message.fields.iter().map(|field| field.number).collect();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), message.fields.len(), "{} uses a number twice", message.name);
        }
    }

    #[test]
    fn inline_fields_stand_in_the_outer_message() {
        let volume = schema().find("core.v1.Volume").unwrap();
        assert!(volume.field("emptyDir").is_some());
        assert!(volume.field("volumeSource").is_none());
        let probe = schema().find("core.v1.Probe").unwrap();
        assert!(probe.field("httpGet").is_some());
        assert_eq!(
            schema().find("core.v1.PodSpec").unwrap().field("containers").unwrap().patch.merge,
            Some("name")
        );
    }
}
