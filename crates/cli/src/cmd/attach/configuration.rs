//! The files for an API server: webhook kubeconfigs, client certificate, and structured authorization configurations.

use std::path::Path;

use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Url;
use serde_json::{Value, json};

/// The cluster, and the directory of its files on the API server's machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClusterFiles<'a> {
    pub(super) name: &'a str,
    pub(super) resource_group: &'a str,
    pub(super) install_dir: &'a Path,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release {
    /// Has the fields that disable the webhook cache.
    From1_34,
    /// Refuses these fields; before 1.32 it has no v1 of the configuration.
    From1_30,
}

/// A kubeconfig for a webhook. The client certificate is in a separate file, which kube-apiserver reloads when it
/// changes; an embedded one would be read only once.
pub(super) fn webhook(hooks: &Value, hook: &str) -> anyhow::Result<String> {
    let text = |pointer: &str| match hooks.pointer(pointer).and_then(Value::as_str) {
        Some(text) => Ok(json!(text)),
        None => bail!("the server gave no {pointer}"),
    };
    Ok(format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: portcullis\n  cluster:\n    server: {}\n    \
         certificate-authority-data: {}\nusers:\n- name: api-server\n  user:\n    client-certificate: {CLIENT}\n    \
         client-key: {CLIENT}\ncontexts:\n- name: webhook\n  context: {{cluster: portcullis, user: api-server}}\n\
         current-context: webhook\n",
        text(&format!("/{hook}/url"))?,
        text("/certificateAuthorityData")?,
    ))
}

/// Certificate and key as one file, so that both are replaced by one rename.
pub(crate) fn client_pem(issued: &Value) -> anyhow::Result<Vec<u8>> {
    let mut pem = Vec::new();
    for member in ["clientCertificateData", "clientKeyData"] {
        let data = issued.get(member).and_then(Value::as_str);
        let data = data.with_context(|| format!("the server gave no {member}"))?;
        pem.extend(STANDARD.decode(data).with_context(|| format!("{member} is not base64"))?);
        if !pem.ends_with(b"\n") {
            pem.push(b'\n');
        }
    }
    Ok(pem)
}

/// The structured authorization configuration. The webhook is before RBAC, so that revocations are effective at once;
/// it is called for identities of the directory only, so that system components do not depend on it.
pub(super) fn configuration(place: &ClusterFiles<'_>, release: Release) -> String {
    let (version, cache) = match release {
        Release::From1_34 => {
            ("v1", "    cacheAuthorizedRequests: false\n    cacheUnauthorizedRequests: false\n")
        }
        Release::From1_30 => ("v1beta1", ""),
    };
    let kubeconfig = json!(place.install_dir.join(AUTHORIZATION));
    format!(
        "apiVersion: apiserver.config.k8s.io/{version}\nkind: AuthorizationConfiguration\nauthorizers:\n\
         - type: Node\n  name: node\n\
         - type: Webhook\n  name: portcullis\n  webhook:\n    authorizedTTL: 1s\n    unauthorizedTTL: 1s\n\
         {cache}    timeout: 3s\n    \
         subjectAccessReviewVersion: v1\n    matchConditionSubjectAccessReviewVersion: v1\n    \
         failurePolicy: Deny\n    connectionInfo:\n      type: KubeConfigFile\n      \
         kubeConfigFile: {kubeconfig}\n    matchConditions:\n    \
         - expression: \"!request.user.startsWith('system:')\"\n    \
         - expression: \"has(request.extra) && 'oid' in request.extra\"\n\
         - type: RBAC\n  name: rbac\n"
    )
}

/// The host of a URL, without brackets.
pub(super) fn host(url: &str) -> String {
    let address = Url::parse(url).ok();
    let host = address.as_ref().and_then(Url::host_str).unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}

/// The client certificate and its key.
pub(crate) const CLIENT: &str = "client.pem";
pub(super) const AUTHENTICATION: &str = "authentication-webhook.yaml";
pub(super) const AUTHORIZATION: &str = "authorization-webhook.yaml";
pub(super) const CONFIGURATION: &str = "authorization-config.yaml";
pub(super) const OLDER_CONFIGURATION: &str = "authorization-config-1.30.yaml";
