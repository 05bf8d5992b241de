//! Tags of a resource. Their names are compared without regard to case, so two that differ by it are one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, de::Error};

/// Reads the tags of a body; none where it does not say any.
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
