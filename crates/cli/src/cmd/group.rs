//! `portcullis group`: groups of the directory, their members and owners.

use anyhow::bail;
use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::{
    NegativeAnswer,
    client::{Client, encode, is_not_found, is_there_already, quote, replace_error},
    confirm::ConfirmArgs,
    output::{self, Column, OutputArgs},
};

#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// Make a group
    #[command(after_help = "Examples:
  portcullis group create sre --description 'Who is on call'")]
    Create {
        /// Name that people read
        name: String,
        /// What the group is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List groups
    #[command(after_help = "Examples:
  portcullis group list")]
    List(OutputArgs),
    /// Show one group
    #[command(after_help = "Examples:
  portcullis group show sre")]
    Show {
        /// Name or object id
        group: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Change a group
    #[command(after_help = "Examples:
  portcullis group update sre --name site-reliability")]
    Update {
        /// Name or object id
        group: String,
        /// New name
        #[arg(long)]
        name: Option<String>,
        /// New description
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// Delete a group
    #[command(after_help = "Examples:
  portcullis group delete sre --yes")]
    Delete {
        /// Name or object id
        group: String,
        #[command(flatten)]
        confirm: ConfirmArgs,
    },
    /// Who is in a group
    #[command(subcommand)]
    Member(MemberCommand),
    /// Who may change a group
    #[command(subcommand)]
    Owner(OwnerCommand),
}

#[derive(Debug, Subcommand)]
pub enum MemberCommand {
    /// Add a user, group or service principal
    #[command(after_help = "Examples:
  portcullis group member add sre alice@example.org
  portcullis group member add sre on-call")]
    Add {
        /// Name or object id of the group
        group: String,
        /// User principal name, name of a group or service principal, object id or application id
        member: String,
    },
    /// Take somebody out; their access by this group ends at once
    #[command(after_help = "Examples:
  portcullis group member remove sre alice@example.org")]
    Remove {
        /// Name or object id of the group
        group: String,
        /// User principal name, name of a group or service principal, object id or application id
        member: String,
    },
    /// List members
    #[command(after_help = "Examples:
  portcullis group member list sre
  portcullis group member list sre --transitive")]
    List {
        /// Name or object id of the group
        group: String,
        /// Members of groups within it too
        #[arg(long)]
        transitive: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Say whether somebody is in a group, nested groups included; ends with 1 for no
    #[command(after_help = "Examples:
  portcullis group member check sre alice@example.org")]
    Check {
        /// Name or object id of the group
        group: String,
        /// User principal name, name of a group or service principal, object id or application id
        member: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum OwnerCommand {
    /// Let somebody change the group
    #[command(after_help = "Examples:
  portcullis group owner add sre alice@example.org")]
    Add {
        /// Name or object id of the group
        group: String,
        /// User principal name, name of a service principal, object id or application id
        owner: String,
    },
    /// Let somebody change the group no more
    #[command(after_help = "Examples:
  portcullis group owner remove sre alice@example.org")]
    Remove {
        /// Name or object id of the group
        group: String,
        /// User principal name, name of a service principal, object id or application id
        owner: String,
    },
    /// List owners
    #[command(after_help = "Examples:
  portcullis group owner list sre")]
    List {
        /// Name or object id of the group
        group: String,
        #[command(flatten)]
        output: OutputArgs,
    },
}

pub(crate) async fn run(command: GroupCommand) -> anyhow::Result<()> {
    let client = Client::open().await?;
    match command {
        GroupCommand::Create { name, description, output } => {
            let nickname: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
            let body = json!({"displayName": name, "mailNickname": nickname, "description": description,
                "mailEnabled": false, "securityEnabled": true});
            output.one(&COLUMNS, &client.post("/v1.0/groups", &body).await?);
        }
        GroupCommand::List(output) => output.list(&COLUMNS, &client.list("/v1.0/groups").await?),
        GroupCommand::Show { group, output } => {
            let id = find(&client, &group).await?;
            output.one(&COLUMNS, &client.get(&format!("/v1.0/groups/{id}")).await?);
        }
        GroupCommand::Update { group, name, description } => {
            let id = find(&client, &group).await?;
            let changes = [("displayName", name), ("description", description)];
            let changes =
                changes.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into())));
            let body: Map<String, Value> = changes.collect();
            if body.is_empty() {
                bail!("say what to change of {group}: --name or --description");
            }
            client.patch(&format!("/v1.0/groups/{id}"), &Value::Object(body)).await?;
            output::say(format_args!("Changed {group}"));
        }
        GroupCommand::Delete { group, confirm } => {
            let id = find(&client, &group).await?;
            confirm.ask(&format!("Delete the group {group}, and with it what its members have by it?"))?;
            client.delete(&format!("/v1.0/groups/{id}")).await?;
            output::say(format_args!("Deleted {group}"));
        }
        GroupCommand::Member(command) => member(&client, command).await?,
        GroupCommand::Owner(command) => owner(&client, command).await?,
    }
    Ok(())
}

async fn member(client: &Client, command: MemberCommand) -> anyhow::Result<()> {
    match command {
        MemberCommand::Add { group, member } => {
            let (id, object) = (find(client, &group).await?, principal(client, &member).await?);
            let added =
                client.post(&format!("/v1.0/groups/{id}/members/$ref"), &reference(client, &object)).await;
            replace_error(added, is_there_already, || format!("{member} is in {group} already"))?;
            output::say(format_args!("Added {member} to {group}"));
        }
        MemberCommand::Remove { group, member } => {
            let (id, object) = (find(client, &group).await?, principal(client, &member).await?);
            let removed = client.delete(&format!("/v1.0/groups/{id}/members/{object}/$ref")).await;
            replace_error(removed, is_not_found, || format!("{member} is not in {group} itself"))?;
            output::say(format_args!("Removed {member} from {group}"));
        }
        MemberCommand::List { group, transitive, output } => {
            let id = find(client, &group).await?;
            let which = if transitive { "transitiveMembers" } else { "members" };
            output.list(&MEMBER_COLUMNS, &client.list(&format!("/v1.0/groups/{id}/{which}")).await?);
        }
        MemberCommand::Check { group, member } => {
            let (id, object) = (find(client, &group).await?, principal(client, &member).await?);
            let path = format!("/v1.0/directoryObjects/{object}/checkMemberGroups");
            let answer = client.post(&path, &json!({"groupIds": [id]})).await?;
            let inside = answer.get("value").and_then(Value::as_array).is_some_and(|held| !held.is_empty());
            output::say(format_args!("{}", if inside { "yes" } else { "no" }));
            if !inside {
                return Err(NegativeAnswer.into());
            }
        }
    }
    Ok(())
}

async fn owner(client: &Client, command: OwnerCommand) -> anyhow::Result<()> {
    match command {
        OwnerCommand::Add { group, owner } => {
            let (id, object) = (find(client, &group).await?, principal(client, &owner).await?);
            let added =
                client.post(&format!("/v1.0/groups/{id}/owners/$ref"), &reference(client, &object)).await;
            replace_error(added, is_there_already, || format!("{owner} is an owner of {group} already"))?;
            output::say(format_args!("{owner} may change {group} now"));
        }
        OwnerCommand::Remove { group, owner } => {
            let (id, object) = (find(client, &group).await?, principal(client, &owner).await?);
            let removed = client.delete(&format!("/v1.0/groups/{id}/owners/{object}/$ref")).await;
            replace_error(removed, is_not_found, || format!("{owner} is no owner of {group}"))?;
            output::say(format_args!("{owner} may change {group} no more"));
        }
        OwnerCommand::List { group, output } => {
            let id = find(client, &group).await?;
            output.list(&MEMBER_COLUMNS, &client.list(&format!("/v1.0/groups/{id}/owners")).await?);
        }
    }
    Ok(())
}

/// The object id of a principal: an id, a user principal name, the name of a group or of a service principal, or an
/// application's id.
pub(crate) async fn principal(client: &Client, name: &str) -> anyhow::Result<String> {
    if name.contains('@') {
        let user = client.find(&format!("/v1.0/users/{}", encode(name))).await?;
        match user.as_ref().and_then(|user| user.get("id")).and_then(Value::as_str) {
            Some(id) => return Ok(id.to_owned()),
            None => bail!("no user is named \"{name}\": `portcullis user list` shows them"),
        }
    }
    if is_id(name) {
        if client.find(&format!("/v1.0/directoryObjects/{name}")).await?.is_some() {
            return Ok(name.to_owned());
        }
        let filter = format!("/v1.0/servicePrincipals?$filter=appId%20eq%20{}", quote(name));
        let found = client.list(&filter).await?;
        match found.first().and_then(|each| each.get("id")).and_then(Value::as_str) {
            Some(id) => return Ok(id.to_owned()),
            None => bail!("nobody in the directory has the id {name}"),
        }
    }
    let named = |kind: &str| format!("/v1.0/{kind}?$filter=displayName%20eq%20{}", quote(name));
    let mut found = client.list(&named("groups")).await?;
    found.extend(client.list(&named("servicePrincipals")).await?);
    match found.as_slice() {
        [one] => Ok(one.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()),
        [] => bail!(
            "no group and no service principal is named \"{name}\": `portcullis group list` and `portcullis app list` \
             show them; users are named by their principal name, as alice@example.org"
        ),
        several => bail!(
            "{} groups and service principals are named \"{name}\": give the object id, or the application id",
            several.len()
        ),
    }
}

/// The object id of a group by its id or name.
pub(crate) async fn find(client: &Client, group: &str) -> anyhow::Result<String> {
    if is_id(group) {
        return Ok(group.to_owned());
    }
    let found = client.list(&format!("/v1.0/groups?$filter=displayName%20eq%20{}", quote(group))).await?;
    match found.as_slice() {
        [one] => Ok(one.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()),
        [] => bail!("no group is named \"{group}\": `portcullis group list` shows them"),
        several => bail!("{} groups are named \"{group}\": give the object id", several.len()),
    }
}

pub(crate) fn reference(client: &Client, id: &str) -> Value {
    json!({"@odata.id": format!("{}/v1.0/directoryObjects/{id}", client.session.url)})
}

fn is_id(text: &str) -> bool {
    domain::id::ObjectId::parse(text).is_ok()
}

const COLUMNS: [Column; 3] = [("NAME", "/displayName"), ("DESCRIPTION", "/description"), ("ID", "/id")];
pub(crate) const MEMBER_COLUMNS: [Column; 4] = [
    ("NAME", "/displayName"),
    ("PRINCIPAL NAME", "/userPrincipalName"),
    ("KIND", "/@odata.type"),
    ("ID", "/id"),
];
