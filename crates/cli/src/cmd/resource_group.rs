//! `portcullis resource-group`.

use clap::Subcommand;
use serde_json::json;

use crate::{
    client::{Client, GROUPS, encode},
    output::{Column, OutputArgs},
};

#[derive(Debug, Subcommand)]
pub enum ResourceGroupCommand {
    /// Make a resource group
    Create {
        name: String,
        #[arg(long, default_value = LOCATION)]
        location: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List the resource groups that you may see
    List(OutputArgs),
    /// Delete an empty resource group
    Delete { name: String },
}

pub(crate) async fn run(command: ResourceGroupCommand) -> anyhow::Result<()> {
    let client = Client::open().await?;
    match command {
        ResourceGroupCommand::Create { name, location, output } => {
            let path = path(&client, &name).await?;
            output.one(&COLUMNS, &client.put(&path, &json!({"location": location})).await?);
        }
        ResourceGroupCommand::List(output) => {
            let subscription = client.subscription().await?;
            let groups =
                client.list(&format!("/subscriptions/{subscription}/resourcegroups?{GROUPS}")).await?;
            output.list(&COLUMNS, &groups);
        }
        ResourceGroupCommand::Delete { name } => {
            let path = path(&client, &name).await?;
            client.delete(&path).await?;
            println!("Deleted {name}");
        }
    }
    Ok(())
}

/// Makes the group where there is none.
pub(crate) async fn ensure(client: &Client, name: &str, location: &str) -> anyhow::Result<()> {
    let path = path(client, name).await?;
    if client.find(&path).await?.is_none() {
        client.put(&path, &json!({"location": location})).await?;
    }
    Ok(())
}

async fn path(client: &Client, name: &str) -> anyhow::Result<String> {
    let subscription = client.subscription().await?;
    Ok(format!("/subscriptions/{subscription}/resourcegroups/{}?{GROUPS}", encode(name)))
}

pub(crate) const LOCATION: &str = "local";
const COLUMNS: [Column; 3] = [("NAME", "/name"), ("LOCATION", "/location"), ("ID", "/id")];
