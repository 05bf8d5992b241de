//! `portcullis app`: applications and their service principals.

mod credential;
mod federated;

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::{
    client::{Client, is_not_found, quote, replace_error},
    confirm::ConfirmArgs,
    output::{self, Column, OutputArgs},
};
pub use credential::CredentialCommand;
pub use federated::FederatedCommand;

#[derive(Debug, Subcommand)]
pub enum AppCommand {
    /// Make an application with a service principal and a secret, which is printed once
    #[command(after_help = "Examples:
  portcullis app create build
  portcullis app create dashboard --redirect-uri https://dashboard.example.org/callback
  portcullis app create tool --public-client")]
    Create {
        /// Name that people read
        name: String,
        /// Address that sign-in may lead back to; may be given several times
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
    #[command(after_help = "Examples:
  portcullis app list")]
    List(OutputArgs),
    /// Show one application
    #[command(after_help = "Examples:
  portcullis app show build -o json")]
    Show {
        /// Application id, object id or name
        app: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Change an application
    #[command(after_help = "Examples:
  portcullis app update build --name build-farm
  portcullis app update build --disable
  portcullis app update dashboard --redirect-uri https://dashboard.example.org/new")]
    Update {
        /// Application id, object id or name
        app: String,
        /// New name
        #[arg(long)]
        name: Option<String>,
        /// Address that sign-in may lead back to; replaces those before; may be given several times
        #[arg(long = "redirect-uri", value_name = "URL")]
        redirect_uris: Vec<String>,
        /// Let the application send user names and passwords
        #[arg(long, conflicts_with = "refuse_password_grant")]
        allow_password_grant: bool,
        /// Let the application send user names and passwords no more
        #[arg(long)]
        refuse_password_grant: bool,
        /// Let the application sign in again
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
        /// Refuse the application everywhere, at once
        #[arg(long)]
        disable: bool,
    },
    /// Delete an application and its service principal
    #[command(after_help = "Examples:
  portcullis app delete build --yes")]
    Delete {
        /// Application id, object id or name
        app: String,
        #[command(flatten)]
        confirm: ConfirmArgs,
    },
    /// Let an application reach a service on behalf of everybody in the tenant, without asking each
    #[command(after_help = "Examples:
  portcullis app consent dashboard
  portcullis app consent dashboard --withdraw")]
    Consent {
        /// Application id, object id or name
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
    /// Tokens of workloads that are as good as a secret of an application
    #[command(subcommand)]
    FederatedCredential(FederatedCommand),
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
                if let Err(error) = output.secret(&columns, &app) {
                    return Err(credential::forget(&client, &text(&app, "id"), &secret, error).await);
                }
            } else {
                output.one(&columns, &app);
            }
        }
        AppCommand::List(output) => output.list(&COLUMNS, &client.list("/v1.0/applications").await?),
        AppCommand::Show { app, output } => output.one(&COLUMNS, &find(&client, &app).await?),
        AppCommand::Update {
            app,
            name,
            redirect_uris,
            allow_password_grant,
            refuse_password_grant,
            enable,
            disable,
        } => {
            let found = find(&client, &app).await?;
            let mut body = Map::new();
            if let Some(name) = name {
                body.insert("displayName".into(), name.into());
            }
            if !redirect_uris.is_empty() {
                body.insert("web".into(), json!({"redirectUris": redirect_uris}));
            }
            if allow_password_grant || refuse_password_grant {
                body.insert("allowPasswordGrant".into(), allow_password_grant.into());
            }
            if body.is_empty() && !enable && !disable {
                bail!(
                    "say what to change of {app}: --name, --redirect-uri, --enable, --disable, \
                     --allow-password-grant or --refuse-password-grant"
                );
            }
            if enable || disable {
                let principal = service_principal(&client, &app, &found).await?;
                let path = format!("/v1.0/servicePrincipals/{}", text(&principal, "id"));
                client.patch(&path, &json!({"accountEnabled": enable})).await?;
            }
            if !body.is_empty() {
                let path = format!("/v1.0/applications/{}", text(&found, "id"));
                client.patch(&path, &Value::Object(body)).await?;
            }
            output::say(format_args!("Changed {app}"));
        }
        AppCommand::Delete { app, confirm } => {
            let found = find(&client, &app).await?;
            confirm
                .ask(&format!("Delete the application {app} with its service principal and its rights?"))?;
            client.delete(&format!("/v1.0/applications/{}", text(&found, "id"))).await?;
            output::say(format_args!("Deleted {app}"));
        }
        AppCommand::Consent { app, resource, withdraw } => {
            let principal = service_principal(&client, &app, &find(&client, &app).await?).await?;
            if withdraw {
                let path = format!("/v1.0/oauth2PermissionGrants/{}", text(&principal, "id"));
                replace_error(client.delete(&path).await, is_not_found, || {
                    format!("{app} reaches nothing on behalf of everybody")
                })?;
                output::say(format_args!("{app} may reach nothing on behalf of everybody any more"));
                return Ok(());
            }
            let resource = if resource == "graph" { GRAPH } else { resource.as_str() };
            let body = json!({"clientId": text(&principal, "id"), "consentType": "AllPrincipals",
                "resourceId": resource, "scope": ".default"});
            client.post("/v1.0/oauth2PermissionGrants", &body).await?;
            output::say(format_args!("{app} may reach {resource} on behalf of everybody now"));
        }
        AppCommand::Credential(command) => credential::run(&client, command).await?,
        AppCommand::FederatedCredential(command) => federated::run(&client, command).await?,
    }
    Ok(())
}

pub(crate) async fn find(client: &Client, app: &str) -> anyhow::Result<Value> {
    let by_id = domain::id::ObjectId::parse(app).is_ok();
    if by_id && let Some(found) = client.find(&format!("/v1.0/applications/{app}")).await? {
        return Ok(found);
    }
    let field = if by_id { "appId" } else { "displayName" };
    let found = client.list(&format!("/v1.0/applications?$filter={field}%20eq%20{}", quote(app))).await?;
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => bail!("no application is known by \"{app}\": `portcullis app list` shows them"),
        several => bail!("{} applications are named \"{app}\": give the application id", several.len()),
    }
}

/// The service principal of an application in this tenant.
async fn service_principal(client: &Client, app: &str, found: &Value) -> anyhow::Result<Value> {
    let filter = quote(&text(found, "appId"));
    let principals = client.list(&format!("/v1.0/servicePrincipals?$filter=appId%20eq%20{filter}")).await?;
    principals.into_iter().next().with_context(|| format!("{app} has no service principal"))
}

pub(crate) fn text(object: &Value, member: &str) -> String {
    object.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
}

const COLUMNS: [Column; 3] = [("NAME", "/displayName"), ("APPLICATION ID", "/appId"), ("OBJECT ID", "/id")];

/// The application id of Microsoft Graph, the same in every tenant.
const GRAPH: &str = "00000003-0000-0000-c000-000000000000";
