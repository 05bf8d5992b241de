//! Field sets in the format of `fieldsV1`: a tree with steps `f:<field>`, `k:<key of an item as JSON>` and `v:<scalar
//! item as JSON>`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::schema::{Field, FieldType, ListType, Message, schema};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSet {
    /// Whether this field itself is in the set; its children have their own flag.
    pub(super) own: bool,
    pub(super) children: BTreeMap<String, FieldSet>,
}

impl FieldSet {
    pub(super) fn parse(value: &Value) -> Self {
        match value {
            Value::Object(object) if !object.is_empty() => Self {
                own: object.contains_key("."),
                children: object
                    .iter()
                    .filter(|(step, _)| *step != ".")
                    .map(|(step, inner)| (step.clone(), Self::parse(inner)))
                    .collect(),
            },
            _ => Self::leaf(),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut object = Map::new();
        if self.own && !self.children.is_empty() {
            object.insert(".".into(), Value::Object(Map::new()));
        }
        object.extend(self.children.iter().map(|(step, inner)| (step.clone(), inner.to_json())));
        Value::Object(object)
    }

    /// Every field that the object sets.
    pub(super) fn of(value: &Value, message: &Message) -> Self {
        let mut set = Self::default();
        for (name, inner) in value.as_object().into_iter().flatten() {
            let below = message
                .field(name)
                .map_or_else(Self::leaf, |field| of_value(inner, &field.kind, &field.list));
            set.children.insert(format!("f:{name}"), below);
        }
        set
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.own && self.children.values().all(Self::is_empty)
    }

    pub(super) fn unite(&mut self, other: &Self) {
        self.own |= other.own;
        for (step, inner) in &other.children {
            self.children.entry(step.clone()).or_default().unite(inner);
        }
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        self.own &= !other.own;
        for (step, inner) in &other.children {
            if let Some(child) = self.children.get_mut(step) {
                child.subtract(inner);
            }
        }
        self.children.retain(|_, child| !child.is_empty());
    }

    /// Subtracts each field of `other` with all its children.
    pub(super) fn subtract_below(&mut self, other: &Self) {
        for (step, inner) in &other.children {
            if inner.own {
                self.children.remove(step);
            } else if let Some(child) = self.children.get_mut(step) {
                child.subtract_below(inner);
            }
        }
        self.children.retain(|_, child| !child.is_empty());
    }

    pub(super) fn intersect(&mut self, other: &Self) {
        self.own &= other.own;
        self.children.retain(|step, child| {
            other.children.get(step).is_some_and(|inner| {
                child.intersect(inner);
                !child.is_empty()
            })
        });
    }

    /// The fields as readable paths: `.spec.containers[name="c"].image`.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect(String::new(), &mut paths);
        paths
    }

    fn collect(&self, path: String, paths: &mut Vec<String>) {
        for (step, inner) in &self.children {
            let printed = match step.split_once(':') {
                Some(("f", name)) => format!("{path}.{name}"),
                Some(("v", value)) => format!("{path}[={value}]"),
                Some(("k", key)) => format!("{path}[{}]", print_key(key)),
                _ => format!("{path}[{step}]"),
            };
            inner.collect(printed, paths);
        }
        if self.own {
            paths.push(path);
        }
    }

    fn leaf() -> Self {
        Self { own: true, children: BTreeMap::new() }
    }
}

/// The fields that `new` adds or changes compared with `old`, and those that it removes. Null counts as absent.
pub(super) fn changes(old: &Value, new: &Value, message: &Message) -> (FieldSet, FieldSet) {
    let (mut changed, mut removed) = (FieldSet::default(), FieldSet::default());
    compare_message(old, new, message, &mut changed, &mut removed);
    (changed, removed)
}

/// The step of an item in a list map.
pub(super) fn key_step(item: &Value, keys: &[&str]) -> String {
    let key: BTreeMap<&str, Value> = keys
        .iter()
        .map(|key| {
            // The only key with a default: the protocol of a port is TCP.
            let value = item.get(key).cloned();
            (*key, value.unwrap_or_else(|| if *key == "protocol" { "TCP".into() } else { Value::Null }))
        })
        .collect();
    format!("k:{}", serde_json::to_string(&key).unwrap_or_default())
}

fn of_value(value: &Value, kind: &FieldType, list: &ListType) -> FieldSet {
    match (kind, list, value) {
        (_, ListType::Atomic, _) => FieldSet::leaf(),
        (FieldType::Message(id), _, Value::Object(object)) if !object.is_empty() => {
            FieldSet::of(value, schema().message(*id))
        }
        (FieldType::Map(inner), _, Value::Object(object)) if !object.is_empty() => {
            let mut set = FieldSet::default();
            for (name, item) in object {
                let mut below = of_value(item, inner, &ListType::Unmarked);
                below.own = true;
                set.children.insert(format!("f:{name}"), below);
            }
            set
        }
        (FieldType::List(element), ListType::Keys(keys), Value::Array(items)) if !items.is_empty() => {
            let mut set = FieldSet::default();
            for item in items {
                let mut below = of_value(item, element, &ListType::Unmarked);
                below.own = true;
                set.children.insert(key_step(item, keys), below);
            }
            set
        }
        (FieldType::List(_), ListType::Set, Value::Array(items)) if !items.is_empty() => {
            let mut set = FieldSet::default();
            for item in items {
                set.children.insert(format!("v:{item}"), FieldSet::leaf());
            }
            set
        }
        _ => FieldSet::leaf(),
    }
}

fn compare_message(
    old: &Value,
    new: &Value,
    message: &Message,
    changed: &mut FieldSet,
    removed: &mut FieldSet,
) {
    let none = Value::Null;
    for name in names(old, new) {
        let (before, after) = (old.get(name).unwrap_or(&none), new.get(name).unwrap_or(&none));
        let step = format!("f:{name}");
        match message.field(name) {
            Some(field) => compare_field(before, after, field, step, changed, removed),
            None => compare_leaf(before, after, step, changed, removed),
        }
    }
}

fn compare_field(
    old: &Value,
    new: &Value,
    field: &Field,
    step: String,
    changed: &mut FieldSet,
    removed: &mut FieldSet,
) {
    let is_container = matches!(&field.kind, FieldType::Map(_))
        || matches!(&field.kind, FieldType::Message(_)) && !field.value
        || matches!(&field.list, ListType::Keys(_) | ListType::Set);
    compare_value(old, new, &field.kind, &field.list, is_container, step, changed, removed);
}

#[expect(clippy::too_many_arguments, reason = "one step of a recursion over two values and two results")]
fn compare_value(
    old: &Value,
    new: &Value,
    kind: &FieldType,
    list: &ListType,
    counts_itself: bool,
    step: String,
    changed: &mut FieldSet,
    removed: &mut FieldSet,
) {
    if old == new {
        return;
    }
    if new.is_null() {
        removed.children.insert(step, FieldSet::leaf());
        return;
    }
    let (mut below_changed, mut below_removed) = (FieldSet::default(), FieldSet::default());
    let descended = match (kind, list, new) {
        (_, ListType::Atomic, _) => false,
        (FieldType::Message(id), _, Value::Object(object)) if !object.is_empty() => {
            compare_message(old, new, schema().message(*id), &mut below_changed, &mut below_removed);
            true
        }
        (FieldType::Map(inner), _, Value::Object(object)) if !object.is_empty() => {
            let none = Value::Null;
            for name in names(old, new) {
                let (before, after) = (old.get(name).unwrap_or(&none), new.get(name).unwrap_or(&none));
                let step = format!("f:{name}");
                compare_value(
                    before,
                    after,
                    inner,
                    &ListType::Unmarked,
                    true,
                    step,
                    &mut below_changed,
                    &mut below_removed,
                );
            }
            true
        }
        (FieldType::List(element), ListType::Keys(keys), Value::Array(items)) if !items.is_empty() => {
            compare_items(
                old,
                new,
                |item| key_step(item, keys),
                Some(element),
                &mut below_changed,
                &mut below_removed,
            );
            true
        }
        (FieldType::List(_), ListType::Set, Value::Array(items)) if !items.is_empty() => {
            compare_items(old, new, |item| format!("v:{item}"), None, &mut below_changed, &mut below_removed);
            true
        }
        _ => false,
    };
    if descended {
        below_changed.own = old.is_null() && counts_itself;
    } else {
        below_changed.own = true;
    }
    if !below_changed.is_empty() {
        changed.children.insert(step.clone(), below_changed);
    }
    if !below_removed.is_empty() {
        removed.children.insert(step, below_removed);
    }
}

fn compare_items(
    old: &Value,
    new: &Value,
    step_of: impl Fn(&Value) -> String,
    element: Option<&FieldType>,
    changed: &mut FieldSet,
    removed: &mut FieldSet,
) {
    let index = |list: &Value| -> BTreeMap<String, Value> {
        list.as_array().into_iter().flatten().map(|item| (step_of(item), item.clone())).collect()
    };
    let (before, after) = (index(old), index(new));
    let none = Value::Null;
    for step in before.keys().chain(after.keys().filter(|step| !before.contains_key(*step))) {
        let (old, new) = (before.get(step).unwrap_or(&none), after.get(step).unwrap_or(&none));
        match element {
            Some(kind) => {
                compare_value(old, new, kind, &ListType::Unmarked, true, step.clone(), changed, removed)
            }
            None => compare_leaf(old, new, step.clone(), changed, removed),
        }
    }
}

fn compare_leaf(old: &Value, new: &Value, step: String, changed: &mut FieldSet, removed: &mut FieldSet) {
    match (old == new, new.is_null()) {
        (true, _) => {}
        (false, true) => drop(removed.children.insert(step, FieldSet::leaf())),
        (false, false) => drop(changed.children.insert(step, FieldSet::leaf())),
    }
}

fn names<'a>(old: &'a Value, new: &'a Value) -> Vec<&'a str> {
    let keys = |value: &'a Value| value.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let mut names: Vec<_> = keys(old).chain(keys(new)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn print_key(key: &str) -> String {
    let parsed: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
    let pairs: Vec<_> = parsed.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(",")
}
