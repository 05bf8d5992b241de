//! `portcullis app credential`: secrets and certificates of an application.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use super::{find, text};
use crate::{
    client::Client,
    output::{self, Column, OutputArgs},
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
    /// Delete a secret or a certificate: nobody signs in with it any more
    #[command(after_help = "Examples:
  portcullis app credential remove build KEY")]
    Remove {
        /// Application id, object id or name
        app: String,
        /// Id of the secret or certificate, as `list` shows it
        key_id: String,
    },
    /// List secrets and certificates
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
        CredentialCommand::Add { app, display_name, certificate: Some(file), output } => {
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
            let made = client.get(&format!("/v1.0/applications/{id}")).await?;
            output.list(&COLUMNS, &certificates(&made));
        }
        CredentialCommand::Remove { app, key_id } => {
            let found = find(client, &app).await?;
            let path = format!("/v1.0/applications/{}", text(&found, "id"));
            let is_named = |each: &Value| text(each, "keyId").eq_ignore_ascii_case(&key_id);
            let known = found.get("keyCredentials").and_then(Value::as_array).cloned().unwrap_or_default();
            let (named, rest): (Vec<Value>, Vec<Value>) = known.into_iter().partition(is_named);
            if secrets(&found).iter().any(is_named) {
                client.post(&format!("{path}/removePassword"), &json!({"keyId": key_id})).await?;
                output::say(format_args!("Deleted the secret {key_id}"));
            } else if named.is_empty() {
                bail!(
                    "{app} has no secret and no certificate {key_id}: `portcullis app credential list` shows them"
                );
            } else {
                client.patch(&path, &json!({"keyCredentials": rest})).await?;
                output::say(format_args!("Deleted the certificate {key_id}"));
            }
        }
        CredentialCommand::List { app, output } => {
            let found = find(client, &app).await?;
            output.list(&COLUMNS, &[secrets(&found), certificates(&found)].concat());
        }
    }
    Ok(())
}

fn secrets(app: &Value) -> Vec<Value> {
    entries(app, "passwordCredentials", "Secret")
}

fn certificates(app: &Value) -> Vec<Value> {
    entries(app, "keyCredentials", "Certificate")
}

fn entries(app: &Value, member: &str, kind: &str) -> Vec<Value> {
    let mut found = app.get(member).and_then(Value::as_array).cloned().unwrap_or_default();
    for members in found.iter_mut().filter_map(Value::as_object_mut) {
        members.insert("kind".into(), kind.into());
    }
    found
}

/// Deletes a new secret that could not be printed, because nobody can use it legitimately. Returns the error to report.
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

const COLUMNS: [Column; 5] = [
    ("KEY", "/keyId"),
    ("KIND", "/kind"),
    ("NAME", "/displayName"),
    ("HINT", "/hint"),
    ("EXPIRES", "/endDateTime"),
];
