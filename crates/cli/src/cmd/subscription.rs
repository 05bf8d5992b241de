//! `portcullis subscription`.

use clap::Subcommand;
use domain::name::ResourceName;
use serde_json::{Value, json};

use super::management_group;
use crate::{
    client::{ALIASES, Client, SUBSCRIPTIONS, encode},
    output::{Column, OutputArgs},
};

#[derive(Debug, Subcommand)]
pub enum SubscriptionCommand {
    /// List the subscriptions in which you have any right
    #[command(after_help = "Examples:
  portcullis subscription list
  portcullis subscription list -o json")]
    List(OutputArgs),
    /// Make a subscription, which is yours from then on
    #[command(after_help = "Examples:
  portcullis subscription create shop
  portcullis subscription create shop --display-name Shop --management-group retail

Once more with the same name gives the subscription that was made.")]
    Create {
        /// Name to ask for it by: its alias
        name: String,
        /// What people call it; the name if absent
        #[arg(long)]
        display_name: Option<String>,
        /// Management group that it is made in; the root group if absent
        #[arg(long)]
        management_group: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
}

pub(crate) async fn run(command: SubscriptionCommand) -> anyhow::Result<()> {
    let client = Client::open().await?;
    match command {
        SubscriptionCommand::List(output) => {
            output.list(&COLUMNS, &client.list(&format!("/subscriptions?{SUBSCRIPTIONS}")).await?);
        }
        SubscriptionCommand::Create { name, display_name, management_group, output } => {
            let name = ResourceName::parse(&name)?;
            let group = management_group.as_deref().map(management_group::scope).transpose()?;
            let body = json!({"properties": {
                "displayName": display_name,
                "additionalProperties": {"managementGroupId": group},
            }});
            let name = encode(name.as_str());
            let path = format!("/providers/Microsoft.Subscription/aliases/{name}?{ALIASES}");
            let made = client.put(&path, &body).await?;
            let id = made.pointer("/properties/subscriptionId").and_then(Value::as_str).unwrap_or_default();
            let path = format!("/subscriptions/{}?{SUBSCRIPTIONS}", encode(id));
            output.one(&COLUMNS, &client.get(&path).await?);
        }
    }
    Ok(())
}

const COLUMNS: [Column; 3] = [("NAME", "/displayName"), ("STATE", "/state"), ("ID", "/subscriptionId")];
