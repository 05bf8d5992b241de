//! How deep a JSON value is nested. What is deeper than the parser's own limit could be written and never be read
//! again.

use serde_json::Value;

/// Levels of lists and objects that what is stored may have, below the 127 that the parser reads: a client's share of
/// them is half of that, so that what wraps it has room.
pub const DEEPEST_STORED: usize = 120;

/// The JSON pointer (RFC 6901) of the first list or object beyond `levels`; none where there is none.
pub fn beyond(value: &Value, levels: usize) -> Option<String> {
    let mut path = beyond_within(value, levels)?;
    path.reverse();
    Some(path.iter().map(|step| format!("/{step}")).collect())
}

/// How many levels of lists and objects a value has: 0 for a number, 1 for a list of numbers.
pub fn depth(value: &Value) -> usize {
    let inner = match value {
        Value::Array(list) => list.iter().map(depth).max(),
        Value::Object(members) => members.values().map(depth).max(),
        _ => return 0,
    };
    inner.unwrap_or(0).saturating_add(1)
}

/// The steps to the place, innermost first.
fn beyond_within(value: &Value, levels: usize) -> Option<Vec<String>> {
    let within = |inner: &Value, step: &dyn Fn() -> String| {
        let mut path = beyond_within(inner, levels.checked_sub(1)?)?;
        path.push(step());
        Some(path)
    };
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => Some(Vec::new()),
        Value::Array(list) => {
            list.iter().enumerate().find_map(|(index, inner)| within(inner, &|| index.to_string()))
        }
        Value::Object(members) => members.iter().find_map(|(name, inner)| {
            let shown = || name.chars().take(MOST_NAME).collect::<String>();
            within(inner, &|| shown().replace('~', "~0").replace('/', "~1"))
        }),
        _ => None,
    }
}

/// Of a name in a pointer, in characters.
const MOST_NAME: usize = 60;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(levels: usize) -> Value {
        (1..levels).fold(json!([]), |inner, _| json!([inner]))
    }

    #[test]
    fn the_place_of_what_is_too_deep_is_named() {
        let value = json!({"flat": [1, 2], "a/b": [{}, {"deep": [[1]]}]});
        assert_eq!(beyond(&value, 3).unwrap(), "/a~1b/1/deep");
        assert_eq!(beyond(&value, 4).unwrap(), "/a~1b/1/deep/0");
        assert_eq!((beyond(&value, 5), depth(&value)), (None, 5));
        assert_eq!((beyond(&json!(7), 0), depth(&json!(7))), (None, 0));
    }

    #[test]
    fn all_that_may_be_stored_is_read_again() {
        for levels in [1, DEEPEST_STORED, 127] {
            let value = nested(levels);
            assert_eq!(beyond(&value, levels), None);
            assert!(beyond(&value, levels - 1).is_some());
            assert_eq!(serde_json::from_str::<Value>(&value.to_string()).unwrap(), value);
        }
        assert!(serde_json::from_str::<Value>(&nested(128).to_string()).is_err());
    }
}
