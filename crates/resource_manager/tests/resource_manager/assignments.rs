//! Role assignments: who may give what, and what is seen of them.

use domain::{
    id::{AssignmentId, RoleId},
    scope::Scope,
};
use resource_manager::{assignments::NewAssignment, scope_rules::ScopeFilter};
use testkit::{ELSEWHERE, World, roles};
use uuid::Uuid;

use super::{area, is_forbidden};

fn giving(principal: domain::id::ObjectId, role: &str) -> NewAssignment {
    NewAssignment {
        principal,
        principal_kind: None,
        role: RoleId::parse(role).unwrap(),
        condition: None,
        description: None,
    }
}

fn id(number: u128) -> AssignmentId {
    AssignmentId::new(Uuid::from_u128(number))
}

#[tokio::test]
async fn only_who_may_give_roles_gives_them_and_only_to_the_own_tenant() {
    let world = World::with_two_tenants().await;
    let (home, other, area) = (&world.home, world.tenant(ELSEWHERE), area(&world));
    let ann = home.person("ann@example.org").await;
    let eve = other.user("eve@elsewhere.example").await;
    let scope = home.resource_group("rg").await;
    home.assign(ann.object_id, roles::CONTRIBUTOR, &scope).await;
    let give = giving(ann.object_id, roles::OWNER);
    assert!(is_forbidden(area.put_assignment(&ann, id(1), &scope, give.clone()).await));
    assert!(is_forbidden(area.put_assignment(&other.admin, id(1), &scope, give.clone()).await));
    assert!(area.put_assignment(&home.admin, id(1), &scope, giving(eve, roles::READER)).await.is_err());
    area.put_assignment(&home.admin, id(1), &scope, give).await.unwrap();
    // Now she may.
    area.put_assignment(&ann, id(2), &scope, giving(home.admin.object_id, roles::READER)).await.unwrap();
    assert!(is_forbidden(area.delete_assignment(&other.admin, &scope, id(2)).await));
    assert!(area.delete_assignment(&ann, &scope, id(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_list_shows_what_is_above_or_below() {
    let world = World::new().await;
    let (home, area) = (&world.home, area(&world));
    let ann = home.user("ann@example.org").await;
    let group = home.resource_group("rg").await;
    home.assign(ann, roles::READER, &home.scope()).await;
    home.assign(ann, roles::READER, &group).await;
    let scopes = |scope: &Scope, listed| {
        let found = area.list_assignments(&home.admin, scope, listed).unwrap();
        let mut scopes: Vec<Scope> =
            found.iter().filter(|each| each.principal == ann).map(|each| each.scope.clone()).collect();
        scopes.sort();
        scopes
    };
    assert_eq!(scopes(&home.scope(), ScopeFilter::AtScope), [home.scope()]);
    assert_eq!(scopes(&group, ScopeFilter::AtScope), [home.scope(), group.clone()]);
    assert_eq!(scopes(&home.scope(), ScopeFilter::All), [home.scope(), group]);
}
