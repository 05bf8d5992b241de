//! `portcullis cluster`: clusters, kubeconfigs for them, administrator certificates.

mod access;
mod certificate;
mod credentials;
mod resource_id;

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{InSubscription, attach, resource_group};
use crate::{
    client::{CLUSTERS, Client, encode},
    confirm::ConfirmArgs,
    kubeconfig::default_path,
    output::{self, Column, OutputArgs},
};

pub use access::AccessArgs;
pub(crate) use access::Changes;
pub(crate) use resource_id::{GROUP, cluster_path};

#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Make a cluster that this server serves itself
    #[command(after_help = "Examples:
  portcullis cluster create c1 -g rg1
  portcullis cluster create c1 -g rg1 --azure-rbac
  portcullis cluster create c1 -g rg1 --admin-group sre")]
    Create {
        /// Name of the cluster
        name: String,
        /// Resource group; made if there is none
        #[arg(short = 'g', long, default_value = GROUP)]
        resource_group: String,
        /// Where it is; a word of your own
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
    #[command(after_help = "Examples:
  portcullis cluster list
  portcullis cluster list -g rg1 -o json")]
    List {
        /// Only those of one resource group
        #[arg(short = 'g', long)]
        resource_group: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show one cluster
    #[command(after_help = "Examples:
  portcullis cluster show c1")]
    Show {
        #[command(flatten)]
        cluster: ClusterArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Change how people get access to a cluster
    #[command(after_help = "Examples:
  portcullis cluster update c1 --azure-rbac
  portcullis cluster update c1 --disable-local-accounts

What is not named stays as it is.")]
    Update {
        #[command(flatten)]
        cluster: ClusterArgs,
        #[command(flatten)]
        access: AccessArgs,
        /// Turn Azure RBAC off
        #[arg(long, conflicts_with = "azure_rbac")]
        no_azure_rbac: bool,
        /// Leave no group that administers the cluster
        #[arg(long, conflicts_with = "admin_groups")]
        no_admin_groups: bool,
        /// Allow administrator certificates again
        #[arg(long, conflicts_with = "disable_local_accounts")]
        enable_local_accounts: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Delete a cluster with everything in it
    #[command(after_help = "Examples:
  portcullis cluster delete c1 --yes")]
    Delete {
        #[command(flatten)]
        cluster: ClusterArgs,
        #[command(flatten)]
        confirm: ConfirmArgs,
    },
    /// Write a kubeconfig for a cluster
    #[command(after_help = "Examples:
  portcullis cluster credentials c1
  portcullis cluster credentials c1 --file ./c1.yaml
  portcullis cluster credentials c1 --admin

The entries are added to the kubeconfig; those of others stay. Without --admin it holds no secret.")]
    Credentials {
        #[command(flatten)]
        cluster: ClusterArgs,
        /// An administrator certificate in place of your own sign-in
        #[arg(long)]
        admin: bool,
        /// Kubeconfig to add to, - for standard output [default: the first of $KUBECONFIG, or ~/.kube/config]
        #[arg(short, long, value_name = "KUBECONFIG")]
        file: Option<PathBuf>,
        /// Name of the context [default: the cluster's, with -admin after it for --admin]
        #[arg(long)]
        context: Option<String>,
        /// Replace entries of the same names
        #[arg(long)]
        overwrite_existing: bool,
    },
    /// Certificates with which the API server of an attached cluster asks this server
    #[command(subcommand)]
    Certificate(certificate::CertificateCommand),
    /// List the administrator certificates of a cluster
    #[command(after_help = "Examples:
  portcullis cluster certificates c1")]
    Certificates {
        #[command(flatten)]
        cluster: ClusterArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Revoke one administrator certificate, at once
    #[command(after_help = "Examples:
  portcullis cluster revoke c1 SERIAL")]
    Revoke {
        #[command(flatten)]
        cluster: ClusterArgs,
        /// Serial number, as `certificates` shows it
        serial: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// End every administrator certificate of a cluster at once, by a new certificate authority
    #[command(after_help = "Examples:
  portcullis cluster rotate-certificates c1 --yes

An attached cluster has none: the certificate of its API server is replaced, without an outage, by
`portcullis cluster certificate rotate`.")]
    RotateCertificates {
        #[command(flatten)]
        cluster: ClusterArgs,
        #[command(flatten)]
        confirm: ConfirmArgs,
    },
}

/// Which cluster.
#[derive(Args, Clone, Debug)]
pub struct ClusterArgs {
    /// Name of the cluster
    name: String,
    /// Resource group; may be left out where the name is the only one
    #[arg(short = 'g', long)]
    resource_group: Option<String>,
}

pub(crate) async fn run(noun: InSubscription<ClusterCommand>) -> anyhow::Result<()> {
    let client = Client::open_in(noun.subscription).await?;
    match noun.command {
        ClusterCommand::Create { name, resource_group, location, access, output } => {
            let properties = access.properties(&client).await?;
            let path = cluster_path(&client.subscription().await?, &resource_group, &name)?;
            resource_group::ensure(&client, &resource_group, &location).await?;
            let body = json!({"location": location, "identity": {"type": "SystemAssigned"},
                "properties": properties});
            match client.make(&format!("{path}?{CLUSTERS}"), &body).await? {
                Some(made) => output.one(&COLUMNS, &made),
                None => bail!(
                    "a cluster named \"{name}\" is in resource group \"{resource_group}\" already: change it with `portcullis cluster update`"
                ),
            }
        }
        ClusterCommand::Attach(arguments) => attach::run(&client, arguments).await?,
        ClusterCommand::List { resource_group, output } => {
            output.list(&COLUMNS, &list(&client, resource_group.as_deref()).await?);
        }
        ClusterCommand::Show { cluster, output } => {
            let path = cluster.path(&client).await?;
            output.one(&COLUMNS, &client.get(&format!("{path}?{CLUSTERS}")).await?);
        }
        ClusterCommand::Update {
            cluster,
            access,
            no_azure_rbac,
            no_admin_groups,
            enable_local_accounts,
            output,
        } => {
            let named = access.changes(&client).await?;
            let changes = Changes {
                azure_rbac: no_azure_rbac.then_some(false).or(named.azure_rbac),
                disable_local_accounts: enable_local_accounts
                    .then_some(false)
                    .or(named.disable_local_accounts),
                admin_groups: no_admin_groups.then(Vec::new).or(named.admin_groups),
            };
            if changes == Changes::default() {
                bail!(
                    "say what to change of {}: `portcullis cluster update --help` lists what there is",
                    cluster.name
                );
            }
            let path = format!("{}?{CLUSTERS}", cluster.path(&client).await?);
            output.one(&COLUMNS, &client.update(&path, |object| changes.apply(object)).await?);
        }
        ClusterCommand::Delete { cluster, confirm } => {
            confirm.ask(&format!("Delete the cluster {} with everything in it?", cluster.name))?;
            let path = cluster.path(&client).await?;
            let missing = match &cluster.resource_group {
                Some(group) => {
                    format!("no cluster named \"{}\" is in resource group \"{group}\"", cluster.name)
                }
                None => format!("there is no cluster named \"{}\"", cluster.name),
            };
            client.delete_resource(&format!("{path}?{CLUSTERS}"), &missing).await?;
            output::say(format_args!("Deleted {}", cluster.name));
        }
        ClusterCommand::Credentials { cluster, admin, file, context, overwrite_existing } => {
            let path = cluster.path(&client).await?;
            let file = default_path(file.as_deref())?;
            if admin {
                credentials::check_place(&file, &path, overwrite_existing)?;
            }
            let mut config = credentials::pull(&client, &path, admin).await?;
            credentials::name_context(&mut config, &cluster.name, admin, context);
            credentials::write(config, &file, overwrite_existing)?;
        }
        ClusterCommand::Certificate(command) => certificate::run(&client, command).await?,
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
        ClusterCommand::RotateCertificates { cluster, confirm } => {
            confirm.ask(&format!(
                "End every administrator certificate of the cluster {}? Kubeconfigs that hold one must be written anew.",
                cluster.name
            ))?;
            let path = cluster.path(&client).await?;
            client.post(&format!("{path}/rotateClusterCertificates?{CLUSTERS}"), &json!({})).await?;
            output::say(format_args!(
                "Every administrator certificate of {0} has ended. Next: `portcullis cluster credentials {0} --admin` \
                 writes a kubeconfig with a new one; those without one go on",
                cluster.name
            ));
        }
    }
    Ok(())
}

impl ClusterArgs {
    pub(crate) async fn path(&self, client: &Client) -> anyhow::Result<String> {
        path(client, self.resource_group.as_deref(), &self.name).await
    }
}

/// The resource id of a cluster; without a group it is searched by name.
pub(crate) async fn path(client: &Client, group: Option<&str>, name: &str) -> anyhow::Result<String> {
    if let Some(group) = group {
        return cluster_path(&client.subscription().await?, group, name);
    }
    let all = list(client, None).await?;
    let text =
        |each: &Value, member: &str| each.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let named: Vec<&Value> =
        all.iter().filter(|each| text(each, "name").eq_ignore_ascii_case(name)).collect();
    match named.as_slice() {
        [one] => Ok(text(one, "id")),
        [] => bail!(
            "no cluster named \"{name}\" that you may see is in the subscription {}: `portcullis subscription list` \
             shows others, and --subscription names one",
            client.subscription_name().await?
        ),
        _ => bail!("several clusters are named \"{name}\": give the resource group with -g"),
    }
}

async fn list(client: &Client, group: Option<&str>) -> anyhow::Result<Vec<Value>> {
    let subscription = client.subscription().await?;
    let group = group.map(|group| format!("/resourceGroups/{}", encode(group))).unwrap_or_default();
    client
        .list(&format!("/subscriptions/{subscription}{group}/providers/Microsoft.ContainerService/managedClusters?{CLUSTERS}"))
        .await
}

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
