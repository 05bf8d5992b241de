//! What holds for a tenant as a whole.

use state::Kind;
use std::sync::Arc;

use domain::{change::Record, id::TenantId, tenant::Tenant};

use crate::Directory;
use state::{Caller, Error};

/// What an administrator changes; what is absent stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantUpdate {
    pub password_grant: Option<bool>,
}

impl Directory {
    pub async fn update_tenant(
        &self,
        caller: &Caller,
        id: TenantId,
        update: TenantUpdate,
    ) -> Result<Tenant, Error> {
        self.state
            .transact(|tx| {
                tx.require_administrator(caller, "microsoft.directory/organization/basic/update")?;
                let found = tx.snapshot().directory().tenant(id).filter(|_| id == caller.tenant);
                let mut tenant = Tenant::clone(found.ok_or_else(|| Error::not_found(Kind::Tenant, id))?);
                tenant.password_grant = update.password_grant.unwrap_or(tenant.password_grant);
                tx.put(&Record::Tenant(tenant.clone()))?;
                Ok(tenant)
            })
            .await
    }

    /// The tenant that an address names, by its id or one of its domains. Whoever signs in may know that there is one.
    pub fn tenant_named(&self, name: &str) -> Option<Arc<Tenant>> {
        let snapshot = self.state.snapshot();
        let directory = snapshot.directory();
        let found = match TenantId::parse(name) {
            Ok(id) => directory.tenant(id),
            Err(_) => directory.tenant_by_domain(name),
        };
        found.cloned()
    }

    /// The tenant, if there is but one.
    pub fn only_tenant(&self) -> Option<TenantId> {
        let snapshot = self.state.snapshot();
        let mut tenants = snapshot.directory().tenants();
        let only = tenants.next()?.id;
        tenants.next().is_none().then_some(only)
    }

    /// Whether a client that is part of the installation may send the passwords of a tenant's people: of the tenant
    /// that is named, else of the one that the user name belongs to.
    pub fn takes_passwords(&self, tenant: Option<TenantId>, user_name: &str) -> bool {
        let snapshot = self.state.snapshot();
        let directory = snapshot.directory();
        let by_name = || directory.tenant_by_domain(user_name.trim().rsplit_once('@')?.1);
        tenant.and_then(|id| directory.tenant(id)).or_else(by_name).is_some_and(|found| found.password_grant)
    }
}
