//! The README for the administrator of the API server.

use serde_json::json;

use super::configuration::{
    AUTHENTICATION, AUTHORIZATION, CLIENT, CONFIGURATION, ClusterFiles, OLDER_CONFIGURATION,
};

pub(super) fn readme(place: &ClusterFiles<'_>) -> String {
    let ClusterFiles { name, resource_group, install_dir } = place;
    let at = install_dir.display().to_string();
    let text = TEXT
        .replace("@name", name)
        .replace("@group", resource_group)
        .replace("@kubeadm", &kubeadm(&at))
        .replace("@manifest", &manifest(&at));
    let flags = [
        ("@authentication", AUTHENTICATION),
        ("@authorization", AUTHORIZATION),
        ("@newer", CONFIGURATION),
        ("@older", OLDER_CONFIGURATION),
        ("@client", CLIENT),
    ];
    flags.iter().fold(text, |text, (mark, file)| text.replace(mark, file)).replace("@at", &at)
}

/// The settings for a kubeadm configuration, in both API versions in use.
fn kubeadm(at: &str) -> String {
    let place = json!(at);
    let volumes = format!(
        "  extraVolumes:\n  - name: portcullis\n    hostPath: {place}\n    mountPath: {place}\n    readOnly: true\n    \
         pathType: Directory\n"
    );
    let arguments = [
        ("authentication-token-webhook-config-file", "@at/@authentication"),
        ("authentication-token-webhook-version", "v1"),
        ("authentication-token-webhook-cache-ttl", "0s"),
        ("authorization-config", "@at/@newer"),
    ];
    let named = arguments.map(|(name, value)| format!("  - name: {name}\n    value: \"{value}\"\n")).concat();
    let mapped = arguments.map(|(name, value)| format!("    {name}: \"{value}\"\n")).concat();
    format!(
        "```yaml\napiVersion: kubeadm.k8s.io/v1beta4    # kubeadm of release 1.31 and later\n\
         kind: ClusterConfiguration\napiServer:\n  extraArgs:\n{named}{volumes}```\n\n\
         ```yaml\napiVersion: kubeadm.k8s.io/v1beta3    # before\n\
         kind: ClusterConfiguration\napiServer:\n  extraArgs:\n{mapped}{volumes}```"
    )
}

/// The settings for a static pod manifest.
fn manifest(at: &str) -> String {
    let at = json!(at);
    format!(
        "```yaml\nspec:\n  containers:\n  - name: kube-apiserver\n    volumeMounts:\n    - name: portcullis\n      \
         mountPath: {at}\n      readOnly: true\n  volumes:\n  - name: portcullis\n    hostPath:\n      \
         path: {at}\n      type: Directory\n```"
    )
}

const TEXT: &str = include_str!("readme.md");
