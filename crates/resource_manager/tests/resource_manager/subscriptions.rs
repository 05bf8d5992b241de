//! Subscriptions and their resource groups: whoever has a right in one sees it, and nobody of another tenant.

use std::collections::BTreeMap;

use testkit::{ELSEWHERE, World, roles};

use super::{area, is_forbidden, is_missing, name};

#[tokio::test]
async fn a_right_anywhere_in_a_subscription_shows_it() {
    let world = World::new().await;
    let (home, area) = (&world.home, area(&world));
    let second = home.subscription("second").await;
    let ann = home.person("ann@example.org").await;
    assert!(area.list_subscriptions(&ann).is_empty());
    assert!(is_missing(area.find_subscription(&ann, second)));
    let group = home.resource_group("rg").await;
    let assignment = home.assign(ann.object_id, roles::READER, &group).await;
    let seen: Vec<_> = area.list_subscriptions(&ann).iter().map(|each| each.id).collect();
    assert_eq!(seen, [home.subscription]);
    area.delete_assignment(&home.admin, &group, assignment.id).await.unwrap();
    assert!(area.list_subscriptions(&ann).is_empty());
    // By a group that she is in as well.
    let crew = home.group("crew", &[ann.object_id]).await;
    home.assign(crew, roles::READER, &home.root()).await;
    assert_eq!(area.list_subscriptions(&ann).len(), 2);
}

#[tokio::test]
async fn resource_groups_are_made_kept_and_deleted_with_what_is_in_them() {
    let world = World::new().await;
    let (home, area) = (&world.home, area(&world));
    let tags = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    let put = |location: &'static str| {
        let tags = tags.clone();
        async move { area.put_resource_group(&home.admin, home.subscription, &name("Rg"), location, tags).await }
    };
    put("local").await.unwrap();
    let found = area.find_resource_group(&home.admin, home.subscription, "rG").unwrap();
    assert_eq!((found.name.as_str(), &found.tags), ("Rg", &tags));
    let cluster = home.cluster("c1").await;
    assert!(area.delete_resource_group(&home.admin, home.subscription, "rg").await.is_ok());
    assert!(is_missing(area.find_resource_group(&home.admin, home.subscription, "rg")));
    assert!(world.app.whole_snapshot().cluster(cluster.id).is_none());
    assert!(area.list_resource_groups(&home.admin, home.subscription).unwrap().is_empty());
}

#[tokio::test]
async fn nothing_of_a_subscription_is_seen_or_changed_from_another_tenant() {
    let world = World::with_two_tenants().await;
    let (home, other, area) = (&world.home, world.tenant(ELSEWHERE), area(&world));
    home.resource_group("rg").await;
    let stranger = &other.admin;
    assert!(area.list_subscriptions(stranger).iter().all(|each| each.tenant == other.id));
    assert!(is_missing(area.find_subscription(stranger, home.subscription)));
    assert!(is_missing(area.list_resource_groups(stranger, home.subscription)));
    let group = name("x");
    let put = area.put_resource_group(stranger, home.subscription, &group, "local", BTreeMap::new());
    assert!(is_forbidden(put.await));
    assert!(is_forbidden(area.delete_resource_group(stranger, home.subscription, "rg").await));
    assert!(area.list_aliases(stranger).iter().all(|each| each.tenant == other.id));
}
