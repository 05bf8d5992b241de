//! What a record collects, one beyond the limit, and beyond it already.

use domain::{
    azure::{BuiltIn, Operations, Policy},
    change::Change,
};
use serde_json::json;

use super::*;

const ID: &str = "6f1e2b7a-0000-4000-8000-00000000000a";

fn snapshot(record: Option<Record>) -> Snapshot {
    let azure = Policy::new(&BuiltIn::load().unwrap(), &Operations::published().unwrap());
    let mut snapshot = Snapshot::new(azure);
    snapshot.apply(1, record.map(Change::Put));
    snapshot
}

fn application(change: impl FnOnce(&mut Application)) -> Record {
    let mut application: Application = serde_json::from_value(json!({
        "id": ID, "tenant": ID, "app_id": ID, "display_name": "a", "redirect_uris": [], "identifier_uris": [],
        "public_client": false, "password_grant": false, "secrets": [], "certificates": [], "federated": [],
        "owners": [], "created": "2026-11-24T09:00:00Z",
    }))
    .unwrap();
    change(&mut application);
    Record::Application(application)
}

fn group(tags: BTreeMap<String, String>) -> Record {
    let mut group: domain::subscription::ResourceGroup = serde_json::from_value(json!({
        "subscription": ID, "name": "rg", "location": "local", "tags": {}, "created": "2026-11-24T09:00:00Z",
    }))
    .unwrap();
    group.tags = tags;
    Record::ResourceGroup(group)
}

fn uris(count: usize) -> Record {
    application(|each| each.redirect_uris = vec!["https://a.example".into(); count])
}

fn tags(count: usize, name: usize, value: usize) -> Record {
    group((0..count).map(|number| (format!("{number:0name$}"), "v".repeat(value))).collect())
}

fn problem(before: Option<Record>, record: &Record) -> Option<String> {
    match check(&snapshot(before), record) {
        Ok(()) => None,
        Err(Error::Invalid(problems)) => Some(format!("{}: {}", problems[0].field, problems[0].message)),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn one_more_than_a_record_may_collect_is_refused_by_name() {
    let kept = |count: usize| {
        application(|each| {
            each.other.insert("requiredResourceAccess".into(), json!([{"resourceAccess": vec![0; count]}]));
        })
    };
    for (fits, beyond, told) in [
        (uris(256), uris(257), "redirectUris: 257 entries: expected at most 256"),
        (kept(1199), kept(1200), "all collections of the application: 1201 entries: expected at most 1200"),
        (tags(50, 512, 256), tags(51, 3, 1), "tags: 51 entries: expected at most 50"),
        (tags(1, 512, 1), tags(1, 513, 1), "names of tags: 513 characters: expected at most 512"),
        (tags(1, 1, 256), tags(1, 1, 257), "values of tags: 257 characters: expected at most 256"),
    ] {
        assert_eq!(problem(None, &fits), None);
        assert_eq!(problem(None, &beyond).unwrap(), told);
    }
}

#[test]
fn what_is_beyond_a_limit_already_may_shrink_and_not_grow() {
    assert_eq!(problem(Some(uris(400)), &uris(400)), None);
    assert_eq!(problem(Some(uris(400)), &uris(300)), None);
    assert!(problem(Some(uris(400)), &uris(401)).is_some());
    // Another collection is another matter.
    let mixed = application(|each| {
        each.redirect_uris = vec!["https://a.example".into(); 300];
        each.identifier_uris = vec!["api://a".into(); 51];
    });
    assert_eq!(problem(Some(uris(400)), &mixed).unwrap(), "identifierUris: 51 entries: expected at most 50");
}
