//! `portcullis app`: applications, their service principals and secrets.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    client::{Client, quote},
    output::{Column, OutputArgs},
};

#[derive(Debug, Subcommand)]
pub enum AppCommand {
    /// Make an application with a service principal and a secret, which is printed once
    Create {
        name: String,
        /// Addresses that sign-in may lead back to
        #[arg(long = "redirect-uri", value_name = "URL")]
        redirect_uris: Vec<String>,
        /// The application cannot keep a secret: no secret is made
        #[arg(long)]
        public_client: bool,
        /// Let the application send user names and passwords
        #[arg(long)]
        allow_password_grant: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List applications
    List(OutputArgs),
    /// Show one application, by its application id, object id or name
    Show {
        app: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Delete an application and its service principal
    Delete { app: String },
    /// Let an application reach a service on behalf of everybody in the tenant, without asking each
    Consent {
        app: String,
        /// The service: `graph`, the object or application id of an application, or an address
        #[arg(long, default_value = "graph")]
        resource: String,
        /// Take back everything that it may do for everybody
        #[arg(long, conflicts_with = "resource")]
        withdraw: bool,
    },
    /// Secrets and certificates of an application
    #[command(subcommand)]
    Credential(CredentialCommand),
}

#[derive(Debug, Subcommand)]
pub enum CredentialCommand {
    /// Make a secret, which is printed once, or add a certificate
    Add {
        app: String,
        #[arg(long)]
        display_name: Option<String>,
        /// Certificate (PEM) whose key signs the application's assertions; replaces the ones before
        #[arg(long, value_name = "FILE")]
        certificate: Option<PathBuf>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Delete a secret
    Remove { app: String, key_id: String },
    /// List secrets
    List {
        app: String,
        #[command(flatten)]
        output: OutputArgs,
    },
}

pub(crate) async fn run(command: AppCommand) -> anyhow::Result<()> {
    let client = Client::open().await?;
    match command {
        AppCommand::Create { name, redirect_uris, public_client, allow_password_grant, output } => {
            let mut body = json!({"displayName": name, "isFallbackPublicClient": public_client,
                "allowPasswordGrant": allow_password_grant});
            if let (false, Some(members)) = (redirect_uris.is_empty(), body.as_object_mut()) {
                members.insert("web".into(), json!({"redirectUris": redirect_uris}));
            }
            let mut app = client.post("/v1.0/applications", &body).await?;
            let app_id = text(&app, "appId");
            let principal = client.post("/v1.0/servicePrincipals", &json!({"appId": app_id})).await?;
            let mut columns = COLUMNS.to_vec();
            if let Some(members) = app.as_object_mut() {
                members.insert("servicePrincipalId".into(), text(&principal, "id").into());
                columns.push(("SERVICE PRINCIPAL", "/servicePrincipalId"));
            }
            if !public_client {
                let path = format!("/v1.0/applications/{}/addPassword", text(&app, "id"));
                let secret =
                    client.post(&path, &json!({"passwordCredential": {"displayName": "first"}})).await?;
                if let Some(members) = app.as_object_mut() {
                    members.insert("secret".into(), text(&secret, "secretText").into());
                    columns.push(("SECRET", "/secret"));
                }
            }
            output.one(&columns, &app);
        }
        AppCommand::List(output) => output.list(&COLUMNS, &client.list("/v1.0/applications").await?),
        AppCommand::Show { app, output } => output.one(&COLUMNS, &find(&client, &app).await?),
        AppCommand::Delete { app } => {
            let found = find(&client, &app).await?;
            client.delete(&format!("/v1.0/applications/{}", text(&found, "id"))).await?;
            println!("Deleted {app}");
        }
        AppCommand::Consent { app, resource, withdraw } => {
            let app_id = text(&find(&client, &app).await?, "appId");
            let path = format!("/v1.0/servicePrincipals?$filter=appId%20eq%20{}", quote(&app_id));
            let principals = client.list(&path).await?;
            let principal = principals.first().with_context(|| format!("{app} has no service principal"))?;
            if withdraw {
                client.delete(&format!("/v1.0/oauth2PermissionGrants/{}", text(principal, "id"))).await?;
                println!("{app} may reach nothing on behalf of everybody any more");
                return Ok(());
            }
            let resource = if resource == "graph" { GRAPH } else { resource.as_str() };
            let body = json!({"clientId": text(principal, "id"), "consentType": "AllPrincipals",
                "resourceId": resource, "scope": ".default"});
            client.post("/v1.0/oauth2PermissionGrants", &body).await?;
            println!("{app} may reach {resource} on behalf of everybody now");
        }
        AppCommand::Credential(command) => credential(&client, command).await?,
    }
    Ok(())
}

async fn credential(client: &Client, command: CredentialCommand) -> anyhow::Result<()> {
    match command {
        CredentialCommand::Add { app, display_name, certificate: None, output } => {
            let id = text(&find(client, &app).await?, "id");
            let body = json!({"passwordCredential": {"displayName": display_name}});
            let secret = client.post(&format!("/v1.0/applications/{id}/addPassword"), &body).await?;
            output.one(&[("KEY", "/keyId"), ("EXPIRES", "/endDateTime"), ("SECRET", "/secretText")], &secret);
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
            println!("{app} may sign its assertions with the key of {} now", file.display());
        }
        CredentialCommand::Remove { app, key_id } => {
            let id = text(&find(client, &app).await?, "id");
            client
                .post(&format!("/v1.0/applications/{id}/removePassword"), &json!({"keyId": key_id}))
                .await?;
            println!("Deleted the secret {key_id}");
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

async fn find(client: &Client, app: &str) -> anyhow::Result<Value> {
    let by_id = domain::id::ObjectId::parse(app).is_ok();
    if by_id && let Some(found) = client.find(&format!("/v1.0/applications/{app}")).await? {
        return Ok(found);
    }
    let field = if by_id { "appId" } else { "displayName" };
    let found = client.list(&format!("/v1.0/applications?$filter={field}%20eq%20{}", quote(app))).await?;
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => bail!("no application is known by \"{app}\""),
        several => bail!("{} applications are named \"{app}\": give the application id", several.len()),
    }
}

fn text(object: &Value, member: &str) -> String {
    object.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
}

const COLUMNS: [Column; 3] = [("NAME", "/displayName"), ("APPLICATION ID", "/appId"), ("OBJECT ID", "/id")];

/// The application that Microsoft Graph is in every tenant.
const GRAPH: &str = "00000003-0000-0000-c000-000000000000";
