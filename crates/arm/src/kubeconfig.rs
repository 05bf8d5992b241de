//! Kubeconfigs with the entry names of AKS; for users with an exec entry that signs in at first use and contains no
//! secret. The YAML is generated as text, with every value quoted as JSON, which is valid YAML.

use app::{
    App,
    resource_manager::credentials::{Endpoint, IssuedCertificate},
    state::well_known::CLUSTER_AUDIENCE,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::cluster::Cluster;
use serde_json::json;

/// For a user who signs in with the directory (W2, W3, W4).
pub(crate) fn for_person(app: &App, cluster: &Cluster, endpoint: &Endpoint) -> String {
    let base = &app.settings().external_url;
    let args = [
        "get-token",
        "--environment",
        "AzurePublicCloud",
        "--authority-host",
        &format!("{base}/"),
        "--server-id",
        CLUSTER_AUDIENCE,
        "--client-id",
        "80faf920-1908-4b52-b5ef-a8e7bedfc67a",
        "--tenant-id",
        &cluster.tenant.to_string(),
        "--login",
        "devicecode",
    ];
    let lines: Vec<String> = args.iter().map(|arg| format!("      - {}", json!(arg))).collect();
    let hint = "kubelogin is not installed which is required to connect to AAD enabled cluster. To learn more, see the documentation of Portcullis: `portcullis cluster credentials` needs no other program.";
    let user = format!(
        "  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1beta1\n      command: kubelogin\n      \
         args:\n{}\n      env: null\n      installHint: {}\n      interactiveMode: IfAvailable\n      \
         provideClusterInfo: false\n",
        lines.join("\n"),
        json!(hint)
    );
    document(cluster, endpoint, "clusterUser", &user)
}

/// For an administrator (W1): contains the certificate and its key.
pub(crate) fn for_administrator(
    cluster: &Cluster,
    endpoint: &Endpoint,
    issued: &IssuedCertificate,
) -> String {
    let user = format!(
        "  user:\n    client-certificate-data: {}\n    client-key-data: {}\n",
        STANDARD.encode(&issued.certificate_pem),
        STANDARD.encode(issued.key_pem.expose())
    );
    document(cluster, endpoint, "clusterAdmin", &user)
}

fn document(cluster: &Cluster, endpoint: &Endpoint, kind: &str, user: &str) -> String {
    let name = json!(cluster.name);
    let user_name = json!(format!("{kind}_{}_{}", cluster.resource_group, cluster.name));
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: {name}\n  cluster:\n    certificate-authority-data: {}\n    \
         server: {}\ncontexts:\n- name: {name}\n  context:\n    cluster: {name}\n    user: {user_name}\n\
         current-context: {name}\npreferences: {{}}\nusers:\n- name: {user_name}\n{user}",
        STANDARD.encode(&endpoint.certificate_authority),
        json!(endpoint.server)
    )
}
