//! `portcullis role`: role definitions.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::Value;
use uuid::Uuid;

use super::InSubscription;
use crate::{
    client::{Client, ROLES, quote},
    output::{self, Column, Output, OutputArgs},
};

#[derive(Debug, Subcommand)]
pub enum RoleCommand {
    /// List roles
    #[command(after_help = "Examples:
  portcullis role list
  portcullis role list --custom")]
    List {
        /// Only those that somebody here has made
        #[arg(long)]
        custom: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show one role, with what it allows
    #[command(after_help = "Examples:
  portcullis role show 'Azure Kubernetes Service RBAC Reader'
  portcullis role show Owner -o json")]
    Show {
        /// Name, GUID or resource id
        role: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Make a custom role from a JSON file
    #[command(after_help = EXAMPLE_FILE)]
    Create {
        /// The role: roleName, description, assignableScopes, permissions
        #[arg(long, value_name = "JSON")]
        file: PathBuf,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Change a custom role: the file says all of it
    #[command(after_help = "Examples:
  portcullis role update 'Pod reader' --file role.json")]
    Update {
        /// Name, GUID or resource id
        role: String,
        /// The role: roleName, description, assignableScopes, permissions
        #[arg(long, value_name = "JSON")]
        file: PathBuf,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Delete a custom role that nobody has
    #[command(after_help = "Examples:
  portcullis role delete 'Pod reader'")]
    Delete {
        /// Name, GUID or resource id
        role: String,
    },
}

pub(crate) async fn run(noun: InSubscription<RoleCommand>) -> anyhow::Result<()> {
    let client = Client::open_in(noun.subscription).await?;
    match noun.command {
        RoleCommand::List { custom, output } => {
            let scope = scope(&client).await?;
            let mut roles = client
                .list(&format!("{scope}/providers/Microsoft.Authorization/roleDefinitions?{ROLES}"))
                .await?;
            let is_custom = |role: &Value| role.pointer("/properties/type") == Some(&"CustomRole".into());
            roles.retain(|role| !custom || is_custom(role));
            output.list(&COLUMNS, &roles);
        }
        RoleCommand::Show { role, output } => {
            let scope = scope(&client).await?;
            let found = find(&client, &scope, &role).await?;
            match output.output {
                Output::Json => output.one(&COLUMNS, &found),
                Output::Table => output.list(&RULE_COLUMNS, &rules(&found)),
            }
        }
        RoleCommand::Create { file, output } => {
            let scope = scope(&client).await?;
            let role = put(&client, &scope, &Uuid::new_v4().to_string(), &file).await?;
            output.one(&COLUMNS, &role);
        }
        RoleCommand::Update { role, file, output } => {
            let scope = scope(&client).await?;
            let id = name(&find(&client, &scope, &role).await?);
            output.one(&COLUMNS, &put(&client, &scope, &id, &file).await?);
        }
        RoleCommand::Delete { role } => {
            let scope = scope(&client).await?;
            let id = name(&find(&client, &scope, &role).await?);
            let path = format!("{scope}/providers/Microsoft.Authorization/roleDefinitions/{id}?{ROLES}");
            client.delete_resource(&path, &format!("the role {role} is not there any more")).await?;
            output::say(format_args!("Deleted {role}"));
        }
    }
    Ok(())
}

/// Finds a role that can be assigned at a scope, by name, GUID or resource id. Only the GUID of a resource id counts:
/// a definition has one resource id at every scope.
pub(crate) async fn find(client: &Client, scope: &str, role: &str) -> anyhow::Result<Value> {
    let base = format!("{}/providers/Microsoft.Authorization/roleDefinitions", scope.trim_end_matches('/'));
    if let Some(id) = domain::role::parse_definition_id(role) {
        let found = client.find(&format!("{base}/{id}?{ROLES}")).await?;
        return found
            .with_context(|| format!("no role has the id {role}: `portcullis role list` shows them"));
    }
    let found = client.list(&format!("{base}?{ROLES}&$filter=roleName%20eq%20{}", quote(role))).await?;
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => bail!("no role is named \"{role}\": `portcullis role list` shows them"),
        several => bail!("{} roles are named \"{role}\": give the id", several.len()),
    }
}

async fn put(client: &Client, scope: &str, id: &str, file: &Path) -> anyhow::Result<Value> {
    let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let value: Value =
        serde_json::from_slice(&bytes).with_context(|| format!("{} is not JSON", file.display()))?;
    let body = match value.get("properties") {
        Some(_) => value,
        None => serde_json::json!({"properties": value}),
    };
    client
        .put(&format!("{scope}/providers/Microsoft.Authorization/roleDefinitions/{id}?{ROLES}"), &body)
        .await
}

async fn scope(client: &Client) -> anyhow::Result<String> {
    Ok(format!("/subscriptions/{}", client.subscription().await?))
}

/// One row for each action and excluded action of a role.
fn rules(role: &Value) -> Vec<Value> {
    let permissions = role.pointer("/properties/permissions").and_then(Value::as_array);
    let mut lines = Vec::new();
    for permission in permissions.into_iter().flatten() {
        for kind in ["actions", "notActions", "dataActions", "notDataActions"] {
            for action in permission.get(kind).and_then(Value::as_array).into_iter().flatten() {
                let role = role.pointer("/properties/roleName");
                lines.push(serde_json::json!({"role": role, "kind": kind, "action": action}));
            }
        }
    }
    lines
}

fn name(role: &Value) -> String {
    role.get("name").and_then(Value::as_str).unwrap_or_default().to_owned()
}

const COLUMNS: [Column; 3] =
    [("ROLE", "/properties/roleName"), ("KIND", "/properties/type"), ("ID", "/name")];
const RULE_COLUMNS: [Column; 3] = [("ROLE", "/role"), ("KIND", "/kind"), ("ACTION", "/action")];

const EXAMPLE_FILE: &str = r#"Examples:
  portcullis role create --file role.json

with role.json:
  {
    "roleName": "Pod reader",
    "description": "Sees pods and nothing else",
    "assignableScopes": ["/subscriptions/SUBSCRIPTION"],
    "permissions": [{"dataActions": ["Microsoft.ContainerService/managedClusters/pods/read"]}]
  }"#;
