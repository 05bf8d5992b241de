//! `portcullis group`: groups of the directory and who is in them.

use anyhow::bail;
use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    client::{Client, encode, quote},
    output::{Column, OutputArgs},
};

#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// Make a group
    Create {
        name: String,
        #[arg(long)]
        description: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List groups
    List(OutputArgs),
    /// Show one group, by name or object id
    Show {
        group: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Delete a group
    Delete { group: String },
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
    Add { group: String, member: String },
    /// Take somebody out; their access by this group ends at once
    Remove { group: String, member: String },
    /// List direct members
    List {
        group: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Say whether somebody is in a group, nested groups included
    Check { group: String, member: String },
}

#[derive(Debug, Subcommand)]
pub enum OwnerCommand {
    /// Add an owner
    Add { group: String, owner: String },
    /// List owners
    List {
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
        GroupCommand::Delete { group } => {
            let id = find(&client, &group).await?;
            client.delete(&format!("/v1.0/groups/{id}")).await?;
            println!("Deleted {group}");
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
            client.post(&format!("/v1.0/groups/{id}/members/$ref"), &reference(client, &object)).await?;
            println!("Added {member} to {group}");
        }
        MemberCommand::Remove { group, member } => {
            let (id, object) = (find(client, &group).await?, principal(client, &member).await?);
            client.delete(&format!("/v1.0/groups/{id}/members/{object}/$ref")).await?;
            println!("Removed {member} from {group}");
        }
        MemberCommand::List { group, output } => {
            let id = find(client, &group).await?;
            output.list(&MEMBER_COLUMNS, &client.list(&format!("/v1.0/groups/{id}/members")).await?);
        }
        MemberCommand::Check { group, member } => {
            let (id, object) = (find(client, &group).await?, principal(client, &member).await?);
            let path = format!("/v1.0/directoryObjects/{object}/checkMemberGroups");
            let answer = client.post(&path, &json!({"groupIds": [id]})).await?;
            let inside = answer.get("value").and_then(Value::as_array).is_some_and(|held| !held.is_empty());
            println!("{}", if inside { "yes" } else { "no" });
        }
    }
    Ok(())
}

async fn owner(client: &Client, command: OwnerCommand) -> anyhow::Result<()> {
    match command {
        OwnerCommand::Add { group, owner } => {
            let (id, object) = (find(client, &group).await?, principal(client, &owner).await?);
            client.post(&format!("/v1.0/groups/{id}/owners/$ref"), &reference(client, &object)).await?;
            println!("{owner} may change {group} now");
        }
        OwnerCommand::List { group, output } => {
            let id = find(client, &group).await?;
            output.list(&MEMBER_COLUMNS, &client.list(&format!("/v1.0/groups/{id}/owners")).await?);
        }
    }
    Ok(())
}

/// The object id of a principal: an id, a user principal name, the name of a group, or an application's id.
pub(crate) async fn principal(client: &Client, name: &str) -> anyhow::Result<String> {
    if name.contains('@') {
        let user = client.find(&format!("/v1.0/users/{}", encode(name))).await?;
        match user.as_ref().and_then(|user| user.get("id")).and_then(Value::as_str) {
            Some(id) => return Ok(id.to_owned()),
            None => bail!("no user is named \"{name}\""),
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
    find(client, name).await
}

/// The object id of a group by its id or name.
async fn find(client: &Client, group: &str) -> anyhow::Result<String> {
    if is_id(group) {
        return Ok(group.to_owned());
    }
    let found = client.list(&format!("/v1.0/groups?$filter=displayName%20eq%20{}", quote(group))).await?;
    match found.as_slice() {
        [one] => Ok(one.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()),
        [] => bail!("no group is named \"{group}\""),
        several => bail!("{} groups are named \"{group}\": give the object id", several.len()),
    }
}

fn reference(client: &Client, id: &str) -> Value {
    json!({"@odata.id": format!("{}/v1.0/directoryObjects/{id}", client.session.url)})
}

fn is_id(text: &str) -> bool {
    domain::id::ObjectId::parse(text).is_ok()
}

const COLUMNS: [Column; 3] = [("NAME", "/displayName"), ("DESCRIPTION", "/description"), ("ID", "/id")];
const MEMBER_COLUMNS: [Column; 4] = [
    ("NAME", "/displayName"),
    ("PRINCIPAL NAME", "/userPrincipalName"),
    ("KIND", "/@odata.type"),
    ("ID", "/id"),
];
