//! Odd bodies made of good ones.

use serde_json::{Map, Value, json};

/// A row of chances that is the same for the same seed.
pub(super) struct Bodies {
    state: u64,
}

impl Bodies {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// The text of a body with something odd in it, and what that is. `plain`: as it is.
    pub(super) fn odd(&mut self, template: &Value, plain: bool) -> (Vec<u8>, String) {
        if plain {
            return (template.to_string().into_bytes(), "as it is".into());
        }
        let mut body = template.clone();
        let (value, name) = self.value();
        let places = count(&body);
        let place = self.below(places);
        let kept =
            ["info", "properties", "tags", "annotations", "labels", "data", "metadata", "", "\u{0}", "x"];
        let member = match self.below(3) {
            // In the place of what is there.
            0 => None,
            _ => Some(kept[self.below(kept.len())]),
        };
        let mut left = place;
        change(&mut body, &mut left, &mut |found| match (member, &mut *found) {
            (Some(member), Value::Object(members)) => {
                // Where texts are wanted, texts; elsewhere below a member that is kept.
                let holds_texts = ["tags", "annotations", "labels", "data"].contains(&member);
                let inner = if holds_texts { json!({"odd": value}) } else { value.clone() };
                members.insert(member.to_owned(), inner);
            }
            _ => *found = value.clone(),
        });
        let what = format!("{name} as {member:?} at place {place} of {places}");
        (raw(&body.to_string()).into_bytes(), what)
    }

    fn value(&mut self) -> (Value, &'static str) {
        let raw = |text: &str| json!(format!("{BEGIN}{text}{END}"));
        match self.below(22) {
            0 => (nested(56, |inner| json!({"a": inner})), "objects 56 deep"),
            1 => (nested(56, |inner| json!([inner])), "lists 56 deep"),
            2 => (nested(62, |inner| json!({"a": inner})), "objects 62 deep"),
            3 => (nested(126, |inner| json!([{"a": inner}])), "objects and lists 252 deep"),
            4 => (Value::Array(vec![json!(1); 10_000]), "a list of 10,000"),
            5 => ((0..10_000).map(|number| (format!("n{number}"), json!("v"))).collect(), "10,000 members"),
            6 => (json!("x".repeat(700_000)), "a text of 700,000"),
            7 => (json!("\u{1}".repeat(100_000)), "100,000 control characters"),
            8 => (planes(), "a text of every plane"),
            9 => (json!("\u{0}\u{7f}\u{85}\u{2028}\u{202e}\u{feff}\r\n\t\"\\"), "control characters"),
            10 => (raw("9007199254740993"), "2^53 + 1"),
            11 => (raw("9223372036854775808"), "2^63"),
            12 => (raw("18446744073709551616"), "2^64"),
            13 => (raw("-0"), "-0"),
            14 => (raw("1e400"), "1e400"),
            15 => (raw("1e-400"), "1e-400"),
            16 => (raw(r#"{"a":1,"a":{"b":2}}"#), "a name twice"),
            17 => (raw(r#""\ud800""#), "half a character"),
            18 => (json!({"": {"": ""}}), "empty names"),
            19 => (json!(""), "an empty text"),
            20 => (Value::Null, "null"),
            _ => {
                (json!({"__proto__": {}, "$ref": "#", "@odata.type": "x", "a.b/c~d": [{}]}), "names of tools")
            }
        }
    }

    fn below(&mut self, count: usize) -> usize {
        // Xorshift: no need of good chances, and of none that cannot be told again.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 16).unwrap() % count
    }
}

fn nested(levels: usize, wrap: impl Fn(Value) -> Value) -> Value {
    (0..levels).fold(json!({}), |inner, _| wrap(inner))
}

fn planes() -> Value {
    let of = |plane: u32| (0x21..0x25).filter_map(move |low| char::from_u32(plane * 0x1_0000 + low + 0x400));
    let text: String = (0..17).flat_map(of).collect();
    let members: Map<String, Value> = [(text.clone(), json!(text))].into_iter().collect();
    Value::Object(members)
}

/// The objects and values within a body, itself among them.
fn count(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(count).sum::<usize>(),
        Value::Array(list) => 1 + list.iter().map(count).sum::<usize>(),
        _ => 1,
    }
}

/// Changes the value at a place, counted as [`count`] counts.
fn change(value: &mut Value, left: &mut usize, by: &mut impl FnMut(&mut Value)) {
    if *left == 0 {
        *left = usize::MAX;
        by(value);
        return;
    }
    *left = left.saturating_sub(1);
    match value {
        Value::Object(members) => {
            for inner in members.values_mut() {
                if *left == usize::MAX {
                    return;
                }
                change(inner, left, by);
            }
        }
        Value::Array(list) => {
            for inner in list {
                if *left == usize::MAX {
                    return;
                }
                change(inner, left, by);
            }
        }
        _ => {}
    }
}

/// Puts texts that are no JSON values of this library into their places.
fn raw(text: &str) -> String {
    let (begin, end) = (format!("\"{BEGIN}"), format!("{END}\""));
    let mut parts = text.split(&begin);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inner, rest) = part.split_once(&end).unwrap();
        whole.push_str(&serde_json::from_str::<String>(&format!("\"{inner}\"")).unwrap());
        whole.push_str(rest);
    }
    whole
}

const BEGIN: &str = "@@raw(";
const END: &str = ")raw@@";
