//! `portcullis app credential`: secrets and certificates of an application.

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use serde_json::{Value, json};

use super::{find, text};
use crate::{
    client::Client,
    output::{self, OutputArgs},
};

#[derive(Debug, Subcommand)]
pub enum CredentialCommand {
    /// Make a secret, which is printed once, or add a certificate
    #[command(after_help = "Examples:
  portcullis app credential add build --display-name '2027'
  portcullis app credential add build --certificate build.crt")]
    Add {
        /// Application id, object id or name
        app: String,
        /// Name by which people know it again
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
        /// Certificate (PEM) whose key signs the application's assertions; replaces the ones before
        #[arg(long, value_name = "FILE")]
        certificate: Option<PathBuf>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Delete a secret; who signed in with it is out at once
    #[command(after_help = "Examples:
  portcullis app credential remove build KEY")]
    Remove {
        /// Application id, object id or name
        app: String,
        /// Id of the secret, as `list` shows it
        key_id: String,
    },
    /// List secrets
    #[command(after_help = "Examples:
  portcullis app credential list build")]
    List {
        /// Application id, object id or name
        app: String,
        #[command(flatten)]
        output: OutputArgs,
    },
}

pub(super) async fn run(client: &Client, command: CredentialCommand) -> anyhow::Result<()> {
    match command {
        CredentialCommand::Add { app, display_name, certificate: None, output } => {
            let id = text(&find(client, &app).await?, "id");
            let body = json!({"passwordCredential": {"displayName": display_name}});
            let secret = client.post(&format!("/v1.0/applications/{id}/addPassword"), &body).await?;
            let columns = [("KEY", "/keyId"), ("EXPIRES", "/endDateTime"), ("SECRET", "/secretText")];
            if let Err(error) = output.secret(&columns, &secret) {
                return Err(forget(client, &id, &secret, error).await);
            }
        }
        CredentialCommand::Add { app, display_name, certificate: Some(file), .. } => {
            let id = text(&find(client, &app).await?, "id");
            let pem =
                std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
            let body = pem
                .split_once("-----BEGIN CERTIFICATE-----")
                .and_then(|(_, rest)| rest.split_once("-----END CERTIFICATE-----"))
                .map(|(body, _)| body.to_owned());
            let body =
                body.with_context(|| format!("{} holds no certificate in PEM form", file.display()))?;
            let key = json!({"key": body, "type": "AsymmetricX509Cert", "usage": "Verify", "displayName": display_name});
            client.patch(&format!("/v1.0/applications/{id}"), &json!({"keyCredentials": [key]})).await?;
            output::say(format_args!("{app} may sign its assertions with the key of {} now", file.display()));
        }
        CredentialCommand::Remove { app, key_id } => {
            let id = text(&find(client, &app).await?, "id");
            client
                .post(&format!("/v1.0/applications/{id}/removePassword"), &json!({"keyId": key_id}))
                .await?;
            output::say(format_args!("Deleted the secret {key_id}"));
        }
        CredentialCommand::List { app, output } => {
            let found = find(client, &app).await?;
            let secrets =
                found.get("passwordCredentials").and_then(Value::as_array).cloned().unwrap_or_default();
            let columns =
                [("KEY", "/keyId"), ("NAME", "/displayName"), ("HINT", "/hint"), ("EXPIRES", "/endDateTime")];
            output.list(&columns, &secrets);
        }
    }
    Ok(())
}

/// A secret that nobody has seen opens nothing but doors to strangers: it is deleted again. Gives what to say.
pub(super) async fn forget(
    client: &Client,
    id: &str,
    secret: &Value,
    unseen: std::io::Error,
) -> anyhow::Error {
    let body = json!({"keyId": text(secret, "keyId")});
    let deleted = client.post(&format!("/v1.0/applications/{id}/removePassword"), &body).await;
    let unseen = anyhow::Error::from(unseen);
    match deleted {
        Ok(_) => unseen.context("the secret could not be printed, and was deleted again"),
        Err(error) => {
            unseen.context(format!("the secret could not be printed, nor deleted again ({error:#})"))
        }
    }
}
