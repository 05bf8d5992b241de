//! Who holds the roles of the directory: administrators give and take them, to people and programs of their tenant, and
//! one who can sign in stays.

use std::collections::BTreeSet;

use directory::users::UserUpdate;
use domain::directory_role::{ALL, DirectoryRole};
use state::Error;
use testkit::{ELSEWHERE, World};

use super::{area, is_forbidden, is_missing};

const ROLE: &DirectoryRole = &ALL[0];

#[tokio::test]
async fn administrators_give_and_take_the_role() {
    let world = World::new().await;
    let (home, area) = (&world.home, area(&world));
    let ann = home.person("ann@example.org").await;
    let bob = home.user("bob@example.org").await;
    assert!(is_forbidden(area.add_role_holder(&ann, ROLE, bob).await));
    area.add_role_holder(&home.admin, ROLE, ann.object_id).await.unwrap();
    let again = area.add_role_holder(&home.admin, ROLE, ann.object_id).await;
    assert!(matches!(again, Err(Error::AlreadyExists { .. })));
    area.add_role_holder(&ann, ROLE, bob).await.unwrap();
    let expected = BTreeSet::from([home.admin.object_id, ann.object_id, bob]);
    assert_eq!(area.role_holders(&ann, ROLE).unwrap(), expected);
    area.remove_role_holder(&ann, ROLE, bob).await.unwrap();
    assert!(is_missing(area.remove_role_holder(&ann, ROLE, bob).await));
}

#[tokio::test]
async fn one_who_can_sign_in_stays() {
    let world = World::new().await;
    let (home, area) = (&world.home, area(&world));
    assert!(area.remove_role_holder(&home.admin, ROLE, home.admin.object_id).await.is_err());
    assert!(area.delete_user(&home.admin, home.admin.object_id).await.is_err());
    let ann = home.person("ann@example.org").await;
    area.add_role_holder(&home.admin, ROLE, ann.object_id).await.unwrap();
    let disable = UserUpdate { enabled: Some(false), ..UserUpdate::default() };
    area.update_user(&home.admin, ann.object_id, disable).await.unwrap();
    // Who is shut out does not count.
    assert!(area.remove_role_holder(&home.admin, ROLE, home.admin.object_id).await.is_err());
    let enable = UserUpdate { enabled: Some(true), ..UserUpdate::default() };
    area.update_user(&home.admin, ann.object_id, enable).await.unwrap();
    area.remove_role_holder(&home.admin, ROLE, home.admin.object_id).await.unwrap();
    assert!(is_forbidden(area.add_role_holder(&home.admin, ROLE, home.admin.object_id).await));
}

#[tokio::test]
async fn holders_are_people_and_programs_of_the_tenant() {
    let world = World::with_two_tenants().await;
    let (home, other, area) = (&world.home, world.tenant(ELSEWHERE), area(&world));
    let group = home.group("crew", &[]).await;
    let program = home.application("build").await.principal;
    let eve = other.user("eve@elsewhere.example").await;
    assert!(matches!(area.add_role_holder(&home.admin, ROLE, group).await, Err(Error::Invalid(_))));
    assert!(is_missing(area.add_role_holder(&home.admin, ROLE, eve).await));
    area.add_role_holder(&home.admin, ROLE, program).await.unwrap();
    // A program administers, as who it is.
    home.group("more", &[]).await;
    let caller = home.caller(program);
    area.add_role_holder(&caller, ROLE, home.user("ann@example.org").await).await.unwrap();
    assert_eq!(area.role_holders(&other.admin, ROLE).unwrap(), BTreeSet::from([other.admin.object_id]));
}
