//! `portcullis cluster`: clusters, kubeconfigs for them, administrator certificates.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{attach, convert, resource_group};
use crate::{
    client::{CLUSTERS, Client, encode},
    kubeconfig::{Kubeconfig, default_path},
    output::{Column, OutputArgs},
};

#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Make a cluster that this server serves itself
    Create {
        name: String,
        /// Resource group; made if there is none
        #[arg(short = 'g', long, default_value = GROUP)]
        resource_group: String,
        #[arg(long, default_value = resource_group::LOCATION)]
        location: String,
        #[command(flatten)]
        access: AccessArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Connect a cluster whose API server runs elsewhere
    Attach(attach::AttachArgs),
    /// List the clusters that you may see
    List {
        #[arg(short = 'g', long)]
        resource_group: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show one cluster
    Show {
        #[command(flatten)]
        cluster: ClusterArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Change how people get access to a cluster
    Update {
        #[command(flatten)]
        cluster: ClusterArgs,
        #[command(flatten)]
        access: AccessArgs,
        /// Turn Azure RBAC off
        #[arg(long, conflicts_with = "azure_rbac")]
        no_azure_rbac: bool,
        /// Allow administrator certificates again
        #[arg(long, conflicts_with = "disable_local_accounts")]
        enable_local_accounts: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Delete a cluster with everything in it
    Delete {
        #[command(flatten)]
        cluster: ClusterArgs,
    },
    /// Write a kubeconfig for a cluster
    Credentials {
        #[command(flatten)]
        cluster: ClusterArgs,
        /// An administrator certificate in place of your own sign-in
        #[arg(long)]
        admin: bool,
        /// Kubeconfig to write to [default: the first of $KUBECONFIG, or ~/.kube/config]
        #[arg(short, long, value_name = "KUBECONFIG")]
        file: Option<PathBuf>,
        /// Name of the context [default: the cluster's, with -admin after it for --admin]
        #[arg(long)]
        context: Option<String>,
        /// Replace entries of the same names
        #[arg(long)]
        overwrite_existing: bool,
    },
    /// List the administrator certificates of a cluster
    Certificates {
        #[command(flatten)]
        cluster: ClusterArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Revoke one administrator certificate, at once
    Revoke {
        #[command(flatten)]
        cluster: ClusterArgs,
        serial: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Make a new certificate authority: every administrator certificate stops to count
    RotateCertificates {
        #[command(flatten)]
        cluster: ClusterArgs,
    },
}

/// Which cluster.
#[derive(Args, Clone, Debug)]
pub struct ClusterArgs {
    name: String,
    /// Resource group; may be left out where the name is the only one
    #[arg(short = 'g', long)]
    resource_group: Option<String>,
}

#[derive(Args, Clone, Debug, Default)]
pub struct AccessArgs {
    /// Let Azure RBAC decide beside Kubernetes RBAC
    #[arg(long)]
    pub(crate) azure_rbac: bool,
    /// Group, by object id, whose members administer the cluster while Azure RBAC is off
    #[arg(long = "admin-group", value_name = "ID")]
    pub(crate) admin_groups: Vec<String>,
    /// Refuse administrator certificates
    #[arg(long)]
    disable_local_accounts: bool,
}

pub(crate) async fn run(command: ClusterCommand) -> anyhow::Result<()> {
    let client = Client::open().await?;
    match command {
        ClusterCommand::Create { name, resource_group, location, access, output } => {
            resource_group::ensure(&client, &resource_group, &location).await?;
            let subscription = client.subscription().await?;
            let path = cluster_path(&subscription, &resource_group, &name);
            if client.find(&format!("{path}?{CLUSTERS}")).await?.is_some() {
                bail!(
                    "a cluster named \"{name}\" is in resource group \"{resource_group}\" already: change it with `portcullis cluster update`"
                );
            }
            let body = json!({"location": location, "identity": {"type": "SystemAssigned"},
                "properties": access.properties()});
            output.one(&COLUMNS, &client.put(&format!("{path}?{CLUSTERS}"), &body).await?);
        }
        ClusterCommand::Attach(arguments) => attach::run(&client, arguments).await?,
        ClusterCommand::List { resource_group, output } => {
            output.list(&COLUMNS, &list(&client, resource_group.as_deref()).await?);
        }
        ClusterCommand::Show { cluster, output } => {
            let path = cluster.path(&client).await?;
            output.one(&COLUMNS, &client.get(&format!("{path}?{CLUSTERS}")).await?);
        }
        ClusterCommand::Update { cluster, access, no_azure_rbac, enable_local_accounts, output } => {
            let path = format!("{}?{CLUSTERS}", cluster.path(&client).await?);
            let mut object = client.get(&path).await?;
            access.change(&mut object, no_azure_rbac, enable_local_accounts);
            output.one(&COLUMNS, &client.put(&path, &object).await?);
        }
        ClusterCommand::Delete { cluster } => {
            let path = cluster.path(&client).await?;
            client.delete(&format!("{path}?{CLUSTERS}")).await?;
            println!("Deleted {}", cluster.name);
        }
        ClusterCommand::Credentials { cluster, admin, file, context, overwrite_existing } => {
            let path = cluster.path(&client).await?;
            let mut config = credentials(&client, &path, admin).await?;
            name_context(&mut config, &cluster.name, admin, context);
            let file = default_path(file.as_deref())?;
            write(&config, &file, overwrite_existing)?;
        }
        ClusterCommand::Certificates { cluster, output } => {
            let path = cluster.path(&client).await?;
            let found = client.list(&format!("{path}/adminCertificates?{CLUSTERS}")).await?;
            output.list(&CERTIFICATE_COLUMNS, &found);
        }
        ClusterCommand::Revoke { cluster, serial, output } => {
            let path = cluster.path(&client).await?;
            let path = format!("{path}/adminCertificates/{}/revoke?{CLUSTERS}", encode(&serial));
            output.one(&CERTIFICATE_COLUMNS, &client.post(&path, &json!({})).await?);
        }
        ClusterCommand::RotateCertificates { cluster } => {
            let path = cluster.path(&client).await?;
            client.post(&format!("{path}/rotateClusterCertificates?{CLUSTERS}"), &json!({})).await?;
            println!("The certificates of {} were rotated: write new kubeconfigs", cluster.name);
        }
    }
    Ok(())
}

impl ClusterArgs {
    /// The resource id; found by the name alone where no group is given.
    pub(crate) async fn path(&self, client: &Client) -> anyhow::Result<String> {
        if let Some(group) = &self.resource_group {
            return Ok(cluster_path(&client.subscription().await?, group, &self.name));
        }
        let all = list(client, None).await?;
        let named: Vec<&Value> = all
            .iter()
            .filter(|each| {
                each.get("name")
                    .and_then(Value::as_str)
                    .is_some_and(|name| name.eq_ignore_ascii_case(&self.name))
            })
            .collect();
        match named.as_slice() {
            [one] => Ok(one.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()),
            [] => {
                bail!("no cluster named \"{}\" that you may see: give its resource group with -g", self.name)
            }
            _ => bail!("several clusters are named \"{}\": give the resource group with -g", self.name),
        }
    }
}

impl AccessArgs {
    pub(crate) fn properties(&self) -> Value {
        json!({
            "enableRBAC": true,
            "disableLocalAccounts": self.disable_local_accounts,
            "aadProfile": {
                "managed": true,
                "enableAzureRBAC": self.azure_rbac,
                "adminGroupObjectIDs": self.admin_groups,
            },
        })
    }

    fn change(&self, object: &mut Value, no_azure_rbac: bool, enable_local_accounts: bool) {
        let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) else { return };
        if self.disable_local_accounts || enable_local_accounts {
            properties.insert("disableLocalAccounts".into(), self.disable_local_accounts.into());
        }
        let profile = properties.entry("aadProfile").or_insert_with(|| Value::Object(Map::new()));
        let Some(profile) = profile.as_object_mut() else { return };
        if self.azure_rbac || no_azure_rbac {
            profile.insert("enableAzureRBAC".into(), self.azure_rbac.into());
        }
        if !self.admin_groups.is_empty() {
            profile.insert("adminGroupObjectIDs".into(), json!(self.admin_groups));
        }
    }
}

pub(crate) fn cluster_path(subscription: &str, group: &str, name: &str) -> String {
    format!(
        "/subscriptions/{subscription}/resourceGroups/{}/providers/Microsoft.ContainerService/managedClusters/{}",
        encode(group),
        encode(name)
    )
}

async fn list(client: &Client, group: Option<&str>) -> anyhow::Result<Vec<Value>> {
    let subscription = client.subscription().await?;
    let group = group.map(|group| format!("/resourceGroups/{}", encode(group))).unwrap_or_default();
    client
        .list(&format!("/subscriptions/{subscription}{group}/providers/Microsoft.ContainerService/managedClusters?{CLUSTERS}"))
        .await
}

/// The server's kubeconfig; for a person with this program as its credential plugin.
async fn credentials(client: &Client, path: &str, admin: bool) -> anyhow::Result<Kubeconfig> {
    let action = if admin { "listClusterAdminCredential" } else { "listClusterUserCredential" };
    let answer = client.post(&format!("{path}/{action}?{CLUSTERS}"), &json!({})).await?;
    let value = answer.pointer("/kubeconfigs/0/value").and_then(Value::as_str);
    let bytes = STANDARD
        .decode(value.context("the server gave no kubeconfig")?)
        .context("the server's kubeconfig is not base64")?;
    let mut config =
        Kubeconfig::parse(std::str::from_utf8(&bytes).context("the server's kubeconfig is not UTF-8")?)?;
    if !admin {
        for user in config.users.iter_mut().flatten() {
            convert::use_session(user, &client.session);
        }
    }
    Ok(config)
}

/// Names the context as asked; for administrators with `-admin` at its end, as az does.
fn name_context(config: &mut Kubeconfig, cluster: &str, admin: bool, context: Option<String>) {
    let wanted = context.unwrap_or_else(|| format!("{cluster}{}", if admin { "-admin" } else { "" }));
    if let Some(first) = config.contexts.iter_mut().flatten().next() {
        first.name.clone_from(&wanted);
        config.current_context = wanted;
    }
}

fn write(config: &Kubeconfig, file: &Path, overwrite: bool) -> anyhow::Result<()> {
    let mut merged = Kubeconfig::read(file)?;
    merged.merge(config.clone(), overwrite)?;
    merged.write(file)?;
    println!("Merged \"{}\" as current context in {}", merged.current_context, file.display());
    Ok(())
}

pub(crate) const GROUP: &str = "default";
const COLUMNS: [Column; 6] = [
    ("NAME", "/name"),
    ("LOCATION", "/location"),
    ("AZURE RBAC", "/properties/aadProfile/enableAzureRBAC"),
    ("ADMIN GROUPS", "/properties/aadProfile/adminGroupObjectIDs"),
    ("STATE", "/properties/provisioningState"),
    ("ID", "/id"),
];
const CERTIFICATE_COLUMNS: [Column; 5] = [
    ("SERIAL", "/serialNumber"),
    ("USER", "/user"),
    ("ISSUED", "/issuedAt"),
    ("EXPIRES", "/expiresAt"),
    ("REVOKED", "/revokedAt"),
];
