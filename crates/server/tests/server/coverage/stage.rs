//! The installation that the tables are tried on: something of every kind, and people whose credentials do not count.

use app::directory::users::UserUpdate;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::id::ObjectId;
use reqwest::{Certificate, Client, redirect::Policy};
use serde_json::{Value, json};

use super::{Values, Who};
use testserver::{CLI, CLUSTER, Site, claims};

/// Tokens for one audience.
#[derive(Debug)]
pub(super) struct People {
    pub(super) admin: Who,
    /// Of the directory, with no role in it and no assignment.
    pub(super) nobody: Who,
    /// An administrator of another tenant.
    pub(super) stranger: Who,
    /// Nothing of this counts.
    pub(super) wrong: Vec<Who>,
}

/// Of the store: it moves with every write, also of what no decision depends on.
pub(super) async fn revision(site: &Site) -> u64 {
    site.running.app.whole_state().store().status().await.unwrap().revision.0
}

/// Sessions, codes and failed attempts are kept, and that is all.
pub(super) fn check_access_unchanged(site: &Site, since: u64) {
    let applied = site.running.app.whole_state().changes_since(since).unwrap();
    let changes: Vec<_> = applied.iter().flat_map(|each| &each.changes).collect();
    assert!(changes.is_empty(), "{changes:?}");
}

pub(super) fn management(site: &Site) -> String {
    format!("{}/.default", site.running.url)
}

pub(super) fn cluster() -> String {
    format!("{CLUSTER}/.default")
}

/// People with tokens for `scope`; `other` is a scope whose tokens must not count there.
pub(super) async fn people(site: &Site, scope: &str, other: &str) -> People {
    let app = &site.running.app;
    let bearer = |name, token: &str| Who { name, header: Some(format!("Bearer {token}")) };
    site.other_tenant().await;
    let mut ids = Vec::new();
    for name in ["nobody", "disabled", "deleted", "revoked"] {
        ids.push(site.user(&upn(name)).await);
    }
    let mut tokens = Vec::new();
    for name in ["nobody", "disabled", "deleted", "revoked"] {
        tokens.push(site.token(&upn(name), scope).await);
    }
    let [_, disabled, deleted, revoked] = ids.try_into().unwrap();
    // They would be let in if their tokens counted.
    for id in [disabled, deleted, revoked] {
        app.directory().add_role_holder(&site.admin, &domain::directory_role::ALL[0], id).await.unwrap();
    }
    let disable = UserUpdate { enabled: Some(false), ..UserUpdate::default() };
    app.directory().update_user(&site.admin, disabled, disable).await.unwrap();
    app.directory().delete_user(&site.admin, deleted).await.unwrap();
    app.directory().revoke_sessions(&site.admin, revoked).await.unwrap();

    let admin = site.token(&site.admin.name, scope).await;
    let [nobody, disabled, deleted, revoked] = tokens.try_into().unwrap();
    let mut wrong = vec![
        bearer("garbage", "x"),
        Who { name: "name and password", header: Some("Basic eDp4".into()) },
        bearer("a forged token", &forged(&admin)),
        bearer("an unsigned token", &unsigned(&admin)),
        bearer("a token for another audience", &site.token(&site.admin.name, other).await),
        bearer("a token for one's own data", &site.token(&site.admin.name, "openid profile").await),
    ];
    wrong.push(bearer("somebody disabled", &disabled));
    wrong.push(bearer("somebody deleted", &deleted));
    wrong.push(bearer("somebody signed out everywhere", &revoked));
    People {
        admin: bearer("the administrator", &admin),
        nobody: bearer("somebody without rights", &nobody),
        stranger: bearer(
            "an administrator elsewhere",
            &site.token("stranger@elsewhere.example", scope).await,
        ),
        wrong,
    }
}

pub(super) fn anonymous() -> Who {
    Who { name: "nobody", header: None }
}

fn upn(name: &str) -> String {
    format!("{name}@portcullis.local")
}

/// What the token says, under the name of the same key, signed by another.
fn forged(token: &str) -> String {
    let key = crypto::keys::SigningKey::generate().unwrap();
    crypto::jwt::sign(&key, header(token)["kid"].as_str().unwrap(), &claims(token)).unwrap()
}

/// RFC 7519 §6.
fn unsigned(token: &str) -> String {
    let mut header = header(token);
    header["alg"] = "none".into();
    let claims = token.split('.').nth(1).unwrap();
    format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(header.to_string()))
}

fn header(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap()
}

/// A directory with an object of each kind; the names are those of Graph's paths.
pub(super) async fn directory(site: &Site) -> Values {
    let app = &site.running.app;
    let mut values = Values::default();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let victim = site.user("victim@portcullis.local").await;
    let spare = site.user("spare@portcullis.local").await;
    let group = site.post("/v1.0/groups", &json!({"displayName": "crew"})).await;
    let id = ObjectId::parse(group["id"].as_str().unwrap()).unwrap();
    app.directory().add_member(&site.admin, id, victim).await.unwrap();
    app.directory().add_owner(&site.admin, app::directory::owners::Owned::Group(id), victim).await.unwrap();
    app.directory().add_role_holder(&site.admin, &domain::directory_role::ALL[0], victim).await.unwrap();
    let application = site.post("/v1.0/applications", &json!({"displayName": "till"})).await;
    let place = format!("/v1.0/applications/{}", text(&application["id"]));
    let federated =
        json!({"name": "deploy", "issuer": "https://issuer.example", "subject": "s", "audiences": ["a"]});
    site.post(&format!("{place}/federatedIdentityCredentials"), &federated).await;
    let secret = site.post(&format!("{place}/addPassword"), &json!({})).await;
    let principal = site.post("/v1.0/servicePrincipals", &json!({"appId": application["appId"]})).await;
    let own = format!("/v1.0/servicePrincipals/{}/addPassword", text(&principal["id"]));
    let own = site.post(&own, &json!({})).await;
    let other = site.post("/v1.0/applications", &json!({"displayName": "other"})).await;
    let grant =
        json!({"clientId": principal["id"], "consentType": "AllPrincipals", "resourceId": site.running.url});
    site.post("/v1.0/oauth2PermissionGrants", &grant).await;
    values.set("user", victim);
    values.set("object", victim);
    values.set("member", victim);
    values.set("owner", victim);
    values.set("spare", spare);
    values.set("group", text(&group["id"]));
    values.set("application", text(&application["id"]));
    values.set("principal", text(&principal["id"]));
    values.set("grant", text(&principal["id"]));
    values.set("appid", text(&application["appId"]));
    values.set("newappid", text(&other["appId"]));
    values.set("credential", "deploy");
    values.set("key", text(&secret["keyId"]));
    values.set("secret", text(&secret["secretText"]));
    values.set("ownkey", text(&own["keyId"]));
    values.set("role", "roleTemplateId=62e90394-69f5-4237-9190-012177145e10");
    values.set("template", "62e90394-69f5-4237-9190-012177145e10");
    values.set("tenant", site.admin.tenant);
    values.set("url", &site.running.url);
    values
}

/// An application whose principal is shut out.
pub(super) async fn disabled_application(site: &Site, values: &mut Values) {
    let made = site.post("/v1.0/applications", &json!({"displayName": "gone"})).await;
    let secret = format!("/v1.0/applications/{}/addPassword", made["id"].as_str().unwrap());
    let secret = site.post(&secret, &json!({})).await;
    let principal = site.post("/v1.0/servicePrincipals", &json!({"appId": made["appId"]})).await;
    let id = ObjectId::parse(principal["id"].as_str().unwrap()).unwrap();
    site.running.app.directory().set_service_principal_enabled(&site.admin, id, false).await.unwrap();
    values.set("disabled", made["appId"].as_str().unwrap());
    values.set("disabledsecret", secret["secretText"].as_str().unwrap());
    values.set("cli", CLI);
    values.set("azurecli", "04b07795-8ddb-461a-bbee-02f9e1bf7b46");
}

/// A client that does not follow where it is sent, so that it can be seen.
pub(super) fn browser(site: &Site) -> Client {
    let authority = Certificate::from_pem_bundle(site.running.authority.as_bytes()).unwrap();
    Client::builder().tls_certs_only(authority).redirect(Policy::none()).build().unwrap()
}
