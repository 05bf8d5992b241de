//! `portcullis user`: users of the directory.

use anyhow::{Context, bail, ensure};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::{
    client::{Client, encode, is_not_found, replace_error},
    confirm::ConfirmArgs,
    login::read_stdin,
    output::{self, Column, OutputArgs},
};

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Make a user; without --password-stdin a password is made and printed once
    #[command(after_help = "Examples:
  portcullis user create alice@example.org --display-name 'Alice Ash'
  portcullis user create bob@example.org --password-stdin < password.txt")]
    Create {
        /// User principal name, such as alice@example.org
        upn: String,
        /// Name that people read (the part of the principal name before the @ by default)
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List users
    #[command(after_help = "Examples:
  portcullis user list
  portcullis user list -o json")]
    List(OutputArgs),
    /// Show one user
    #[command(after_help = "Examples:
  portcullis user show alice@example.org")]
    Show {
        /// User principal name or object id
        user: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List the groups that a user is in directly
    #[command(after_help = "Examples:
  portcullis user groups alice@example.org")]
    Groups {
        /// User principal name or object id
        user: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Change a user
    #[command(after_help = "Examples:
  portcullis user update alice@example.org --display-name 'Alice Beech'
  portcullis user update alice@example.org --disable

A user who is disabled is refused everywhere at once, whatever tokens there are.")]
    Update {
        /// User principal name or object id
        user: String,
        /// Name that people read
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
        /// New user principal name
        #[arg(long, value_name = "UPN")]
        upn: Option<String>,
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
    /// Set a new password, which is made and printed once; the user changes it at the next sign-in
    #[command(after_help = "Examples:
  portcullis user reset-password alice@example.org
  portcullis user reset-password alice@example.org --password-stdin < password.txt")]
    ResetPassword {
        /// User principal name or object id
        user: String,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
        /// The new password stays: the user need not change it
        #[arg(long)]
        keep: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Delete a user
    #[command(after_help = "Examples:
  portcullis user delete alice@example.org
  portcullis user delete alice@example.org --yes")]
    Delete {
        /// User principal name or object id
        user: String,
        #[command(flatten)]
        confirm: ConfirmArgs,
    },
    /// Forget a user's failed sign-ins, so that they may try again at once
    #[command(after_help = "Examples:
  portcullis user unlock alice@example.org")]
    Unlock {
        /// User principal name or object id
        user: String,
    },
    /// End every session of a user, at once
    #[command(after_help = "Examples:
  portcullis user revoke-sessions alice@example.org")]
    RevokeSessions {
        /// User principal name or object id
        user: String,
    },
}

pub(crate) async fn run(command: UserCommand) -> anyhow::Result<()> {
    let client = Client::open().await?;
    match command {
        UserCommand::Create { upn, display_name, password_stdin, output } => {
            let (password, generated) = new_password(password_stdin)?;
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
            match (generated, user.as_object_mut()) {
                (true, Some(members)) => {
                    members.insert("password".into(), password.into());
                    columns.push(("PASSWORD", "/password"));
                    output.secret(&columns, &user).with_context(|| unseen(&upn))?;
                }
                _ => output.one(&columns, &user),
            }
        }
        UserCommand::List(output) => output.list(&COLUMNS, &client.list("/v1.0/users").await?),
        UserCommand::Show { user, output } => {
            output.one(&COLUMNS, &known(&user, client.get(&path(&user)?).await)?)
        }
        UserCommand::Groups { user, output } => {
            let mut groups = known(&user, client.list(&format!("{}/memberOf", path(&user)?)).await)?;
            // `memberOf` includes directory roles; `portcullis admin list` shows those.
            groups.retain(|each| each.get("@odata.type").and_then(Value::as_str) == Some(GROUP));
            output.list(&GROUP_COLUMNS, &groups);
        }
        UserCommand::Update { user, display_name, upn, enable, disable, password_stdin } => {
            let mut body = Map::new();
            if let Some(name) = display_name {
                body.insert("displayName".into(), name.into());
            }
            if let Some(upn) = upn {
                body.insert("userPrincipalName".into(), upn.into());
            }
            if enable || disable {
                body.insert("accountEnabled".into(), enable.into());
            }
            if password_stdin {
                body.insert("passwordProfile".into(), json!({"password": read_stdin()?}));
            }
            if body.is_empty() {
                bail!(
                    "say what to change of {user}: --display-name, --upn, --enable, --disable or --password-stdin"
                );
            }
            known(&user, client.patch(&path(&user)?, &Value::Object(body)).await)?;
            output::say(format_args!("Changed {user}"));
        }
        UserCommand::ResetPassword { user, password_stdin, keep, output } => {
            let (password, generated) = new_password(password_stdin)?;
            let profile = json!({"password": password, "forceChangePasswordNextSignIn": !keep});
            let body = json!({"passwordProfile": profile});
            known(&user, client.patch(&path(&user)?, &body).await)?;
            match generated {
                true => output
                    .secret(
                        &[("USER", "/user"), ("PASSWORD", "/password")],
                        &json!({"user": user, "password": password}),
                    )
                    .with_context(|| unseen(&user))?,
                false => output::say(format_args!("{user} has a new password")),
            }
        }
        UserCommand::Delete { user, confirm } => {
            confirm.ask(&format!("Delete the user {user} with every right that was given to them?"))?;
            known(&user, client.delete(&path(&user)?).await)?;
            output::say(format_args!("Deleted {user}"));
        }
        UserCommand::Unlock { user } => {
            known(&user, client.post(&format!("{}/portcullis.unlock", path(&user)?), &json!({})).await)?;
            output::say(format_args!("{user} may sign in again"));
        }
        UserCommand::RevokeSessions { user } => {
            known(&user, client.post(&format!("{}/revokeSignInSessions", path(&user)?), &json!({})).await)?;
            output::say(format_args!("Every session of {user} has ended"));
        }
    }
    Ok(())
}

fn unseen(user: &str) -> String {
    format!(
        "{user} has a new password that could not be printed: make another one with `portcullis user reset-password`"
    )
}

fn path(user: &str) -> anyhow::Result<String> {
    ensure!(!user.is_empty(), "expected a user principal name, as alice@example.org, or an object id");
    Ok(format!("/v1.0/users/{}", encode(user)))
}

fn known<T>(user: &str, answer: anyhow::Result<T>) -> anyhow::Result<T> {
    replace_error(answer, is_not_found, || {
        format!("no user is named \"{user}\": `portcullis user list` shows them")
    })
}

/// A password, and whether it was generated.
fn new_password(from_input: bool) -> anyhow::Result<(String, bool)> {
    if from_input {
        return Ok((read_stdin()?, false));
    }
    let mut bytes = [0; 15];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    Ok((URL_SAFE_NO_PAD.encode(bytes), true))
}

const COLUMNS: [Column; 4] = [
    ("PRINCIPAL NAME", "/userPrincipalName"),
    ("DISPLAY NAME", "/displayName"),
    ("ENABLED", "/accountEnabled"),
    ("ID", "/id"),
];
const GROUP: &str = "#microsoft.graph.group";
const GROUP_COLUMNS: [Column; 2] = [("NAME", "/displayName"), ("ID", "/id")];
