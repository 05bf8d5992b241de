//! Which tenant a path names: by id, by domain, or any (`common`, `organizations`).

use app::App;
use domain::id::TenantId;

use crate::error::OAuthError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TenantName {
    Any,
    One(TenantId),
}

impl TenantName {
    pub(crate) fn resolve(app: &App, name: &str) -> Result<Self, OAuthError> {
        if name.eq_ignore_ascii_case("common") || name.eq_ignore_ascii_case("organizations") {
            return Ok(Self::Any);
        }
        let snapshot = app.snapshot();
        let directory = snapshot.directory();
        let tenant = match TenantId::parse(name) {
            Ok(id) => directory.tenant(id),
            Err(_) => directory.tenant_by_domain(name),
        };
        tenant.map(|tenant| Self::One(tenant.id)).ok_or_else(|| OAuthError::unknown_tenant(name))
    }

    pub(crate) fn one(self) -> Option<TenantId> {
        match self {
            Self::Any => None,
            Self::One(id) => Some(id),
        }
    }
}
