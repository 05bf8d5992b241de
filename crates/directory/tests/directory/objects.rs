//! Users, groups, applications and their owners: what each caller may, and what is not there for another tenant.

use directory::{groups::GroupUpdate, owners::Owned, users::UserUpdate};
use domain::name::DisplayName;
use state::Error;
use testkit::{ELSEWHERE, World, new_user};

use super::{area, is_forbidden, is_missing};

#[tokio::test]
async fn a_user_name_is_of_one_user_of_the_tenant() {
    let world = World::with_two_tenants().await;
    let (home, area) = (&world.home, area(&world));
    let ann = home.user("ann@example.org").await;
    let again = area.create_user(&home.admin, new_user("ANN@example.org")).await;
    assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{again:?}");
    assert!(area.create_user(&home.admin, new_user("ann@elsewhere.example")).await.is_err());
    assert!(is_forbidden(area.create_user(&home.caller(ann), new_user("bob@example.org")).await));
    assert_eq!(area.find_user(&home.admin, "Ann@Example.org").unwrap().id, ann);
    area.delete_user(&home.admin, ann).await.unwrap();
    assert_ne!(home.user("ann@example.org").await, ann);
}

#[tokio::test]
async fn owners_change_what_they_own_and_nothing_else() {
    let world = World::new().await;
    let (home, area) = (&world.home, area(&world));
    let ann = home.person("ann@example.org").await;
    let (own, other) = (home.group("own", &[]).await, home.group("other", &[]).await);
    area.add_owner(&home.admin, Owned::Group(own), ann.object_id).await.unwrap();
    let rename = || GroupUpdate {
        display_name: Some(DisplayName::parse("renamed").unwrap()),
        ..GroupUpdate::default()
    };
    area.update_group(&ann, own, rename()).await.unwrap();
    assert!(is_forbidden(area.update_group(&ann, other, rename()).await));
    let bob = home.user("bob@example.org").await;
    area.add_member(&ann, own, bob).await.unwrap();
    assert!(is_forbidden(area.add_member(&ann, other, bob).await));
    area.remove_owner(&home.admin, Owned::Group(own), ann.object_id).await.unwrap();
    assert!(is_forbidden(area.remove_member(&ann, own, bob).await));
}

#[tokio::test]
async fn groups_take_members_of_the_own_tenant_and_no_circles() {
    let world = World::with_two_tenants().await;
    let (home, other, area) = (&world.home, world.tenant(ELSEWHERE), area(&world));
    let inner = home.group("inner", &[]).await;
    let outer = home.group("outer", &[inner]).await;
    assert!(area.add_member(&home.admin, inner, outer).await.is_err());
    assert!(area.add_member(&home.admin, inner, inner).await.is_err());
    let eve = other.user("eve@elsewhere.example").await;
    assert!(is_missing(area.add_member(&home.admin, inner, eve).await));
    assert!(is_missing(area.add_member(&other.admin, inner, eve).await));
    assert!(is_missing(area.find_group(&other.admin, inner)));
}

#[tokio::test]
async fn what_is_not_of_the_tenant_is_not_there() {
    let world = World::with_two_tenants().await;
    let (home, area) = (&world.home, area(&world));
    let stranger = &world.tenant(ELSEWHERE).admin;
    let ann = home.user("ann@example.org").await;
    let till = home.application("till").await;
    assert!(is_missing(area.find_user(stranger, "ann@example.org")));
    assert!(is_missing(area.update_user(stranger, ann, UserUpdate::default()).await));
    assert!(is_missing(area.delete_user(stranger, ann).await));
    assert!(is_missing(area.delete_application(stranger, till.application).await));
    assert!(is_missing(area.delete_service_principal(stranger, till.principal).await));
    assert!(is_missing(area.create_service_principal(stranger, till.app_id).await));
    assert!(is_missing(area.set_service_principal_enabled(stranger, till.principal, false).await));
}
