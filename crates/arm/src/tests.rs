//! Resource Manager's router asked in process, by the administrator of a tenant, by somebody with few rights in it, and
//! by the administrator of another tenant.

mod apart;
mod at_once;
mod resources;

use testkit::{Client, ELSEWHERE, Tenant, World};

struct Stage {
    world: World,
    router: axum::Router,
}

impl Stage {
    async fn new() -> Self {
        let world = World::with_two_tenants().await;
        let router = crate::routes().with_state(world.app.clone());
        Self { world, router }
    }

    fn elsewhere(&self) -> &Tenant {
        self.world.tenant(ELSEWHERE)
    }

    fn anonymous(&self) -> Client {
        Client::new(self.router.clone())
    }

    /// Who owns all that is in a tenant, and nothing beside. The first administrator of an installation owns more.
    async fn owner(&self, tenant: &Tenant) -> Client {
        let owner = tenant.person(&format!("owner@{}", tenant.domain)).await;
        tenant.assign(owner.object_id, testkit::roles::OWNER, &tenant.root()).await;
        self.anonymous().bearer(&tenant.token(&owner).await)
    }

    async fn admin(&self, tenant: &Tenant) -> Client {
        self.anonymous().bearer(&tenant.token(&tenant.admin).await)
    }
}

/// Asked in one version of the interface; which, makes no difference.
fn versioned(path: &str) -> String {
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}api-version=2022-04-01")
}

/// `403 AuthorizationFailed`, or the bare status of what went well.
fn outcome(answer: &testkit::Answer) -> String {
    let status = answer.status.as_u16();
    match answer.json()["error"]["code"].as_str() {
        Some(code) => format!("{status} {code}"),
        None => status.to_string(),
    }
}
