//! `portcullis admin`: members of the directory role Global Administrator.

use clap::Subcommand;

use crate::{
    client::{Client, is_not_found, is_there_already, replace_error},
    cmd::group::{MEMBER_COLUMNS, principal, reference},
    output::{self, OutputArgs},
};

#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Let somebody administer the whole directory: they become Global Administrator
    #[command(after_help = "Examples:
  portcullis admin add alice@example.org

An administrator may change everything in the directory, other administrators included. For rights on subscriptions
and clusters, see `portcullis assignment`.")]
    Add {
        /// User principal name, name of a service principal, object id or application id
        principal: String,
    },
    /// Let somebody administer the directory no more, at once
    #[command(after_help = "Examples:
  portcullis admin remove alice@example.org

The last administrator who can sign in stays.")]
    Remove {
        /// User principal name, name of a service principal, object id or application id
        principal: String,
    },
    /// List who administers the directory
    #[command(after_help = "Examples:
  portcullis admin list")]
    List(OutputArgs),
}

pub(crate) async fn run(command: AdminCommand) -> anyhow::Result<()> {
    let client = Client::open().await?;
    match command {
        AdminCommand::Add { principal: name } => {
            let id = principal(&client, &name).await?;
            let added = client.post(&format!("{MEMBERS}/$ref"), &reference(&client, &id)).await;
            replace_error(added, is_there_already, || format!("{name} is an administrator already"))?;
            output::say(format_args!("{name} administers the directory"));
        }
        AdminCommand::Remove { principal: name } => {
            let id = principal(&client, &name).await?;
            let removed = client.delete(&format!("{MEMBERS}/{id}/$ref")).await;
            replace_error(removed, is_not_found, || format!("{name} is no administrator"))?;
            output::say(format_args!("{name} administers the directory no more"));
        }
        AdminCommand::List(output) => output.list(&MEMBER_COLUMNS, &client.list(MEMBERS).await?),
    }
    Ok(())
}

/// The role template id of Global Administrator.
const MEMBERS: &str = "/v1.0/directoryRoles/roleTemplateId=62e90394-69f5-4237-9190-012177145e10/members";
