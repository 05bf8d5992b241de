//! The tenant segment of an authority URL: one tenant, by id or domain, or any (`common`, `organizations`).

use std::sync::Arc;

use app::App;
use domain::{id::TenantId, tenant::Tenant};

use crate::error::{Failure, codes};

/// The tenant that a request addresses.
#[derive(Clone, Debug)]
pub(crate) enum Authority {
    /// `common` or `organizations`: the account that signs in determines the tenant.
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

    /// The segment for URLs that this server writes.
    pub(crate) fn segment(&self) -> String {
        match self {
            Self::Any(alias) => (*alias).to_owned(),
            Self::Tenant(tenant) => tenant.id.to_string(),
        }
    }

    /// The token endpoint in every form that clients may use: with the tenant's id or any of its domains, version 1
    /// or 2. The audience of a client assertion is one of these, or the issuer.
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
