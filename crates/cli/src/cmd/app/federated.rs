//! `portcullis app federated-credential`: federated credentials of an application: external tokens that it accepts in
//! place of a secret, such as the service account token of a workload.

use clap::Subcommand;
use serde_json::json;

use super::{find, text};
use crate::{
    client::{Client, encode, is_not_found, replace_error},
    output::{self, Column, OutputArgs},
};

#[derive(Debug, Subcommand)]
pub enum FederatedCommand {
    /// Trust the tokens of one subject of an issuer
    #[command(after_help = "Examples:
  portcullis app federated-credential create till pod --issuer https://issuer.example.org \\
    --subject system:serviceaccount:shop:till")]
    Create {
        /// Application id, object id or name
        app: String,
        /// Name of the credential: letters, digits, - and _
        name: String,
        /// Issuer of the tokens, as their `iss` has it
        #[arg(long, value_name = "URL")]
        issuer: String,
        /// The subject of the tokens, as in their `sub`
        #[arg(long, value_name = "SUBJECT")]
        subject: String,
        /// Audience of the tokens, as their `aud` has it
        #[arg(long, value_name = "AUDIENCE", default_value = "api://AzureADTokenExchange")]
        audience: String,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List what an application trusts
    #[command(after_help = "Examples:
  portcullis app federated-credential list till")]
    List {
        /// Application id, object id or name
        app: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Trust these tokens no more
    #[command(after_help = "Examples:
  portcullis app federated-credential delete till pod")]
    Delete {
        /// Application id, object id or name
        app: String,
        /// Name of the credential
        name: String,
    },
}

pub(super) async fn run(client: &Client, command: FederatedCommand) -> anyhow::Result<()> {
    match command {
        FederatedCommand::Create { app, name, issuer, subject, audience, description, output } => {
            let body = json!({"name": name, "issuer": issuer, "subject": subject, "audiences": [audience],
                "description": description});
            output.one(&COLUMNS, &client.post(&path(client, &app).await?, &body).await?);
        }
        FederatedCommand::List { app, output } => {
            output.list(&COLUMNS, &client.list(&path(client, &app).await?).await?);
        }
        FederatedCommand::Delete { app, name } => {
            let removed = client.delete(&format!("{}/{}", path(client, &app).await?, encode(&name))).await;
            replace_error(removed, is_not_found, || format!("{app} trusts nothing of the name {name}"))?;
            output::say(format_args!("{app} trusts {name} no more"));
        }
    }
    Ok(())
}

async fn path(client: &Client, app: &str) -> anyhow::Result<String> {
    let id = text(&find(client, app).await?, "id");
    Ok(format!("/v1.0/applications/{id}/federatedIdentityCredentials"))
}

const COLUMNS: [Column; 4] =
    [("NAME", "/name"), ("ISSUER", "/issuer"), ("SUBJECT", "/subject"), ("AUDIENCES", "/audiences")];
