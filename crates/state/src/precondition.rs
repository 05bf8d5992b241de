//! `If-Match` and `If-None-Match` (RFC 9110 §13.1): a write counts only where the resource is still what its writer has
//! seen, or is not there yet. Looked at within the transaction, after the right to write.

use crypto::digest;
use serde::Serialize;

use crate::{Error, Rule};

/// What a writer demands of the resource as it stands; nothing, by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition {
    pub if_match: Option<Tags>,
    pub if_none_match: Option<Tags>,
}

/// The states that a header names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// `*`: whatever is there.
    Any,
    These(Vec<String>),
}

impl Precondition {
    /// Refuses unless the resource is as the writer demands.
    pub fn check(&self, resource: Option<&impl Serialize>) -> Result<(), Error> {
        let refused = |header: &str| {
            let text = match resource {
                Some(_) => "the resource has changed, or is there already: read it again",
                None => "the resource is not there",
            };
            Err(Error::Rule(Rule::Precondition, format!("The condition '{header}' does not hold: {text}.")))
        };
        // Most writes demand nothing and need no tag.
        let names = |tags: &Tags| match (tags, resource) {
            (_, None) => false,
            (Tags::Any, Some(_)) => true,
            (Tags::These(tags), Some(resource)) => tags.contains(&entity_tag(resource)),
        };
        if self.if_match.as_ref().is_some_and(|tags| !names(tags)) {
            return refused("If-Match");
        }
        if self.if_none_match.as_ref().is_some_and(names) {
            return refused("If-None-Match");
        }
        Ok(())
    }
}

/// Another for each state of a resource.
pub fn entity_tag(resource: &impl Serialize) -> String {
    let written = serde_json::to_vec(resource).unwrap_or_default();
    let mut digest = digest::sha256_hex(&written);
    digest.truncate(TAG_LENGTH);
    digest
}

/// Enough that no two states of a resource share one.
const TAG_LENGTH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_counts_only_where_the_resource_is_what_its_writer_knows() {
        let known = entity_tag(&"one");
        let these = |tags: &[&str]| Some(Tags::These(tags.iter().map(|tag| (*tag).to_owned()).collect()));
        for (if_match, if_none_match, on_one, on_other, on_none) in [
            (None, None, true, true, true),
            (Some(Tags::Any), None, true, true, false),
            (these(&[&known]), None, true, false, false),
            (these(&["x", &known]), None, true, false, false),
            (these(&[]), None, false, false, false),
            (None, Some(Tags::Any), false, false, true),
            (None, these(&[&known]), false, true, true),
            (these(&[&known]), Some(Tags::Any), false, false, false),
        ] {
            let condition = Precondition { if_match, if_none_match };
            let found = [Some("one"), Some("other"), None].map(|each| condition.check(each.as_ref()).is_ok());
            assert_eq!(found, [on_one, on_other, on_none], "{condition:?}");
        }
    }
}
