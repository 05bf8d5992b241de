//! `portcullis resource-group`: create, list, tag and delete resource groups.

use anyhow::bail;
use clap::Subcommand;
use domain::name::ResourceName;
use serde_json::{Map, Value, json};

use super::InSubscription;
use crate::{
    client::{Client, GROUPS, encode},
    confirm::ConfirmArgs,
    output::{self, Column, OutputArgs},
};

#[derive(Debug, Subcommand)]
pub enum ResourceGroupCommand {
    /// Make a resource group
    #[command(after_help = "Examples:
  portcullis resource-group create rg1
  portcullis resource-group create rg1 --tag team=sre")]
    Create {
        /// Name of the group
        name: String,
        /// Where its resources are; a word of your own
        #[arg(long, default_value = LOCATION)]
        location: String,
        /// Tag; may be given several times
        #[arg(long = "tag", value_name = "NAME=VALUE")]
        tags: Vec<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List the resource groups that you may see
    #[command(after_help = "Examples:
  portcullis resource-group list")]
    List(OutputArgs),
    /// Show one resource group
    #[command(after_help = "Examples:
  portcullis resource-group show rg1 -o json")]
    Show {
        /// Name of the group
        name: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Replace the tags of a resource group
    #[command(after_help = "Examples:
  portcullis resource-group update rg1 --tag team=sre --tag cost-centre=42")]
    Update {
        /// Name of the group
        name: String,
        /// Tag; may be given several times
        #[arg(long = "tag", value_name = "NAME=VALUE", required = true)]
        tags: Vec<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Delete a resource group with everything in it
    #[command(after_help = "Examples:
  portcullis resource-group delete rg1 --yes")]
    Delete {
        /// Name of the group
        name: String,
        #[command(flatten)]
        confirm: ConfirmArgs,
    },
}

pub(crate) async fn run(noun: InSubscription<ResourceGroupCommand>) -> anyhow::Result<()> {
    let client = Client::open_in(noun.subscription).await?;
    match noun.command {
        ResourceGroupCommand::Create { name, location, tags, output } => {
            let path = path(&client, &name).await?;
            let body = json!({"location": location, "tags": read_tags(&tags)?});
            output.one(&COLUMNS, &client.put(&path, &body).await?);
        }
        ResourceGroupCommand::List(output) => {
            let subscription = client.subscription().await?;
            let groups =
                client.list(&format!("/subscriptions/{subscription}/resourcegroups?{GROUPS}")).await?;
            output.list(&COLUMNS, &groups);
        }
        ResourceGroupCommand::Show { name, output } => {
            output.one(&COLUMNS, &client.get(&path(&client, &name).await?).await?);
        }
        ResourceGroupCommand::Update { name, tags, output } => {
            let path = path(&client, &name).await?;
            output.one(&COLUMNS, &client.patch(&path, &json!({"tags": read_tags(&tags)?})).await?);
        }
        ResourceGroupCommand::Delete { name, confirm } => {
            confirm.ask(&format!("Delete the resource group {name} with everything in it, clusters too?"))?;
            let path = path(&client, &name).await?;
            client.delete_resource(&path, &format!("no resource group is named \"{name}\"")).await?;
            output::say(format_args!("Deleted {name}"));
        }
    }
    Ok(())
}

/// Creates the group if it does not exist.
pub(crate) async fn ensure(client: &Client, name: &str, location: &str) -> anyhow::Result<()> {
    let path = path(client, name).await?;
    if client.find(&path).await?.is_none() {
        client.put(&path, &json!({"location": location})).await?;
    }
    Ok(())
}

fn read_tags(tags: &[String]) -> anyhow::Result<Map<String, Value>> {
    let pairs = tags.iter().map(|tag| match tag.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.into())),
        _ => bail!("--tag: \"{tag}\": expected NAME=VALUE"),
    });
    pairs.collect()
}

async fn path(client: &Client, name: &str) -> anyhow::Result<String> {
    let (subscription, name) = (client.subscription().await?, ResourceName::parse(name)?);
    Ok(format!("/subscriptions/{subscription}/resourcegroups/{}?{GROUPS}", encode(name.as_str())))
}

pub(crate) const LOCATION: &str = "local";
const COLUMNS: [Column; 3] = [("NAME", "/name"), ("LOCATION", "/location"), ("ID", "/id")];
