//! The webhooks of attached clusters: each opens for the certificate of its own cluster's API server alone.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Client, Identity};
use serde_json::{Value, json};

use super::answer;
use testserver::Site;

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

/// Waits until the first use of every certificate has been written down.
async fn all_seen(site: &Site) {
    let mut revisions = site.running.app.whole_state().revisions();
    let seen = || {
        let snapshot = site.running.app.whole_snapshot();
        let mut certificates = snapshot.clusters().flat_map(|cluster| cluster.webhook_certificates.iter());
        certificates.all(|each| each.seen.is_some())
    };
    while !seen() {
        tokio::time::timeout(std::time::Duration::from_secs(20), revisions.changed()).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn webhooks_open_for_the_certificate_of_their_cluster_alone() {
    let site = Site::start(|_| {}).await;
    let embedded = site.cluster().await;
    let embedded = embedded.rsplit('/').next().unwrap();
    let (one, own) = attached(&site, "a1").await;
    let (two, other) = attached(&site, "a2").await;
    let admin = site.token(&site.admin.name, &super::stage::cluster()).await;
    let stray = stray(&site);
    // The first use of each is written down; nothing else is.
    for (client, cluster) in [(&own, &one), (&other, &two)] {
        let address = site.url(&PATHS[0].replace("{cluster}", cluster));
        let asked = client.post(address).header("content-type", "application/json").body(REVIEWS[0]);
        assert_eq!(answer(asked).await, "200");
    }
    all_seen(&site).await;
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
    // A further certificate ends none, until somebody does.
    let cluster = format!(
        "/subscriptions/{}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/a1",
        site.running.installation.subscription
    );
    let version = "api-version=2026-06-01";
    site.post(&format!("{cluster}/listWebhookCredential?{version}"), &json!({})).await;
    let again = || {
        let address = site.url(&PATHS[0].replace("{cluster}", &one));
        own.post(address).header("content-type", "application/json").body(REVIEWS[0])
    };
    assert_eq!(answer(again()).await, "200");
    let token = site.management().await;
    let list = site.url(&format!("{cluster}/webhookCertificates?{version}"));
    let known = site.ok(site.http.get(list).bearer_auth(&token)).await;
    let [new, old] = known["value"].as_array().unwrap().as_slice() else { panic!("{known}") };
    assert!(new["seenAt"].is_null() && new["counts"] == true && old["counts"] == true, "{known}");
    let thumbprint = old["thumbprint"].as_str().unwrap();
    let ended =
        site.post(&format!("{cluster}/webhookCertificates/{thumbprint}/end?{version}"), &json!({})).await;
    assert_eq!(ended["counts"], false, "{ended}");
    assert_eq!(answer(again()).await, "403 Forbidden");
}

#[tokio::test]
async fn the_first_use_of_a_certificate_is_noted_and_refusals_are_counted() {
    let site = Site::start(|_| {}).await;
    let (one, own) = attached(&site, "a1").await;
    let ask = |client: &Client| {
        let address = site.url(&PATHS[0].replace("{cluster}", &one));
        client.post(address).header("content-type", "application/json").body(REVIEWS[0])
    };
    let metrics = async || {
        let address = format!("http://{}/metrics", site.running.metrics_address);
        Client::new().get(address).send().await.unwrap().text().await.unwrap()
    };
    let expiry = format!("portcullis_webhook_certificate_expiry_seconds{{cluster=\"a1\",id=\"{one}\"}}");
    assert!(!metrics().await.contains(&expiry));
    assert_eq!(answer(ask(&own)).await, "200");
    all_seen(&site).await;
    assert!(metrics().await.contains(&expiry));
    assert_eq!(answer(ask(&site.http)).await, "401 Unauthorized");
    assert_eq!(answer(ask(&stray(&site))).await, "401 Unauthorized");
    let text = metrics().await;
    for reason in ["no_certificate", "unknown_certificate"] {
        let line = format!("portcullis_webhook_refusals_total{{reason=\"{reason}\"}} 1\n");
        assert!(text.contains(&line), "{text}");
    }
}
