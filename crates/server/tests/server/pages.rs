//! Lists of Resource Manager in pages, and filtered.

use app::resource_manager::scope_rules::ScopeFilter;
use domain::{
    change::Record, id::SubscriptionId, name::ResourceName, scope::Scope, subscription::ResourceGroup,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::arm::{Arm, names};

/// Every name of a list, page after page, and how many pages there were.
async fn all(arm: &Arm, path: &str) -> (Vec<String>, usize) {
    let mut page = arm.get(path).await;
    let (mut found, mut pages) = (names(&page), 1);
    while let Some(next) = page["nextLink"].as_str().map(str::to_owned) {
        assert!(next.starts_with(&arm.site.running.url), "{next}");
        let request = arm.site.http.get(&next).bearer_auth(&arm.admin);
        page = arm.site.ok(request).await;
        found.extend(names(&page));
        pages += 1;
        assert!(pages < 20, "the pages do not end");
    }
    (found, pages)
}

#[tokio::test]
async fn long_lists_come_in_pages_that_lose_and_repeat_nothing() {
    let arm = Arm::start().await;
    let subscription: SubscriptionId = arm.site.running.installation.subscription;
    let name = |number: usize| format!("g{number:04}");
    let created = arm.site.running.app.now();
    let group = |number: usize| {
        Record::ResourceGroup(ResourceGroup {
            subscription,
            name: ResourceName::parse(&name(number)).unwrap(),
            location: "local".into(),
            tags: [("kind".to_owned(), if number < 1500 { "a b&c" } else { "d" }.to_owned())].into(),
            managed_by: None,
            created,
        })
    };
    arm.site.fill((0..2100).map(group)).await;
    let path = format!("{}/resourceGroups", arm.subscription);
    let (found, pages) = all(&arm, &path).await;
    assert_eq!((found, pages), ((0..2100).map(name).collect(), 3));
    // The filter goes along.
    let filtered = format!("{path}?$filter=tagName%20eq%20'Kind'%20and%20tagValue%20eq%20'a%20b%26c'");
    let (found, pages) = all(&arm, &filtered).await;
    assert_eq!((found.len(), pages), (1500, 2));
    let (found, pages) = all(&arm, &format!("{path}?$top=900")).await;
    assert_eq!((found.len(), pages), (2100, 3));
    // az spells the parameter either way.
    let first = arm.get(&path).await;
    let next = first["nextLink"].as_str().unwrap().replace("$skiptoken", "%24skiptoken");
    let second = arm.site.ok(arm.site.http.get(next).bearer_auth(&arm.admin)).await;
    assert_eq!(names(&second)[0], name(1000));
}

#[tokio::test]
async fn pages_of_large_items_are_short_and_lose_and_repeat_nothing() {
    let arm = Arm::start().await;
    let subscription: SubscriptionId = arm.site.running.installation.subscription;
    let name = |number: usize| format!("g{number:04}");
    let large = "x".repeat(300_000);
    for number in 0..20 {
        let put = arm.site.running.app.whole_state().transact(|tx| {
            tx.put(&Record::ResourceGroup(ResourceGroup {
                subscription,
                name: ResourceName::parse(&name(number)).unwrap(),
                location: large.clone(),
                tags: [].into(),
                managed_by: None,
                created: tx.now(),
            }))
        });
        put.await.unwrap();
    }
    let path = format!("{}/resourceGroups", arm.subscription);
    let (found, pages) = all(&arm, &path).await;
    assert_eq!((found, pages), ((0..20).map(name).collect(), 5), "four of them are more than a megabyte");
}

#[tokio::test]
async fn pages_and_filters_that_make_no_sense_are_refused() {
    let arm = Arm::start().await;
    let path = format!("{}/resourceGroups", arm.subscription);
    for (query, code) in [
        ("$skiptoken=x", "InvalidSkipToken"),
        ("$skiptoken=", "InvalidSkipToken"),
        ("$skiptoken=MjphYmM", "InvalidSkipToken"),
        ("$top=0", "InvalidQueryParameterValue"),
        ("$top=-1", "InvalidQueryParameterValue"),
        ("$top=x", "InvalidQueryParameterValue"),
        ("$filter=name%20eq%20'x'", "InvalidFilter"),
        ("$filter=tagValue%20eq%20'x'", "InvalidFilter"),
        ("$filter=tagName", "InvalidFilter"),
    ] {
        let refused = arm.refusal(&arm.admin, Method::GET, &format!("{path}?{query}"), Value::Null).await;
        assert_eq!(refused, (400, code.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn a_thousand_and_one_assignments_are_two_pages() {
    let arm = Arm::start().await;
    let app = &arm.site.running.app;
    let root = app
        .resource_manager()
        .list_assignments(&arm.site.admin, &Scope::root(), ScopeFilter::AtScope)
        .unwrap();
    let one = root.first().unwrap();
    let scope = Scope::parse(&arm.subscription).unwrap();
    let record = |number: u128| {
        let mut record = (**one).clone();
        record.id = domain::id::AssignmentId::new(uuid::Uuid::from_u128(number));
        record.scope = scope.clone();
        Record::Assignment(record)
    };
    arm.site.fill((0..1000).map(record)).await;
    let path =
        format!("{}/providers/Microsoft.Authorization/roleAssignments?$filter=atScope()", arm.subscription);
    let (found, pages) = all(&arm, &path).await;
    assert_eq!((found.len(), pages), (1001, 2));
    let (status, body) = arm.ask("x", Method::GET, &path, Value::Null).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (StatusCode::UNAUTHORIZED, &json!("InvalidAuthenticationToken"))
    );
}
