//! Graph's router asked in process, by the administrator of a tenant, by members of it, and by the administrator of
//! another tenant.

mod apart;
mod at_once;
mod objects;

use app::Caller;
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

    async fn client(&self, tenant: &Tenant, caller: &Caller) -> Client {
        self.anonymous().bearer(&tenant.token(caller).await)
    }
}

/// `403 Authorization_RequestDenied`, or the bare status of what went well.
fn outcome(answer: &testkit::Answer) -> String {
    let status = answer.status.as_u16();
    match answer.json()["error"]["code"].as_str() {
        Some(code) => format!("{status} {code}"),
        None => status.to_string(),
    }
}

const DENIED: &str = "403 Authorization_RequestDenied";
const MISSING: &str = "404 Request_ResourceNotFound";
