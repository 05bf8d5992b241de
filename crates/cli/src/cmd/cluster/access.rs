//! The access settings of a cluster (Azure RBAC, admin groups, local accounts): flags, and how they set or change the
//! cluster's properties.

use clap::Args;
use serde_json::{Map, Value, json};

use crate::{client::Client, cmd::group};

#[derive(Args, Clone, Debug, Default)]
pub struct AccessArgs {
    /// Let Azure RBAC decide beside Kubernetes RBAC
    #[arg(long)]
    pub(crate) azure_rbac: bool,
    /// Group, by name or object id, whose members administer the cluster while Azure RBAC is off; may be given
    /// several times
    #[arg(long = "admin-group", value_name = "GROUP")]
    pub(crate) admin_groups: Vec<String>,
    /// Refuse administrator certificates
    #[arg(long)]
    disable_local_accounts: bool,
}

/// The settings that an update changes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Changes {
    pub(super) azure_rbac: Option<bool>,
    pub(super) disable_local_accounts: Option<bool>,
    pub(super) admin_groups: Option<Vec<String>>,
}

impl AccessArgs {
    pub(crate) async fn properties(&self, client: &Client) -> anyhow::Result<Value> {
        Ok(json!({
            "enableRBAC": true,
            "disableLocalAccounts": self.disable_local_accounts,
            "aadProfile": {
                "managed": true,
                "enableAzureRBAC": self.azure_rbac,
                "adminGroupObjectIDs": self.group_ids(client).await?,
            },
        }))
    }

    /// The changes that the given flags request.
    pub(crate) async fn changes(&self, client: &Client) -> anyhow::Result<Changes> {
        let groups = self.group_ids(client).await?;
        Ok(Changes {
            azure_rbac: self.azure_rbac.then_some(true),
            disable_local_accounts: self.disable_local_accounts.then_some(true),
            admin_groups: (!groups.is_empty()).then_some(groups),
        })
    }

    async fn group_ids(&self, client: &Client) -> anyhow::Result<Vec<String>> {
        let mut ids = Vec::new();
        for group in &self.admin_groups {
            ids.push(group::find(client, group).await?);
        }
        Ok(ids)
    }
}

impl Changes {
    /// Applies the changes; other settings stay.
    pub(crate) fn apply(&self, object: &mut Value) {
        let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) else { return };
        if let Some(disable) = self.disable_local_accounts {
            properties.insert("disableLocalAccounts".into(), disable.into());
        }
        if self.azure_rbac.is_none() && self.admin_groups.is_none() {
            return;
        }
        // Absent if the directory integration is not enabled: setting admin groups or Azure RBAC enables it.
        let profile = properties.entry("aadProfile").or_insert(Value::Null);
        if profile.is_null() {
            *profile = Value::Object(Map::new());
        }
        let Some(profile) = profile.as_object_mut() else { return };
        if let Some(azure_rbac) = self.azure_rbac {
            profile.insert("enableAzureRBAC".into(), azure_rbac.into());
        }
        if let Some(groups) = &self.admin_groups {
            profile.insert("adminGroupObjectIDs".into(), json!(groups));
        }
    }
}
