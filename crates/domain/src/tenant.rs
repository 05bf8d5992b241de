//! A tenant: one directory with its domains and administrators.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::{ObjectId, TenantId},
    name::DisplayName,
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    pub id: TenantId,
    pub display_name: DisplayName,
    /// Lower case; the first is the default.
    pub domains: Vec<String>,
    /// Holders of the directory role Global Administrator. They stand here, in one record, so that two
    /// removals at the same time cannot take away the last one.
    pub administrators: BTreeSet<ObjectId>,
    /// Whether public clients that are part of the installation, such as `az`, may send names and passwords.
    #[serde(default)]
    pub password_grant: bool,
    pub created: Timestamp,
}

impl Tenant {
    pub fn default_domain(&self) -> &str {
        self.domains.first().map_or("", String::as_str)
    }

    pub fn has_domain(&self, domain: &str) -> bool {
        self.domains.iter().any(|each| each.eq_ignore_ascii_case(domain))
    }
}
