//! `portcullis subscription`: list and create subscriptions, and choose the default one.

use clap::Subcommand;
use domain::name::ResourceName;
use serde_json::{Value, json};

use super::management_group;
use crate::{
    client::{ALIASES, Client, SUBSCRIPTIONS, encode, subscription},
    output::{self, Column, OutputArgs},
    session::Session,
};

#[derive(Debug, Subcommand)]
pub enum SubscriptionCommand {
    /// List the subscriptions in which you have any right
    #[command(after_help = "Examples:
  portcullis subscription list
  portcullis subscription list -o json")]
    List(OutputArgs),
    /// Choose the subscription that commands act in from now on, after the next sign-in too
    #[command(after_help = "Examples:
  portcullis subscription set shop
  portcullis subscription set 0b1f6471-1bf0-4dda-aec3-111122223333

For one command, give it --subscription.")]
    Set {
        /// Its name, as people call it, or its id
        #[arg(value_name = "NAME|ID")]
        subscription: String,
    },
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
            let mut all = client.list(&format!("/subscriptions?{SUBSCRIPTIONS}")).await?;
            let used = client.session.subscription.as_deref();
            for each in &mut all {
                let is_used =
                    each.get("subscriptionId").and_then(Value::as_str).is_some_and(|id| Some(id) == used);
                if let Some(members) = each.as_object_mut() {
                    members.insert("isDefault".into(), is_used.into());
                }
            }
            output.list(&LISTED, &all);
        }
        SubscriptionCommand::Set { subscription } => {
            let chosen = subscription::named(&client.subscriptions().await?, &subscription)?;
            Session::choose(&chosen)?;
            output::say(format_args!("Commands act in the subscription \"{}\" ({})", chosen.name, chosen.id));
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
            if client.session.subscription.as_deref().is_some_and(|used| used != id) {
                output::note(format_args!(
                    "Commands go on acting in the subscription \"{}\": `portcullis subscription set {id}` takes the new one",
                    client
                        .session
                        .subscription_name
                        .as_deref()
                        .or(client.session.subscription.as_deref())
                        .unwrap_or_default()
                ));
            }
        }
    }
    Ok(())
}

const LISTED: [Column; 4] =
    [("NAME", "/displayName"), ("USED", "/isDefault"), ("STATE", "/state"), ("ID", "/subscriptionId")];
const COLUMNS: [Column; 3] = [("NAME", "/displayName"), ("STATE", "/state"), ("ID", "/subscriptionId")];
