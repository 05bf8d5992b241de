//! Locks stand against writes and deletions at their scope and below, and a deletion of what is above them.

use std::collections::BTreeMap;

use domain::{lock::LockLevel, scope::Scope};
use resource_manager::{locks::NewLock, scope_rules::ScopeFilter};
use state::{Error, Rule};
use testkit::{ELSEWHERE, World, roles};

use super::{area, is_forbidden, is_missing, name};

fn lock(level: LockLevel) -> NewLock {
    NewLock { level, notes: None }
}

fn is_locked<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::Rule(Rule::ScopeLocked, _)))
}

#[tokio::test]
async fn levels_forbid_what_they_say() {
    let world = World::new().await;
    let (home, area) = (&world.home, area(&world));
    home.resource_group("rg").await;
    let group = name("rg");
    let write = || area.put_resource_group(&home.admin, home.subscription, &group, "local", BTreeMap::new());
    let delete = || area.delete_resource_group(&home.admin, home.subscription, "rg");
    let put = |level| async move { area.put_lock(&home.admin, &home.scope(), &name("l"), lock(level)).await };
    put(LockLevel::CanNotDelete).await.unwrap();
    write().await.unwrap();
    assert!(is_locked(delete().await));
    put(LockLevel::ReadOnly).await.unwrap();
    assert!(is_locked(write().await) && is_locked(delete().await));
    assert!(area.delete_lock(&home.admin, &home.scope(), "L").await.unwrap());
    assert!(!area.delete_lock(&home.admin, &home.scope(), "l").await.unwrap());
    write().await.unwrap();
    delete().await.unwrap();
}

#[tokio::test]
async fn a_list_shows_what_is_above_or_below() {
    let world = World::new().await;
    let (home, area) = (&world.home, area(&world));
    let group = home.resource_group("rg").await;
    for (scope, text) in [(home.scope(), "above"), (group.clone(), "below")] {
        area.put_lock(&home.admin, &scope, &name(text), lock(LockLevel::CanNotDelete)).await.unwrap();
    }
    let names = |scope: &Scope, listed| {
        let found = area.list_locks(&home.admin, scope, listed).unwrap();
        let mut names: Vec<String> = found.iter().map(|lock| lock.name.to_string()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names(&home.scope(), ScopeFilter::AtScope), ["above"]);
    assert_eq!(names(&home.scope(), ScopeFilter::All), ["above", "below"]);
    assert_eq!(names(&group, ScopeFilter::AtScope), ["above", "below"]);
    assert!(is_missing(area.find_lock(&home.admin, &group, "above")));
}

#[tokio::test]
async fn contributors_and_strangers_set_none() {
    let world = World::with_two_tenants().await;
    let (home, area) = (&world.home, area(&world));
    let ann = home.person("ann@example.org").await;
    home.assign(ann.object_id, roles::CONTRIBUTOR, &home.scope()).await;
    for caller in [&ann, &world.tenant(ELSEWHERE).admin] {
        let new = lock(LockLevel::ReadOnly);
        assert!(is_forbidden(area.put_lock(caller, &home.scope(), &name("l"), new).await));
        assert!(is_forbidden(area.delete_lock(caller, &home.scope(), "l").await));
    }
    assert!(area.list_locks(&ann, &home.scope(), ScopeFilter::All).unwrap().is_empty());
    assert!(is_forbidden(area.list_locks(&world.tenant(ELSEWHERE).admin, &home.scope(), ScopeFilter::All)));
}

#[tokio::test]
async fn notes_have_an_end() {
    let world = World::new().await;
    let (home, area) = (&world.home, area(&world));
    for (length, fits) in [(512, true), (513, false)] {
        let new = NewLock { notes: Some("ä".repeat(length)), ..lock(LockLevel::ReadOnly) };
        let put = area.put_lock(&home.admin, &home.scope(), &name("l"), new).await;
        assert_eq!(put.is_ok(), fits, "{length}: {put:?}");
        area.delete_lock(&home.admin, &home.scope(), "l").await.unwrap();
    }
}
