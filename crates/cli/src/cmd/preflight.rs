//! `portcullis preflight`: the permissions that a cluster's identities need, which of them they have and by which
//! assignment, and the role assignments that would grant the rest.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{cluster::ClusterArgs, group::principal};
use crate::{
    client::{CLUSTERS, Client, ROLES},
    output::{self, Column, Output, OutputArgs},
};

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  portcullis preflight c1 -g rg1
  portcullis preflight c1 -g rg1 --identity build --missing
  portcullis preflight planned -g rg1 --feature customVnet=/subscriptions/.../subnets/nodes
  portcullis preflight planned -g rg1 --file cluster.json
  portcullis preflight c1 -g rg1 --all-features -o json

It exits with 1 if something is missing.")]
pub struct PreflightArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Name or id of the subscription to act in [default: that of the session]
    #[arg(long, value_name = "NAME|ID")]
    subscription: Option<String>,
    /// Who would create and operate the cluster: user principal name, name of a group or service principal, object id
    /// or application id [default: you]
    #[arg(long, value_name = "WHO")]
    identity: Option<String>,
    /// A feature that the cluster uses or would use, with the id of the resource that it is about; may be given
    /// several times
    #[arg(long = "feature", value_name = "NAME[=ID]")]
    features: Vec<String>,
    /// Ask for every feature there is
    #[arg(long)]
    all_features: bool,
    /// A cluster that is planned: the body, or its properties, as for `az aks create`
    #[arg(long, value_name = "JSON")]
    file: Option<PathBuf>,
    /// Show only what is missing
    #[arg(long)]
    missing: bool,
    /// Grant what is missing, by one assignment for each identity
    #[arg(long)]
    grant: bool,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) async fn run(arguments: PreflightArgs) -> anyhow::Result<()> {
    let client = Client::open_in(arguments.subscription.clone()).await?;
    let path = format!("{}/preflight?{CLUSTERS}", arguments.cluster.path(&client).await?);
    let body = arguments.body(&client).await?;
    let mut report = client.post(&path, &body).await?;
    if arguments.grant {
        for proposal in list(&report, "/proposals") {
            grant(&client, &proposal).await?;
        }
        report = client.post(&path, &body).await?;
    }
    let missing = count(&report, "missing");
    match arguments.output.output {
        Output::Json => arguments.output.one(&[], &report),
        Output::Table => {
            let rows: Vec<Value> = list(&report, "/needs").iter().flat_map(rows).collect();
            let shown = |row: &Value| !arguments.missing || row.get("state") == Some(&"missing".into());
            let rows: Vec<Value> = rows.into_iter().filter(shown).collect();
            if rows.is_empty() {
                output::say(format_args!("Nothing is missing"));
            } else {
                arguments.output.list(&COLUMNS, &rows);
            }
            for proposal in list(&report, "/proposals") {
                output::say(format_args!("\n{}", advice(&proposal)));
            }
        }
    }
    if missing > 0 {
        bail!("{missing} permissions are missing");
    }
    Ok(())
}

impl PreflightArgs {
    async fn body(&self, client: &Client) -> anyhow::Result<Value> {
        let mut features = Map::new();
        for feature in &self.features {
            let (name, resource) = match feature.split_once('=') {
                Some((name, resource)) => (name, Value::from(resource)),
                None => (feature.as_str(), Value::Null),
            };
            if features.insert(name.to_owned(), resource).is_some() {
                bail!("the feature \"{name}\" is given twice");
            }
        }
        let mut body = json!({"features": features, "allFeatures": self.all_features});
        if let Some(identity) = &self.identity {
            set(&mut body, "creator", principal(client, identity).await?.into());
        }
        if let Some(file) = &self.file {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
            let planned: Value = serde_json::from_str(&text)
                .with_context(|| format!("{}: expected a cluster as JSON", file.display()))?;
            let properties = planned.get("properties").cloned().unwrap_or(planned);
            set(&mut body, "properties", properties);
        }
        Ok(body)
    }
}

/// One row for each permission of a need.
fn rows(need: &Value) -> Vec<Value> {
    let member = |name: &str| need.get(name).cloned().unwrap_or_default();
    let permissions = need.get("permissions").and_then(Value::as_array).cloned().unwrap_or_default();
    let row = |permission: Value| {
        let text = |name: &str| permission.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let state = text("state");
        let why = match state.as_str() {
            "held" => format!("{} at {}", text("roleName"), text("assignedAt")),
            "promised" => "comes with the cluster".to_owned(),
            _ => format!("to {}", need.get("reason").and_then(Value::as_str).unwrap_or_default()),
        };
        json!({
            "identity": member("identity"), "feature": member("feature"), "action": text("action"),
            "state": state, "why": why, "scope": member("scope"),
        })
    };
    permissions.into_iter().map(row).collect()
}

/// The remedy, as `az` commands.
fn advice(proposal: &Value) -> String {
    let text = |pointer: &str| proposal.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (identity, scope, role) = (text("/identity"), text("/scope"), text("/role/roleName"));
    let mut lines = vec![format!("The {identity} identity lacks something. This gives it what is missing:")];
    if text("/role/id").is_empty() {
        let definition = json!({
            "Name": role, "Description": "", "AssignableScopes": [scope],
            "Actions": proposal.pointer("/role/permissions/0/actions"),
        });
        lines.push(format!("  az role definition create --role-definition '{definition}'"));
    }
    let assignee = match text("/principalId") {
        "" => "ID".to_owned(),
        id => id.to_owned(),
    };
    lines
        .push(format!("  az role assignment create --assignee {assignee} --role '{role}' --scope '{scope}'"));
    if assignee == "ID" {
        lines.push("  ID: the identity does not exist yet, it is made with the cluster".to_owned());
    }
    lines.join("\n")
}

/// Creates the role if it does not exist, and the assignment.
async fn grant(client: &Client, proposal: &Value) -> anyhow::Result<()> {
    let text = |pointer: &str| proposal.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (scope, principal) = (text("/scope"), text("/principalId"));
    if principal.is_empty() {
        output::note(format_args!(
            "The {} identity is made with the cluster: grant it what it lacks then",
            text("/identity")
        ));
        return Ok(());
    }
    let at = if scope == "/" { "" } else { scope };
    let role = match text("/role/id") {
        "" => {
            let id = Uuid::new_v4().to_string();
            let path = format!("{at}/providers/Microsoft.Authorization/roleDefinitions/{id}?{ROLES}");
            // The name may be the same for several clusters; each has its own role.
            let mut role = proposal.get("role").cloned().unwrap_or_default();
            let name = format!("{} ({})", text("/role/roleName"), id.get(..8).unwrap_or_default());
            set(&mut role, "roleName", name.into());
            client.put(&path, &json!({"properties": role})).await?;
            id
        }
        id => id.to_owned(),
    };
    let path = format!("{at}/providers/Microsoft.Authorization/roleAssignments/{}?{ROLES}", Uuid::new_v4());
    let properties = json!({
        "roleDefinitionId": format!("/providers/Microsoft.Authorization/roleDefinitions/{role}"),
        "principalId": principal,
        "description": "What the preflight report found missing",
    });
    client.put(&path, &json!({"properties": properties})).await?;
    Ok(())
}

fn list(report: &Value, pointer: &str) -> Vec<Value> {
    report.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn count(report: &Value, state: &str) -> usize {
    let needs = list(report, "/needs");
    needs.iter().flat_map(rows).filter(|row| row.get("state") == Some(&state.into())).count()
}

fn set(object: &mut Value, member: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(member.to_owned(), value);
    }
}

const COLUMNS: [Column; 5] = [
    ("IDENTITY", "/identity"),
    ("FEATURE", "/feature"),
    ("PERMISSION", "/action"),
    ("STATE", "/state"),
    ("THROUGH, OR WHAT FOR", "/why"),
];
