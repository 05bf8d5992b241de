//! The first segment of an authority's address: one tenant, by id or domain, or any.

use std::sync::Arc;

use app::App;
use domain::{id::TenantId, tenant::Tenant};

use crate::error::{Failure, codes};

/// For whom an endpoint speaks.
#[derive(Clone, Debug)]
pub(crate) enum Authority {
    /// `common` or `organizations`: the person who signs in decides.
    Any(&'static str),
    Tenant(Arc<Tenant>),
}

impl Authority {
    pub(crate) fn parse(app: &App, segment: &str) -> Result<Self, Failure> {
        if let Some(alias) = ALIASES.iter().find(|alias| segment.eq_ignore_ascii_case(alias)) {
            return Ok(Self::Any(alias));
        }
        let shown: String = segment.chars().take(100).flat_map(char::escape_debug).collect();
        let unknown = || Failure::new(&codes::UNKNOWN_TENANT, format!("\"{shown}\" is none."));
        app.directory().tenant_named(segment).map(Self::Tenant).ok_or_else(unknown)
    }

    pub(crate) fn tenant(&self) -> Option<TenantId> {
        match self {
            Self::Any(_) => None,
            Self::Tenant(tenant) => Some(tenant.id),
        }
    }

    /// As it stands in addresses that we write.
    pub(crate) fn segment(&self) -> String {
        match self {
            Self::Any(alias) => (*alias).to_owned(),
            Self::Tenant(tenant) => tenant.id.to_string(),
        }
    }

    /// Where tokens are asked for, as clients may write it: with the tenant's id or any of its domains, in
    /// version 1 or 2. An assertion is made out to one of these, or to the issuer.
    pub(crate) fn token_endpoints(&self, base: &str) -> Vec<String> {
        let segments = match self {
            Self::Any(alias) => vec![(*alias).to_owned()],
            Self::Tenant(tenant) => {
                std::iter::once(tenant.id.to_string()).chain(tenant.domains.clone()).collect()
            }
        };
        segments
            .iter()
            .flat_map(|segment| {
                ["oauth2/v2.0/token", "oauth2/token", "v2.0"].map(|path| format!("{base}/{segment}/{path}"))
            })
            .collect()
    }
}

const ALIASES: [&str; 2] = ["common", "organizations"];
