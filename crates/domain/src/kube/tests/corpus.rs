//! The cases of `corpus/kube`: each file holds objects and what they decide, in a form that other programs
//! can run too, a real kube-apiserver among them.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::super::*;
use crate::decision::Decision;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    about: String,
    /// Start from the bootstrap objects, those of release 1.20, which the cases are compared with.
    #[serde(default)]
    bootstrap: bool,
    #[serde(default)]
    objects: Vec<Value>,
    #[serde(default)]
    decisions: Vec<DecisionCase>,
    #[serde(default)]
    grants: Vec<GrantCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionCase {
    user: String,
    #[serde(default)]
    groups: Vec<String>,
    verb: String,
    #[serde(default)]
    group: String,
    /// `pods` or `pods/log`; absent for a path.
    resource: Option<String>,
    path: Option<String>,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
    allowed: bool,
    reason: String,
}

/// Somebody grants rules; absent `refused` means that they may.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantCase {
    user: String,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    namespace: String,
    rules: Vec<PolicyRule>,
    refused: Option<String>,
}

#[test]
fn every_case_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/kube");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            count += run(&path);
        }
    }
    assert!(count >= 60, "only {count} cases in {}", folder.display());
}

fn run(path: &Path) -> usize {
    let file: File = serde_json::from_slice(&std::fs::read(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(!file.about.is_empty());
    let mut policy = if file.bootstrap { super::earlier_bootstrap() } else { Policy::default() };
    policy.extend(file.objects.iter().map(super::object));
    for (position, case) in file.decisions.iter().enumerate() {
        let place = format!("{}: decisions[{position}]", path.display());
        let groups: Vec<&str> = case.groups.iter().map(String::as_str).collect();
        let user = super::user(&case.user, &groups);
        let attributes = match (&case.resource, &case.path) {
            (Some(resource), None) => {
                super::ask(user, &case.verb, &case.group, resource, &case.namespace, &case.name)
            }
            (None, Some(path)) => {
                Attributes { user, verb: case.verb.clone(), target: Target::Path(path.clone()) }
            }
            _ => panic!("{place}: resource or path"),
        };
        let decision = policy.decide(&attributes);
        assert_eq!(decision.is_allowed(), case.allowed, "{place}");
        assert!(!matches!(decision, Decision::Deny(_)), "{place}");
        assert_eq!(decision.reason().to_string(), case.reason, "{place}");
    }
    for (position, case) in file.grants.iter().enumerate() {
        let groups: Vec<&str> = case.groups.iter().map(String::as_str).collect();
        let outcome = policy.confirm_no_escalation(
            &super::user(&case.user, &groups),
            &[],
            &case.namespace,
            &case.rules,
        );
        let refused = outcome.err().map(|refused| refused.to_string());
        assert_eq!(refused, case.refused, "{}: grants[{position}]", path.display());
    }
    file.decisions.len() + file.grants.len()
}
