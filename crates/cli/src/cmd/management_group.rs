//! `portcullis management-group`: list, create and delete management groups, and move subscriptions.

use anyhow::bail;
use clap::Subcommand;
use domain::{name::ResourceName, scope::Scope};
use serde_json::json;

use crate::{
    client::{Client, MANAGEMENT_GROUPS, encode},
    confirm::ConfirmArgs,
    output::{self, Column, OutputArgs},
};

#[derive(Debug, Subcommand)]
pub enum ManagementGroupCommand {
    /// List the management groups that you may see
    #[command(after_help = "Examples:
  portcullis management-group list
  portcullis management-group list -o json")]
    List(OutputArgs),
    /// Make a management group, which is yours from then on
    #[command(after_help = "Examples:
  portcullis management-group create retail
  portcullis management-group create tills --display-name Tills --parent retail")]
    Create {
        /// Name of the group
        name: String,
        /// What people call it; the name if absent
        #[arg(long)]
        display_name: Option<String>,
        /// The group above it; the root group if absent
        #[arg(long)]
        parent: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Delete an empty management group
    #[command(after_help = "Examples:
  portcullis management-group delete tills --yes")]
    Delete {
        /// Name of the group
        name: String,
        #[command(flatten)]
        confirm: ConfirmArgs,
    },
    /// Move a subscription into a management group
    #[command(after_help = "Examples:
  portcullis management-group add-subscription tills 0b1f6471-1bf0-4dda-aec3-111122223333

It takes the right to move subscriptions at the old and at the new group, and to assign roles in the subscription.")]
    AddSubscription {
        /// Name of the group
        name: String,
        /// Id of the subscription
        subscription: String,
    },
}

pub(crate) async fn run(command: ManagementGroupCommand) -> anyhow::Result<()> {
    let client = Client::open().await?;
    match command {
        ManagementGroupCommand::List(output) => {
            let path = format!("/providers/Microsoft.Management/managementGroups?{MANAGEMENT_GROUPS}");
            output.list(&LISTED, &client.list(&path).await?);
        }
        ManagementGroupCommand::Create { name, display_name, parent, output } => {
            let parent = parent.as_deref().map(scope).transpose()?;
            let body = json!({"properties": {
                "displayName": display_name,
                "details": {"parent": {"id": parent}},
            }});
            let path = format!("{}?{MANAGEMENT_GROUPS}", scope(&name)?);
            output.one(&COLUMNS, &client.put(&path, &body).await?);
        }
        ManagementGroupCommand::Delete { name, confirm } => {
            let path = format!("{}?{MANAGEMENT_GROUPS}", scope(&name)?);
            confirm.ask(&format!("Delete the management group {name} and the role assignments at it?"))?;
            // The server answers a deletion the same way whether or not the group existed.
            if client.find(&path).await?.is_none() {
                bail!(
                    "no management group is named \"{name}\": `portcullis management-group list` shows them"
                );
            }
            client.delete(&path).await?;
            output::say(format_args!("Deleted {name}"));
        }
        ManagementGroupCommand::AddSubscription { name, subscription } => {
            let place = format!("{}/subscriptions/{}", scope(&name)?, encode(&subscription));
            client.put(&format!("{place}?{MANAGEMENT_GROUPS}"), &json!({})).await?;
            output::say(format_args!("{subscription} is in {name}"));
        }
    }
    Ok(())
}

/// The resource id of the management group with this name.
pub(super) fn scope(name: &str) -> anyhow::Result<Scope> {
    Ok(Scope::management_group(&ResourceName::parse(name)?))
}

const LISTED: [Column; 3] = [("NAME", "/name"), ("DISPLAY NAME", "/properties/displayName"), ("ID", "/id")];
const COLUMNS: [Column; 4] = [
    ("NAME", "/name"),
    ("DISPLAY NAME", "/properties/displayName"),
    ("PARENT", "/properties/details/parent/name"),
    ("ID", "/id"),
];
