//! The tree of management groups: it has no loops, holds each subscription once, and gives what is assigned above to
//! what is below.

use domain::name::ResourceName;
use resource_manager::management_groups::NewGroup;
use state::{Caller, Error, Rule};
use testkit::{ELSEWHERE, World, roles};

use super::{area, is_forbidden, is_missing, name};

fn below(parent: Option<&str>) -> NewGroup {
    NewGroup { display_name: None, parent: parent.map(name) }
}

fn root(world: &World) -> ResourceName {
    name(&world.home.id.to_string())
}

#[tokio::test]
async fn the_tree_has_no_loop_and_what_holds_something_stays() {
    let world = World::new().await;
    let (admin, area) = (&world.home.admin, area(&world));
    let put = |text: &str, parent: Option<&str>| {
        let (group, new) = (name(text), below(parent));
        async move { area.put_management_group(admin, &group, new).await }
    };
    put("outer", None).await.unwrap();
    put("inner", Some("outer")).await.unwrap();
    for parent in ["inner", "outer"] {
        let looped = put("outer", Some(parent)).await;
        assert!(matches!(looped, Err(Error::Rule(Rule::GroupTree, _))), "{looped:?}");
    }
    assert!(put("lost", Some("nowhere")).await.is_err());
    let names: Vec<String> =
        area.list_management_groups(admin).iter().map(|group| group.name.to_string()).collect();
    assert_eq!(names, [root(&world).to_string(), "inner".into(), "outer".into()]);
    let delete = |text: &str| {
        let group = name(text);
        async move { area.delete_management_group(admin, &group).await }
    };
    assert!(matches!(delete("outer").await, Err(Error::Rule(Rule::GroupStays, _))));
    assert!(matches!(delete(root(&world).as_str()).await, Err(Error::Rule(Rule::GroupStays, _))));
    assert!(delete("inner").await.unwrap() && delete("outer").await.unwrap());
    assert!(!delete("outer").await.unwrap());
}

#[tokio::test]
async fn a_subscription_is_in_one_group_and_has_what_is_assigned_there() {
    let world = World::new().await;
    let (home, area) = (&world.home, area(&world));
    for text in ["one", "two"] {
        area.put_management_group(&home.admin, &name(text), below(None)).await.unwrap();
    }
    let ann = home.person("ann@example.org").await;
    home.assign(ann.object_id, roles::READER, &domain::scope::Scope::management_group(&name("one"))).await;
    let sees = |caller: &Caller| area.find_subscription(caller, home.subscription).is_ok();
    assert!(!sees(&ann));
    area.place_subscription(&home.admin, &name("one"), home.subscription).await.unwrap();
    assert!(sees(&ann));
    area.place_subscription(&home.admin, &name("two"), home.subscription).await.unwrap();
    assert!(!sees(&ann));
    let subscription = area.find_subscription(&home.admin, home.subscription).unwrap();
    assert!(area.find_placed_subscription(&home.admin, &name("two"), &subscription).is_ok());
    assert!(is_missing(area.find_placed_subscription(&home.admin, &name("one"), &subscription)));
    assert!(area.unplace_subscription(&home.admin, &name("two"), home.subscription).await.unwrap());
    assert!(area.find_placed_subscription(&home.admin, &root(&world), &subscription).is_ok());
}

#[tokio::test]
async fn groups_are_those_of_a_tenant() {
    let world = World::with_two_tenants().await;
    let (home, other, area) = (&world.home, world.tenant(ELSEWHERE), area(&world));
    area.put_management_group(&home.admin, &name("company"), below(None)).await.unwrap();
    let seen = area.list_management_groups(&other.admin);
    assert_eq!(seen.len(), 1);
    assert!(seen.iter().all(|group| group.tenant == other.id));
    assert!(is_forbidden(area.find_management_group(&other.admin, &name("company"))));
    assert!(is_forbidden(area.delete_management_group(&other.admin, &name("company")).await));
    assert!(!area.is_management_group_name_free(&other.admin, &name("Company")));
    // A group of theirs takes no subscription of ours.
    area.put_management_group(&other.admin, &name("theirs"), below(None)).await.unwrap();
    assert!(area.place_subscription(&other.admin, &name("theirs"), home.subscription).await.is_err());
}
