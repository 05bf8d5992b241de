//! The worlds themselves: the same in each run, and one tenant apart from the other.

use crate::{ELSEWHERE, World};

#[tokio::test]
async fn a_world_is_the_same_in_each_run() {
    let (one, other) = (World::new().await, World::new().await);
    assert_eq!(one.home.id, other.home.id);
    assert_eq!(one.home.user("alice@example.org").await, other.home.user("alice@example.org").await);
    assert_ne!(one.home.id, World::builder().seed(2).start().await.home.id);
}

#[tokio::test]
async fn tenants_of_a_world_do_not_know_each_other() {
    let world = World::with_two_tenants().await;
    let other = world.tenant(ELSEWHERE);
    let (alice, bob) =
        (world.home.user("alice@example.org").await, other.user("bob@elsewhere.example").await);
    for (tenant, own, strange) in [(&world.home, alice, bob), (other, bob, alice)] {
        assert!(world.app.directory().find_user(&tenant.admin, &own.to_string()).is_ok());
        assert!(world.app.directory().find_user(&tenant.admin, &strange.to_string()).is_err());
        tenant.subscription("second").await;
        tenant.cluster("c1").await;
        let subscriptions = world.app.resource_manager().list_subscriptions(&tenant.admin);
        assert_eq!(subscriptions.len(), 2);
        assert!(subscriptions.iter().all(|each| each.tenant == tenant.id));
        let clusters =
            world.app.resource_manager().list_clusters(&tenant.admin, tenant.subscription, None).unwrap();
        assert_eq!(clusters.len(), 1);
    }
}

#[tokio::test]
#[should_panic(expected = "belongs to another tenant")]
async fn a_caller_is_of_the_tenant_that_is_named() {
    let world = World::with_two_tenants().await;
    let bob = world.tenant(ELSEWHERE).user("bob@elsewhere.example").await;
    world.home.caller(bob);
}

#[tokio::test]
async fn what_is_opened_again_goes_on() {
    let world = World::new().await;
    let alice = world.home.user("alice@example.org").await;
    world.advance(60);
    let again = world.reopened().await;
    assert_eq!(again.app.now(), world.app.now());
    assert_ne!(again.home.user("bob@example.org").await, alice);
    assert!(again.app.directory().find_user(&world.home.admin, "alice@example.org").is_ok());
}
