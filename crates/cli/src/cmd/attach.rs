//! `portcullis cluster attach`: writes the files with which a kube-apiserver uses this server's authentication and
//! authorization webhooks.
//!
//! Nothing is changed on the server before the files are known to be writable; settings without a flag stay. A
//! certificate is issued only if the cluster has none in use: `portcullis cluster certificate rotate` issues others.

pub(crate) mod configuration;
mod readme;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Args;
use serde_json::{Value, json};

use super::{
    cluster::{AccessArgs, GROUP, cluster_path},
    resource_group,
};
use crate::{
    client::{CLUSTERS, Client},
    files::{Directory, Replacement},
    output,
};
use configuration::{
    AUTHENTICATION, AUTHORIZATION, CLIENT, CONFIGURATION, ClusterFiles, OLDER_CONFIGURATION, Release,
    client_pem, configuration, host, webhook,
};
use readme::readme;

#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct AttachArgs {
    /// Name of the cluster
    name: String,
    /// Address of the cluster's API server
    #[arg(long, value_name = "URL")]
    server: String,
    /// Certificate authority of that API server (PEM)
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// Where to write the files for the API server
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Where the files will lie on the machines that run the API server
    #[arg(long, value_name = "DIR", default_value = "/etc/kubernetes/portcullis")]
    install_dir: PathBuf,
    /// Resource group; made if there is none
    #[arg(short = 'g', long, default_value = GROUP)]
    resource_group: String,
    /// Where it is; a word of your own
    #[arg(long, default_value = resource_group::LOCATION)]
    location: String,
    #[command(flatten)]
    access: AccessArgs,
}

type Content = fn(&ClusterFiles<'_>, &Value) -> anyhow::Result<String>;

/// The files except the certificate: name and content.
const FILES: [(&str, Content); 5] = [
    (AUTHENTICATION, |_, hooks| webhook(hooks, "authenticate")),
    (AUTHORIZATION, |_, hooks| webhook(hooks, "authorize")),
    (CONFIGURATION, |place, _| Ok(configuration(place, Release::From1_34))),
    (OLDER_CONFIGURATION, |place, _| Ok(configuration(place, Release::From1_30))),
    ("README.md", |place, _| Ok(readme(place))),
];

/// The files of one cluster, checked to be writable.
struct Files {
    directory: PathBuf,
    certificate: Replacement,
    others: Vec<(&'static str, Replacement)>,
}

pub(crate) async fn run(client: &Client, arguments: AttachArgs) -> anyhow::Result<()> {
    let ca = std::fs::read(&arguments.ca).with_context(|| format!("reading {}", arguments.ca.display()))?;
    let _directory = Directory::prepare(&arguments.out)?;
    let files = Files::prepare(&arguments.out)?;
    let path = cluster_path(&client.subscription().await?, &arguments.resource_group, &arguments.name)?;
    let attached = json!({"server": arguments.server, "certificateAuthorityData": STANDARD.encode(&ca)});
    let address = format!("{path}?{CLUSTERS}");
    match client.find(&address).await? {
        None => {
            let mut properties = arguments.access.properties(client).await?;
            attach(&mut properties, attached);
            resource_group::ensure(client, &arguments.resource_group, &arguments.location).await?;
            let body = json!({"location": arguments.location, "properties": properties});
            if client.make(&address, &body).await?.is_none() {
                bail!(
                    "somebody else has just made a cluster named \"{}\": look at it, and attach again",
                    arguments.name
                );
            }
            files.write(client, &path, &arguments).await?;
        }
        Some(known) => {
            let changes = arguments.access.changes(client).await?;
            files.write(client, &path, &arguments).await?;
            let change = |object: &mut Value| {
                changes.apply(object);
                if let Some(properties) = object.get_mut("properties") {
                    attach(properties, attached.clone());
                }
            };
            let mut changed = known.clone();
            change(&mut changed);
            if changed != known {
                client.update(&address, change).await?;
            }
        }
    }
    let out = arguments.out.display();
    output::say(format_args!("Attached {}: the files for its API server are in {out}", arguments.name));
    if !arguments.out.join(CLIENT).exists() {
        output::note(format_args!(
            "Missing: {CLIENT}. The cluster has a certificate in use, which only its machines hold: copy the file from \
             there, or make another one with `portcullis cluster certificate rotate {} -g {} --out {out}`",
            arguments.name, arguments.resource_group
        ));
    }
    output::say(format_args!("Next: {}", Path::new(&arguments.out).join("README.md").display()));
    Ok(())
}

fn attach(properties: &mut Value, attached: Value) {
    if let Some(members) = properties.as_object_mut() {
        members.insert("attached".into(), attached);
        // An attached cluster always has the directory integration enabled.
        let profile = members.entry("aadProfile").or_insert(Value::Null);
        if profile.is_null() {
            *profile = json!({"managed": true});
        }
    }
}

impl Files {
    fn prepare(directory: &Path) -> anyhow::Result<Self> {
        let others = FILES.iter().map(|(name, _)| Ok((*name, Replacement::prepare(&directory.join(name))?)));
        Ok(Self {
            directory: directory.to_owned(),
            certificate: Replacement::prepare(&directory.join(CLIENT))?,
            others: others.collect::<anyhow::Result<_>>()?,
        })
    }

    async fn write(self, client: &Client, path: &str, arguments: &AttachArgs) -> anyhow::Result<()> {
        let hooks = client.get(&format!("{path}/webhookCertificates?{CLUSTERS}")).await?;
        warn_of_localhost(&hooks, &arguments.server);
        let known = hooks.get("value").and_then(Value::as_array);
        let in_use = known.into_iter().flatten().any(|each| {
            each.get("counts") == Some(&true.into()) && each.get("seenAt").is_some_and(Value::is_string)
        });
        // A certificate that was never used may have been lost; issuing another revokes none.
        if !in_use {
            let issued = client.post(&format!("{path}/listWebhookCredential?{CLUSTERS}"), &json!({})).await?;
            self.certificate.commit(&client_pem(&issued)?)?;
        }
        let place = configuration::ClusterFiles {
            name: &arguments.name,
            resource_group: &arguments.resource_group,
            install_dir: &arguments.install_dir,
        };
        for ((name, file), (_, content)) in self.others.into_iter().zip(FILES) {
            let text = content(&place, &hooks)?;
            file.commit(text.as_bytes()).with_context(|| {
                format!("{} is not complete: {name} is missing", self.directory.display())
            })?;
        }
        Ok(())
    }
}

/// Warns if the server's URL is a loopback address: an API server on another machine would connect to itself.
fn warn_of_localhost(hooks: &Value, server: &str) {
    let url = hooks.pointer("/authorize/url").and_then(Value::as_str).unwrap_or_default();
    if is_loopback(&host(url)) && !is_loopback(&host(server)) {
        output::note(format_args!(
            "Warning: the files name {url}, which is the machine of the API server itself. Start Portcullis with \
             --external-url https://NAME, by which that machine reaches it, and attach again"
        ));
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

const EXAMPLES: &str = "\
Examples:
  portcullis cluster attach prod -g rg1 --server https://kube.example.org:6443 --ca kube-ca.crt --out prod-files
  portcullis cluster attach prod -g rg1 --server https://kube.example.org:6443 --ca kube-ca.crt --out prod-files \\
    --azure-rbac

The directory gets two webhook kubeconfigs with their certificate, the files and flags for each release of
kube-apiserver, and a README.md that says what to do. Attaching again changes what is named and ends no certificate.";

#[cfg(test)]
mod tests;
