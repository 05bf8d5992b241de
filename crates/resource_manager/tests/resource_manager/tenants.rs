//! An assignment at `/` reaches everything of its holder's tenant, and nothing of another.

use domain::scope::Scope;
use state::{authorize, principal_status};
use testkit::{ELSEWHERE, World};

use crate::{area, is_forbidden};

#[tokio::test]
async fn an_owner_of_everything_reaches_nothing_of_another_tenant() {
    let world = World::with_two_tenants().await;
    let (home, elsewhere) = (&world.home, world.tenant(ELSEWHERE));
    let group = elsewhere.resource_group("apps").await;
    let cluster = elsewhere.cluster("prod").await;
    let snapshot = world.app.whole_snapshot();
    assert!(principal_status::is_enabled(&snapshot, home.admin.object_id));
    let may = |caller, scope: &Scope| authorize::may(&snapshot, caller, "*/read", scope, world.app.now());
    let cluster = Scope::parse(&cluster.resource_id()).unwrap();
    for scope in [&group, &cluster, &elsewhere.scope(), &elsewhere.root()] {
        assert!(may(&elsewhere.admin, scope), "{scope}");
        assert!(!may(&home.admin, scope), "{scope}");
    }
    for scope in [&Scope::root(), &home.scope(), &home.root()] {
        assert!(may(&home.admin, scope), "{scope}");
    }
    let found = area(&world).find_resource_group(&home.admin, elsewhere.subscription, "apps");
    assert!(is_forbidden(found));
}
