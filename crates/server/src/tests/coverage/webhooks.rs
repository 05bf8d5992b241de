//! The webhooks of attached clusters: each opens for the certificate of its own cluster's API server alone.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Client, Identity};
use serde_json::{Value, json};

use super::answer;
use crate::tests::site::Site;

pub(super) const PATHS: [&str; 2] = ["/webhooks/{cluster}/authenticate", "/webhooks/{cluster}/authorize"];

const REVIEWS: [&str; 2] = [
    r#"{"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "spec": {"token": "x"}}"#,
    r#"{"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": {"user": "x",
        "resourceAttributes": {"verb": "get", "resource": "pods"}}}"#,
];

/// An attached cluster: its id, and its API server's client.
async fn attached(site: &Site, name: &str) -> (String, Client) {
    let token = site.management().await;
    let group = format!("/subscriptions/{}/resourceGroups/rg", site.running.installation.subscription);
    let put = |path: String, body: Value| site.http.put(site.url(&path)).bearer_auth(&token).json(&body);
    site.ok(put(format!("{group}?api-version=2024-11-01"), json!({"location": "local"}))).await;
    let path = format!("{group}/providers/Microsoft.ContainerService/managedClusters/{name}");
    let attached = json!({"server": "https://elsewhere.example:6443",
        "certificateAuthorityData": STANDARD.encode(&site.running.authority)});
    let body = json!({"location": "local", "properties": {"attached": attached}});
    site.ok(put(format!("{path}?api-version=2026-06-01"), body)).await;
    let issued = site.post(&format!("{path}/listWebhookCredential?api-version=2026-06-01"), &json!({})).await;
    let text =
        |name: &str| String::from_utf8(STANDARD.decode(issued[name].as_str().unwrap()).unwrap()).unwrap();
    let pem = format!("{}\n{}", text("clientCertificateData"), text("clientKeyData"));
    let url = issued["authenticate"]["url"].as_str().unwrap();
    (url.rsplit('/').nth(1).unwrap().to_owned(), client(site, &pem))
}

fn client(site: &Site, pem: &str) -> Client {
    let authority = reqwest::Certificate::from_pem_bundle(site.running.authority.as_bytes()).unwrap();
    let identity = Identity::from_pem(pem.as_bytes()).unwrap();
    Client::builder().tls_certs_only(authority).identity(identity).build().unwrap()
}

/// A certificate of an authority that nobody here knows.
fn stray(site: &Site) -> Client {
    let random = crypto::random::System::default();
    let now = site.running.app.now();
    let (authority, key) = crypto::cert::Authority::generate("stray", now, &random).unwrap();
    let key = STANDARD.encode(key.expose());
    let key = format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n");
    client(site, &format!("{}\n{key}", authority.certificate_pem()))
}

#[tokio::test]
async fn webhooks_open_for_the_certificate_of_their_cluster_alone() {
    let site = Site::start(|_| {}).await;
    let embedded = site.cluster().await;
    let embedded = embedded.rsplit('/').next().unwrap();
    let (one, own) = attached(&site, "a1").await;
    let (_, other) = attached(&site, "a2").await;
    let admin = site.token(&site.admin.name, &super::stage::cluster()).await;
    let stray = stray(&site);
    let before = super::stage::revision(&site).await;
    for (path, review) in PATHS.iter().zip(REVIEWS) {
        let ask = |client: &Client, cluster: &str| {
            let address = site.url(&path.replace("{cluster}", cluster));
            client.post(address).header("content-type", "application/json").body(review)
        };
        assert_eq!(answer(ask(&own, &one)).await, "200", "{path}");
        for (who, request, expected) in [
            ("no certificate", ask(&site.http, &one), "401 Unauthorized"),
            ("a token in its place", ask(&site.http, &one).bearer_auth(&admin), "401 Unauthorized"),
            ("another cluster's certificate", ask(&other, &one), "403 Forbidden"),
            ("a certificate of nobody", ask(&stray, &one), "401 Unauthorized"),
            ("its certificate elsewhere", ask(&own, embedded), "403 Forbidden"),
            ("its certificate nowhere", ask(&own, "nothing"), "403 Forbidden"),
        ] {
            assert_eq!(answer(request).await, expected, "{path} with {who}");
        }
    }
    assert_eq!(super::stage::revision(&site).await, before);
    // Nor does the certificate open the API of a cluster, be it another or its own.
    for cluster in [embedded, one.as_str()] {
        let found = answer(own.get(site.url(&format!("/clusters/{cluster}/api")))).await;
        assert!(found.starts_with("401") || found.starts_with("404"), "{found}");
    }
    // An earlier certificate is none any more.
    let path = format!(
        "/subscriptions/{}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/a1/listWebhookCredential?api-version=2026-06-01",
        site.running.installation.subscription
    );
    site.post(&path, &json!({})).await;
    let address = site.url(&PATHS[0].replace("{cluster}", &one));
    let again = own.post(address).header("content-type", "application/json").body(REVIEWS[0]);
    assert_eq!(answer(again).await, "403 Forbidden");
}
