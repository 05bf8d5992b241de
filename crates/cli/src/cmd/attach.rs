//! `portcullis cluster attach`: what a real kube-apiserver needs to ask this server who somebody is and what
//! they may do.

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
    files,
};

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
    /// Resource group; made if there is none
    #[arg(short = 'g', long, default_value = GROUP)]
    resource_group: String,
    /// Where it is; a word of your own
    #[arg(long, default_value = resource_group::LOCATION)]
    location: String,
    #[command(flatten)]
    access: AccessArgs,
}

pub(crate) async fn run(client: &Client, arguments: AttachArgs) -> anyhow::Result<()> {
    let ca = std::fs::read(&arguments.ca).with_context(|| format!("reading {}", arguments.ca.display()))?;
    let path = cluster_path(&client.subscription().await?, &arguments.resource_group, &arguments.name)?;
    resource_group::ensure(client, &arguments.resource_group, &arguments.location).await?;
    let mut properties = arguments.access.properties(client).await?;
    if let Some(members) = properties.as_object_mut() {
        let attached = json!({"server": arguments.server, "certificateAuthorityData": STANDARD.encode(&ca)});
        members.insert("attached".into(), attached);
    }
    let body = json!({"location": arguments.location, "properties": properties});
    client.put(&format!("{path}?{CLUSTERS}"), &body).await?;
    let hooks = client.post(&format!("{path}/listWebhookCredential?{CLUSTERS}"), &json!({})).await?;
    let out = &arguments.out;
    files::private_directory(out)?;
    for (file, hook) in [(AUTHENTICATION, "authenticate"), (AUTHORIZATION, "authorize")] {
        files::replace_private(&out.join(file), webhook(&hooks, hook)?.as_bytes())?;
    }
    files::replace_private(&out.join(CONFIGURATION), configuration().as_bytes())?;
    files::replace_private(&out.join("README.md"), readme(&arguments.name).as_bytes())?;
    println!("Attached {}: the files for its API server are in {}", arguments.name, out.display());
    println!("Next: {}", Path::new(out).join("README.md").display());
    Ok(())
}

/// A kubeconfig that names a hook and holds what it takes to call it.
fn webhook(hooks: &Value, hook: &str) -> anyhow::Result<String> {
    let text = |pointer: &str| match hooks.pointer(pointer).and_then(Value::as_str) {
        Some(text) => Ok(json!(text)),
        None => bail!("the server gave no {pointer}"),
    };
    Ok(format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: portcullis\n  cluster:\n    server: {}\n    \
         certificate-authority-data: {}\nusers:\n- name: api-server\n  user:\n    client-certificate-data: {}\n    \
         client-key-data: {}\ncontexts:\n- name: webhook\n  context: {{cluster: portcullis, user: api-server}}\n\
         current-context: webhook\n",
        text(&format!("/{hook}/url"))?,
        text("/certificateAuthorityData")?,
        text("/clientCertificateData")?,
        text("/clientKeyData")?
    ))
}

/// The structured form (`apiserver.config.k8s.io/v1`). The webhook stands before RBAC, so that what was taken
/// away ends at once; it is asked for identities of the directory only, so that no part of the system waits
/// for it.
fn configuration() -> String {
    format!(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n\
         - type: Node\n  name: node\n\
         - type: Webhook\n  name: portcullis\n  webhook:\n    authorizedTTL: 1s\n    unauthorizedTTL: 1s\n    \
         # Releases without these two fields refuse them: remove them there, and a second remains.\n    \
         cacheAuthorizedRequests: false\n    cacheUnauthorizedRequests: false\n    timeout: 3s\n    \
         subjectAccessReviewVersion: v1\n    matchConditionSubjectAccessReviewVersion: v1\n    \
         failurePolicy: Deny\n    connectionInfo:\n      type: KubeConfigFile\n      \
         kubeConfigFile: /etc/kubernetes/portcullis/{AUTHORIZATION}\n    matchConditions:\n    \
         - expression: \"!request.user.startsWith('system:')\"\n    \
         - expression: \"has(request.extra) && 'oid' in request.extra\"\n\
         - type: RBAC\n  name: rbac\n"
    )
}

fn readme(name: &str) -> String {
    format!(
        "# {name}: connecting its API server\n\n\
         Copy this directory to `/etc/kubernetes/portcullis/` on every machine that runs kube-apiserver. The files\n\
         hold a private key: keep them readable by the API server alone.\n\n\
         ## Who somebody is\n\n```\n\
         --authentication-token-webhook-config-file=/etc/kubernetes/portcullis/{AUTHENTICATION}\n\
         --authentication-token-webhook-version=v1\n\
         --authentication-token-webhook-cache-ttl=0s\n```\n\n\
         ## What they may do (release 1.30 and later)\n\n```\n\
         --authorization-config=/etc/kubernetes/portcullis/{CONFIGURATION}\n```\n\n\
         This replaces `--authorization-mode` and every `--authorization-webhook-*` flag. Releases before 1.32 want\n\
         `apiVersion: apiserver.config.k8s.io/v1beta1` in the file.\n\n\
         ## What they may do (older releases)\n\n```\n\
         --authorization-mode=Node,Webhook,RBAC\n\
         --authorization-webhook-config-file=/etc/kubernetes/portcullis/{AUTHORIZATION}\n\
         --authorization-webhook-version=v1\n\
         --authorization-webhook-cache-authorized-ttl=0s\n\
         --authorization-webhook-cache-unauthorized-ttl=0s\n```\n\n\
         ## What to know\n\n\
         - kube-apiserver keeps an accepted token for 10 seconds, whatever its flags say. The webhook stands before\n\
         \x20 RBAC, is asked at every request and refuses whoever was disabled, revoked or has left a group: so what\n\
         \x20 was taken away ends at once, at the price of a refusal for up to 10 seconds after a change of groups.\n\
         - While Portcullis cannot be reached: with the structured file people of the directory are refused, and\n\
         \x20 everything else (service accounts, nodes, certificates) goes on. With the old flags what RBAC grants to\n\
         \x20 people goes on too.\n\
         - `portcullis cluster credentials {name}` writes a kubeconfig for this server.\n"
    )
}

const EXAMPLES: &str = "\
Examples:
  portcullis cluster attach prod -g rg1 --server https://kube.example.org:6443 --ca kube-ca.crt --out prod-files
  portcullis cluster attach prod -g rg1 --server https://kube.example.org:6443 --ca kube-ca.crt --out prod-files \\
    --azure-rbac

The directory gets two webhook kubeconfigs and a README.md with the flags for that API server.";

const AUTHENTICATION: &str = "authentication-webhook.yaml";
const AUTHORIZATION: &str = "authorization-webhook.yaml";
const CONFIGURATION: &str = "authorization-config.yaml";
