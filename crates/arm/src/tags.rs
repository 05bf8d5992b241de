//! Tags of a resource. Their names are case-insensitive: two that differ only by case are a duplicate.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, de::Error};

/// Reads the tags of a body; `None` if absent.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<String, String>>, D::Error> {
    let Some(tags) = Option::<BTreeMap<String, String>>::deserialize(deserializer)? else { return Ok(None) };
    let mut names = BTreeSet::new();
    for name in tags.keys() {
        if name.is_empty() {
            return Err(D::Error::custom("tags: a tag has no name"));
        }
        if !names.insert(name.to_lowercase()) {
            return Err(D::Error::custom(format!("tags: the tag '{name}' stands more than once")));
        }
    }
    Ok(Some(tags))
}
