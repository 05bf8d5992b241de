//! Role definitions: custom ones are made where their makers may, and go when nobody has them.

use domain::{
    id::RoleId,
    role::{Permission, RoleKind},
    scope::Scope,
};
use resource_manager::roles::NewRole;
use testkit::{ELSEWHERE, World, roles};

use super::{area, is_forbidden, is_missing};

const ID: &str = "00000000-0000-4000-8000-000000000001";

fn id() -> RoleId {
    RoleId::parse(ID).unwrap()
}

fn reader_of(scopes: impl Into<Vec<Scope>>) -> NewRole {
    let permission: Permission =
        serde_json::from_value(serde_json::json!({"actions": ["Microsoft.Resources/*/read"]})).unwrap();
    NewRole {
        name: "Our reader".into(),
        description: String::new(),
        assignable_scopes: scopes.into(),
        permissions: vec![permission],
    }
}

#[tokio::test]
async fn a_custom_role_is_made_listed_changed_and_deleted() {
    let world = World::new().await;
    let (home, area) = (&world.home, area(&world));
    let scope = home.scope();
    let built_in = area.list_roles(&home.admin, &scope).unwrap().len();
    area.put_role(&home.admin, &scope, id(), reader_of([scope.clone()])).await.unwrap();
    let listed = area.list_roles(&home.admin, &scope).unwrap();
    assert_eq!(listed.len(), built_in + 1);
    assert_eq!(listed.last().unwrap().kind, RoleKind::Custom);
    let changed = NewRole { name: "Another".into(), ..reader_of([scope.clone()]) };
    area.put_role(&home.admin, &scope, id(), changed).await.unwrap();
    assert_eq!(area.find_role(&home.admin, &scope, id()).unwrap().name.as_ref(), "Another");
    // One that somebody has stays.
    let ann = home.user("ann@example.org").await;
    let assignment = home.assign(ann, ID, &scope).await;
    assert!(area.delete_role(&home.admin, &scope, id()).await.is_err());
    area.delete_assignment(&home.admin, &scope, assignment.id).await.unwrap();
    assert!(area.delete_role(&home.admin, &scope, id()).await.unwrap().is_some());
    assert!(area.delete_role(&home.admin, &scope, id()).await.unwrap().is_none());
    assert!(is_missing(area.find_role(&home.admin, &scope, id())));
}

#[tokio::test]
async fn built_in_roles_stay_as_they_are() {
    let world = World::new().await;
    let (home, area) = (&world.home, area(&world));
    let scope = home.scope();
    let reader = RoleId::parse(roles::READER).unwrap();
    assert!(area.put_role(&home.admin, &scope, reader, reader_of([scope.clone()])).await.is_err());
    assert!(area.delete_role(&home.admin, &scope, reader).await.is_err());
    assert_eq!(area.find_role(&home.admin, &scope, reader).unwrap().name.as_ref(), "Reader");
}

#[tokio::test]
async fn a_role_needs_the_right_at_each_of_its_scopes() {
    let world = World::with_two_tenants().await;
    let (home, area) = (&world.home, area(&world));
    let group = home.resource_group("rg").await;
    let ann = home.person("ann@example.org").await;
    home.assign(ann.object_id, roles::OWNER, &group).await;
    area.put_role(&ann, &group, id(), reader_of([group.clone()])).await.unwrap();
    let wider = reader_of([group.clone(), home.scope()]);
    assert!(is_forbidden(area.put_role(&ann, &group, id(), wider).await));
    // Elsewhere it is as if there were none.
    let stranger = &world.tenant(ELSEWHERE).admin;
    assert!(is_forbidden(area.list_roles(stranger, &home.scope())));
    assert!(is_missing(area.find_role(stranger, &world.tenant(ELSEWHERE).scope(), id())));
}
