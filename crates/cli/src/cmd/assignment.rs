//! `portcullis assignment`: role assignments of Azure RBAC.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{InSubscription, cluster, group::principal, role};
use crate::{
    address::resource_id,
    client::{Client, ROLES, encode},
    output::{self, Column, OutputArgs},
};

#[derive(Debug, Subcommand)]
pub enum AssignmentCommand {
    /// Give somebody a role at a scope, and everywhere below it
    #[command(after_help = "Examples:
  portcullis assignment create --assignee alice@example.org --role Reader
  portcullis assignment create --assignee sre --role 'Azure Kubernetes Service RBAC Writer' --cluster c1 --namespace web
  portcullis assignment create --assignee ID --role Contributor -g rg1 --description 'build'")]
    Create {
        /// User principal name, name of a group or service principal, object id or application id
        #[arg(long)]
        assignee: String,
        /// Name, GUID or resource id of the role
        #[arg(long)]
        role: String,
        #[command(flatten)]
        place: PlaceArgs,
        /// Condition, version 2.0
        #[arg(long, value_name = "TEXT")]
        condition: Option<String>,
        /// Why it was given
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List assignments at a scope and above it, or below it in a subscription
    #[command(after_help = "Examples:
  portcullis assignment list
  portcullis assignment list --assignee alice@example.org
  portcullis assignment list --cluster c1")]
    List {
        #[command(flatten)]
        place: PlaceArgs,
        /// Only those of one principal, through its groups too
        #[arg(long)]
        assignee: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show one assignment
    #[command(after_help = "Examples:
  portcullis assignment show NAME -o json")]
    Show {
        /// Name, as `list` shows it, or the whole resource id
        id: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Change why, or under which condition, a role was given; who, which role and where stay
    #[command(after_help = "Examples:
  portcullis assignment update NAME --description 'until the migration is over'")]
    Update {
        /// Name, as `list` shows it, or the whole resource id
        id: String,
        /// Condition, version 2.0; empty for none
        #[arg(long, value_name = "TEXT")]
        condition: Option<String>,
        /// Why it was given
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Take an assignment away, at once
    #[command(after_help = "Examples:
  portcullis assignment delete NAME
  portcullis assignment delete --assignee alice@example.org --role Reader -g rg1")]
    Delete {
        /// Name, as `list` shows it, or the whole resource id
        #[arg(required_unless_present = "assignee", conflicts_with_all = ["assignee", "role"])]
        id: Option<String>,
        /// User principal name, name of a group or service principal, object id or application id
        #[arg(long, requires = "role")]
        assignee: Option<String>,
        /// Name, GUID or resource id of the role
        #[arg(long, requires = "assignee")]
        role: Option<String>,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

/// Where: a scope, a cluster or a namespace; the subscription that commands act in if nothing is given.
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

pub(crate) async fn run(noun: InSubscription<AssignmentCommand>) -> anyhow::Result<()> {
    let client = Client::open_in(noun.subscription).await?;
    match noun.command {
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
            let mut made = client.put(&path, &json!({"properties": properties})).await?;
            if let Some(members) = made.as_object_mut() {
                members.insert("principalName".into(), assignee.into());
                members.insert(
                    "roleName".into(),
                    role.pointer("/properties/roleName").cloned().unwrap_or_default(),
                );
            }
            output.one(&SHOW_COLUMNS, &made);
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
        AssignmentCommand::Show { id, output } => {
            let found = client.get(&path(&client, &id).await?).await?;
            let scope = scope_of(&found);
            let mut found = [found];
            name_them(&client, &scope, &mut found).await?;
            let [found] = found;
            output.one(&SHOW_COLUMNS, &found);
        }
        AssignmentCommand::Update { id, condition, description, output } => {
            if condition.is_none() && description.is_none() {
                bail!("say what to change of {id}: --condition or --description");
            }
            let change = |object: &mut Value| {
                let Some(members) = object.get_mut("properties").and_then(Value::as_object_mut) else {
                    return;
                };
                if let Some(condition) = &condition {
                    let condition = Some(condition.as_str()).filter(|text| !text.is_empty());
                    members.insert("conditionVersion".into(), condition.map(|_| "2.0").into());
                    members.insert("condition".into(), condition.into());
                }
                if let Some(description) = &description {
                    members.insert("description".into(), description.as_str().into());
                }
            };
            output.one(&COLUMNS, &client.update(&path(&client, &id).await?, change).await?);
        }
        AssignmentCommand::Delete { id: Some(id), .. } => {
            client
                .delete_resource(&path(&client, &id).await?, &format!("there is no assignment {id}"))
                .await?;
            output::say(format_args!("Deleted {id}"));
        }
        AssignmentCommand::Delete { id: None, assignee, role, place } => {
            let (assignee, role) = (assignee.unwrap_or_default(), role.unwrap_or_default());
            let scope = place.scope(&client).await?;
            let id = find(&client, &scope, &assignee, &role).await?;
            let missing = format!("the assignment {id} is not there any more");
            client.delete_resource(&path(&client, &id).await?, &missing).await?;
            output::say(format_args!("Deleted {id}"));
        }
    }
    Ok(())
}

/// The direct assignment (not through a group) of a role to a principal at exactly this scope.
async fn find(client: &Client, scope: &str, assignee: &str, role: &str) -> anyhow::Result<String> {
    let principal = principal(client, assignee).await?;
    let definition = role::find(client, scope, role).await?;
    let filter = encode(&format!("principalId eq '{principal}'"));
    let known = client.list(&format!("{}?{ROLES}&$filter={filter}", assignments(scope))).await?;
    let wanted = definition.get("name").and_then(Value::as_str).unwrap_or_default();
    let id = known.iter().find(|each| {
        let text = |pointer: &str| each.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        // The same definition has an id at every scope; its name is one.
        let role = text("/properties/roleDefinitionId").rsplit('/').next().unwrap_or_default();
        role.eq_ignore_ascii_case(wanted) && text("/properties/scope").eq_ignore_ascii_case(scope)
    });
    let id = id.and_then(|found| found.get("id")).and_then(Value::as_str);
    let id = id.with_context(|| {
        format!("{assignee} has no assignment of \"{role}\" at {scope}: `portcullis assignment list` shows those there are")
    })?;
    Ok(id.to_owned())
}

/// The path of an assignment, given by resource id, or by name, which is searched in the subscription.
async fn path(client: &Client, id: &str) -> anyhow::Result<String> {
    if id.to_ascii_lowercase().contains("/providers/microsoft.authorization/roleassignments/") {
        return Ok(format!("{}?{ROLES}", resource_id(id)?));
    }
    if Uuid::parse_str(id).is_err() {
        bail!(
            "\"{id}\" is not the name or resource id of an assignment: `portcullis assignment list` shows them"
        );
    }
    let scope = format!("/subscriptions/{}", client.subscription().await?);
    let known = client.list(&format!("{}?{ROLES}", assignments(&scope))).await?;
    let text = |each: &Value, member: &str| each.get(member).and_then(Value::as_str).map(str::to_owned);
    let named =
        known.iter().find(|each| text(each, "name").is_some_and(|name| name.eq_ignore_ascii_case(id)));
    let found = named.and_then(|each| text(each, "id"));
    let found = found.with_context(|| {
        format!("no assignment that you may see has the name {id}: give its whole resource id (`-o json` shows it)")
    })?;
    Ok(format!("{found}?{ROLES}"))
}

fn scope_of(assignment: &Value) -> String {
    let scope = assignment.pointer("/properties/scope").and_then(Value::as_str);
    scope.unwrap_or("/").to_owned()
}

impl PlaceArgs {
    async fn scope(&self, client: &Client) -> anyhow::Result<String> {
        if let Some(scope) = &self.scope {
            client.check_scope_alone()?;
            return resource_id(scope).context("--scope");
        }
        let subscription = client.subscription().await?;
        let Some(cluster) = &self.cluster else {
            let group =
                self.resource_group.as_ref().map(|group| format!("/resourceGroups/{}", encode(group)));
            return Ok(format!("/subscriptions/{subscription}{}", group.unwrap_or_default()));
        };
        let id = cluster::path(client, self.resource_group.as_deref(), cluster).await?;
        Ok(match &self.namespace {
            Some(namespace) => format!("{id}/namespaces/{}", encode(namespace)),
            None => id,
        })
    }
}

/// Adds the names of principals and roles to their ids.
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
        // The same definition has an id at every scope; its name is one.
        let role = role.as_str().and_then(domain::role::parse_definition_id).map(|role| role.to_string());
        let role = roles.iter().find(|known| known.get("name").and_then(Value::as_str) == role.as_deref());
        let role = role.and_then(|role| role.pointer("/properties/roleName")).cloned();
        let name = name.cloned().unwrap_or(principal);
        let is_conditional = each.pointer("/properties/condition").is_some_and(Value::is_string);
        if let Some(members) = each.as_object_mut() {
            members.insert("principalName".into(), name);
            members.insert("roleName".into(), role.unwrap_or_default());
            members.insert("hasCondition".into(), is_conditional.into());
        }
    }
    Ok(())
}

fn assignments(scope: &str) -> String {
    format!("{}/providers/Microsoft.Authorization/roleAssignments", scope.trim_end_matches('/'))
}

const COLUMNS: [Column; 3] =
    [("PRINCIPAL", "/properties/principalId"), ("SCOPE", "/properties/scope"), ("NAME", "/name")];
const SHOW_COLUMNS: [Column; 6] = [
    ("PRINCIPAL", "/principalName"),
    ("ROLE", "/roleName"),
    ("SCOPE", "/properties/scope"),
    ("CONDITION", "/properties/condition"),
    ("DESCRIPTION", "/properties/description"),
    ("NAME", "/name"),
];
const LIST_COLUMNS: [Column; 5] = [
    ("PRINCIPAL", "/principalName"),
    ("ROLE", "/roleName"),
    ("SCOPE", "/properties/scope"),
    ("CONDITION", "/hasCondition"),
    ("NAME", "/name"),
];
