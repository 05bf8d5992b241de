//! `portcullis user`: people of the directory.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::{
    client::{Client, encode},
    login::read_stdin,
    output::{Column, OutputArgs},
};

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Make a user; without --password-stdin a password is made and printed once
    Create {
        /// User principal name, such as alice@example.org
        upn: String,
        /// Name that people read (the part of the principal name before the @ by default)
        #[arg(long)]
        display_name: Option<String>,
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List users
    List(OutputArgs),
    /// Show one user, by principal name or object id
    Show {
        user: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Change a user
    Update {
        user: String,
        #[arg(long)]
        display_name: Option<String>,
        /// Let the user sign in again
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
        /// Refuse the user everywhere, at once
        #[arg(long)]
        disable: bool,
        /// Read a new password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Delete a user
    Delete { user: String },
    /// End every session of a user, at once
    RevokeSessions { user: String },
}

pub(crate) async fn run(command: UserCommand) -> anyhow::Result<()> {
    let client = Client::open().await?;
    match command {
        UserCommand::Create { upn, display_name, password_stdin, output } => {
            let (password, generated) = match password_stdin {
                true => (read_stdin()?, false),
                false => (random_password()?, true),
            };
            let local = upn.split('@').next().unwrap_or_default().to_owned();
            let body = json!({
                "userPrincipalName": upn,
                "displayName": display_name.unwrap_or_else(|| local.clone()),
                "mailNickname": local,
                "accountEnabled": true,
                "passwordProfile": {"password": password, "forceChangePasswordNextSignIn": false},
            });
            let mut user = client.post("/v1.0/users", &body).await?;
            let mut columns = COLUMNS.to_vec();
            if let (true, Some(members)) = (generated, user.as_object_mut()) {
                members.insert("password".into(), password.into());
                columns.push(("PASSWORD", "/password"));
            }
            output.one(&columns, &user);
        }
        UserCommand::List(output) => output.list(&COLUMNS, &client.list("/v1.0/users").await?),
        UserCommand::Show { user, output } => output.one(&COLUMNS, &client.get(&path(&user)).await?),
        UserCommand::Update { user, display_name, enable, disable, password_stdin } => {
            let mut body = Map::new();
            if let Some(name) = display_name {
                body.insert("displayName".into(), name.into());
            }
            if enable || disable {
                body.insert("accountEnabled".into(), enable.into());
            }
            if password_stdin {
                body.insert("passwordProfile".into(), json!({"password": read_stdin()?}));
            }
            client.patch(&path(&user), &Value::Object(body)).await?;
            println!("Changed {user}");
        }
        UserCommand::Delete { user } => {
            client.delete(&path(&user)).await?;
            println!("Deleted {user}");
        }
        UserCommand::RevokeSessions { user } => {
            client.post(&format!("{}/revokeSignInSessions", path(&user)), &json!({})).await?;
            println!("Every session of {user} has ended");
        }
    }
    Ok(())
}

fn path(user: &str) -> String {
    format!("/v1.0/users/{}", encode(user))
}

fn random_password() -> anyhow::Result<String> {
    let mut bytes = [0; 15];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

const COLUMNS: [Column; 4] = [
    ("PRINCIPAL NAME", "/userPrincipalName"),
    ("DISPLAY NAME", "/displayName"),
    ("ENABLED", "/accountEnabled"),
    ("ID", "/id"),
];
