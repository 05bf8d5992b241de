//! `portcullis assignment`: who has which role where.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{cluster::cluster_path, group::principal, role};
use crate::{
    client::{CLUSTERS, Client, ROLES, encode},
    output::{Column, OutputArgs},
};

#[derive(Debug, Subcommand)]
pub enum AssignmentCommand {
    /// Give somebody a role at a scope, and everywhere below it
    Create {
        /// Principal name, group name, object id or application id
        #[arg(long)]
        assignee: String,
        /// Name or id of the role
        #[arg(long)]
        role: String,
        #[command(flatten)]
        place: PlaceArgs,
        /// Condition, version 2.0
        #[arg(long)]
        condition: Option<String>,
        #[arg(long)]
        description: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List assignments
    List {
        #[command(flatten)]
        place: PlaceArgs,
        /// Only those of one principal, through its groups too
        #[arg(long)]
        assignee: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Take an assignment away, at once
    Delete {
        /// The whole resource id, as `list` shows it
        id: String,
    },
}

/// Where: a scope, a cluster or a namespace; the subscription if nothing is given.
#[derive(Args, Clone, Debug)]
pub struct PlaceArgs {
    /// Resource id of the scope
    #[arg(long, conflicts_with_all = ["cluster", "namespace"])]
    scope: Option<String>,
    /// Name of a cluster
    #[arg(long)]
    cluster: Option<String>,
    /// Resource group, or that of the cluster
    #[arg(short = 'g', long)]
    resource_group: Option<String>,
    /// Namespace of the cluster
    #[arg(long, requires = "cluster")]
    namespace: Option<String>,
}

pub(crate) async fn run(command: AssignmentCommand) -> anyhow::Result<()> {
    let client = Client::open().await?;
    match command {
        AssignmentCommand::Create { assignee, role, place, condition, description, output } => {
            let scope = place.scope(&client).await?;
            let principal = principal(&client, &assignee).await?;
            let role = role::find(&client, &scope, &role).await?;
            let mut properties = json!({
                "roleDefinitionId": role.get("id"),
                "principalId": principal,
                "description": description,
            });
            if let (Some(condition), Some(members)) = (condition, properties.as_object_mut()) {
                members.insert("condition".into(), condition.into());
                members.insert("conditionVersion".into(), "2.0".into());
            }
            let path = format!("{}/{}?{ROLES}", assignments(&scope), Uuid::new_v4());
            output.one(&COLUMNS, &client.put(&path, &json!({"properties": properties})).await?);
        }
        AssignmentCommand::List { place, assignee, output } => {
            let scope = place.scope(&client).await?;
            let filter = match assignee {
                None => String::new(),
                Some(assignee) => {
                    format!(
                        "&$filter={}",
                        encode(&format!("assignedTo('{}')", principal(&client, &assignee).await?))
                    )
                }
            };
            let mut found = client.list(&format!("{}?{ROLES}{filter}", assignments(&scope))).await?;
            name_them(&client, &scope, &mut found).await?;
            output.list(&LIST_COLUMNS, &found);
        }
        AssignmentCommand::Delete { id } => {
            if !id.to_ascii_lowercase().contains("/providers/microsoft.authorization/roleassignments/") {
                bail!(
                    "\"{id}\" is not the resource id of an assignment: `portcullis assignment list` shows them"
                );
            }
            client.delete(&format!("{id}?{ROLES}")).await?;
            println!("Deleted {id}");
        }
    }
    Ok(())
}

impl PlaceArgs {
    async fn scope(&self, client: &Client) -> anyhow::Result<String> {
        if let Some(scope) = &self.scope {
            return Ok(scope.clone());
        }
        let subscription = client.subscription().await?;
        let Some(cluster) = &self.cluster else {
            let group =
                self.resource_group.as_ref().map(|group| format!("/resourceGroups/{}", encode(group)));
            return Ok(format!("/subscriptions/{subscription}{}", group.unwrap_or_default()));
        };
        let id = match &self.resource_group {
            Some(group) => cluster_path(&subscription, group, cluster),
            None => {
                let path = format!(
                    "/subscriptions/{subscription}/providers/Microsoft.ContainerService/managedClusters?{CLUSTERS}"
                );
                let all = client.list(&path).await?;
                let named = all.iter().find(|each| each.get("name").and_then(Value::as_str) == Some(cluster));
                let id = named.and_then(|each| each.get("id")).and_then(Value::as_str);
                id.with_context(|| {
                    format!("no cluster named \"{cluster}\" that you may see: give its group with -g")
                })?
                .to_owned()
            }
        };
        Ok(match &self.namespace {
            Some(namespace) => format!("{id}/namespaces/{}", encode(namespace)),
            None => id,
        })
    }
}

/// Puts the names of principals and roles beside their ids.
async fn name_them(client: &Client, scope: &str, found: &mut [Value]) -> anyhow::Result<()> {
    let ids: Vec<&Value> = found.iter().filter_map(|each| each.pointer("/properties/principalId")).collect();
    let names = client.post("/v1.0/directoryObjects/getByIds", &json!({"ids": ids})).await?;
    let names = names.get("value").and_then(Value::as_array).cloned().unwrap_or_default();
    let base = format!("{}/providers/Microsoft.Authorization/roleDefinitions", scope.trim_end_matches('/'));
    let roles = client.list(&format!("{base}?{ROLES}")).await?;
    for each in found {
        let principal = each.pointer("/properties/principalId").cloned().unwrap_or_default();
        let object = names.iter().find(|object| object.get("id") == Some(&principal));
        let name =
            object.and_then(|object| object.get("userPrincipalName").or_else(|| object.get("displayName")));
        let role = each.pointer("/properties/roleDefinitionId").cloned().unwrap_or_default();
        let role = roles.iter().find(|known| known.get("id") == Some(&role));
        let role = role.and_then(|role| role.pointer("/properties/roleName")).cloned();
        let name = name.cloned().unwrap_or(principal);
        if let Some(members) = each.as_object_mut() {
            members.insert("principalName".into(), name);
            members.insert("roleName".into(), role.unwrap_or_default());
        }
    }
    Ok(())
}

fn assignments(scope: &str) -> String {
    format!("{}/providers/Microsoft.Authorization/roleAssignments", scope.trim_end_matches('/'))
}

const COLUMNS: [Column; 3] =
    [("PRINCIPAL", "/properties/principalId"), ("SCOPE", "/properties/scope"), ("ID", "/id")];
const LIST_COLUMNS: [Column; 4] =
    [("PRINCIPAL", "/principalName"), ("ROLE", "/roleName"), ("SCOPE", "/properties/scope"), ("ID", "/id")];
