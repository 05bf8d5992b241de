//! What a review is expected to give. Every key that is written is compared, and no other.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{AzureOutcome, EngineOutcome, Outcome, Verdict};
use crate::id::AssignmentId;

/// Keys of an [`Outcome`]. A key that may be null in an outcome is compared when it is written as null, too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Expectation {
    pub name: Option<String>,
    pub decision: Option<Verdict>,
    pub reason: Option<String>,
    pub kubernetes_rbac: Option<EngineExpectation>,
    #[serde(deserialize_with = "written")]
    pub azure: Option<Option<AzureExpectation>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineExpectation {
    pub decision: Option<Verdict>,
    pub reason: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AzureExpectation {
    pub decision: Option<Verdict>,
    pub reason: Option<String>,
    /// In any order.
    pub actions: Option<Vec<String>>,
    pub scope: Option<String>,
    /// Every attribute that is written; none written means that there is none.
    pub attributes: Option<BTreeMap<String, String>>,
    #[serde(deserialize_with = "written")]
    pub assignment: Option<Option<AssignmentId>>,
}

/// One key whose value is not the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Such as `azure.assignment`.
    pub key: String,
    pub expected: Value,
    pub found: Value,
}

impl Expectation {
    pub fn differences(&self, outcome: &Outcome) -> Vec<Difference> {
        let mut differences = Differences::default();
        differences.compare("name", self.name.as_ref(), &outcome.name);
        differences.compare("decision", self.decision.as_ref(), &outcome.decision);
        differences.compare("reason", self.reason.as_ref(), &outcome.reason);
        if let Some(expected) = &self.kubernetes_rbac {
            differences.compare_engine("kubernetesRbac", expected, &outcome.kubernetes_rbac);
        }
        match (&self.azure, &outcome.azure) {
            (None, _) | (Some(None), None) => {}
            (Some(Some(expected)), Some(found)) => differences.compare_azure(expected, found),
            (Some(None), Some(found)) => differences.add("azure", Value::Null, json!(found)),
            (Some(Some(_)), None) => differences.add("azure", json!("an answer of Azure RBAC"), Value::Null),
        }
        differences.found
    }
}

#[derive(Default)]
struct Differences {
    found: Vec<Difference>,
}

impl Differences {
    fn compare<T: PartialEq + serde::Serialize>(&mut self, key: &str, expected: Option<&T>, found: &T) {
        if let Some(expected) = expected
            && expected != found
        {
            self.add(key, json!(expected), json!(found));
        }
    }

    fn compare_engine(&mut self, key: &str, expected: &EngineExpectation, found: &EngineOutcome) {
        self.compare(&format!("{key}.decision"), expected.decision.as_ref(), &found.decision);
        self.compare(&format!("{key}.reason"), expected.reason.as_ref(), &found.reason);
    }

    fn compare_azure(&mut self, expected: &AzureExpectation, found: &AzureOutcome) {
        self.compare("azure.decision", expected.decision.as_ref(), &found.decision);
        self.compare("azure.reason", expected.reason.as_ref(), &found.reason);
        if let Some(actions) = &expected.actions
            && actions.iter().collect::<BTreeSet<_>>() != found.actions.iter().collect::<BTreeSet<_>>()
        {
            self.add("azure.actions", json!(actions), json!(found.actions));
        }
        if let Some(scope) = &expected.scope
            && !scope.eq_ignore_ascii_case(&found.scope)
        {
            self.add("azure.scope", json!(scope), json!(found.scope));
        }
        match &expected.attributes {
            Some(attributes) if attributes.is_empty() => {
                self.compare("azure.attributes", Some(attributes), &found.attributes);
            }
            attributes => {
                for (name, value) in attributes.iter().flatten() {
                    let found = found.attributes.get(name).cloned();
                    self.compare(&format!("azure.attributes.{name}"), Some(&Some(value.clone())), &found);
                }
            }
        }
        self.compare("azure.assignment", expected.assignment.as_ref(), &found.assignment);
    }

    fn add(&mut self, key: &str, expected: Value, found: Value) {
        self.found.push(Difference { key: key.to_owned(), expected, found });
    }
}

/// Tells a key that is written as null from one that is not written.
fn written<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}
