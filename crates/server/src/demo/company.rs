//! The company of the demo: users, groups, a build pipeline, three clusters, created over HTTP as an administrator
//! would.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{Running, say::say};

/// The password of every demo user. The demo listens on a loopback address by default.
pub(super) const PASSWORD: &str = "demo-Password-1";
const CLIENT: &str = "b0c5f1a2-6d3e-4c1b-9f7a-2e8d4a6c0f31";
const CLUSTER_SCOPE: &str = "6dae42f8-4368-4678-94ff-3960e28e3630/.default";

#[derive(Debug)]
pub(super) struct Company {
    pub(super) url: String,
    pub(super) place: PathBuf,
    pub(super) authority_file: PathBuf,
    authority: String,
    http: reqwest::Client,
    administrator: String,
    subscription: String,
    pub(super) build: Build,
}

/// The pipeline's service principal.
#[derive(Debug)]
pub(super) struct Build {
    pub(super) app_id: String,
    pub(super) object_id: String,
    pub(super) secret: String,
}

/// A response of the server.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

pub(super) async fn found(running: &Running, place: &Path) -> anyhow::Result<Company> {
    let first =
        running.first_administrator.as_ref().context("the data directory is not empty: give another one")?;
    let http = client(&running.authority, None)?;
    let scope = format!("{}/.default", running.url);
    let administrator =
        sign_in(&http, &running.url, first.upn.as_str(), first.password.expose(), &scope).await?;
    let mut company = Company {
        url: running.url.clone(),
        place: place.to_owned(),
        authority_file: place.join("data/ca.crt"),
        authority: running.authority.clone(),
        http,
        administrator,
        subscription: running.installation.subscription.to_string(),
        build: Build { app_id: String::new(), object_id: String::new(), secret: String::new() },
    };
    company.people().await?;
    company.clusters().await?;
    Ok(company)
}

impl Company {
    async fn people(&mut self) -> anyhow::Result<()> {
        for (name, display) in [
            ("alice", "Alice, developer"),
            ("bob", "Bob, on call"),
            ("carol", "Carol, newcomer"),
            ("dave", "Dave, platform"),
        ] {
            let body = json!({"userPrincipalName": upn(name), "displayName": display, "mailNickname": name,
                "accountEnabled": true, "passwordProfile": {"password": PASSWORD}});
            self.make("POST", "/v1.0/users", body).await?;
        }
        for (group, member) in [("developers", "alice"), ("on-call", "bob")] {
            let body = json!({"displayName": group, "mailNickname": group, "mailEnabled": false, "securityEnabled": true});
            let id = text(&self.make("POST", "/v1.0/groups", body).await?, "id");
            let member = self.object_id(member).await?;
            let reference = json!({"@odata.id": format!("{}/v1.0/directoryObjects/{member}", self.url)});
            self.make("POST", &format!("/v1.0/groups/{id}/members/$ref"), reference).await?;
        }
        let app = self.make("POST", "/v1.0/applications", json!({"displayName": "build"})).await?;
        let app_id = text(&app, "appId");
        let principal = self.make("POST", "/v1.0/servicePrincipals", json!({"appId": app_id})).await?;
        let secret = self
            .make("POST", &format!("/v1.0/applications/{}/addPassword", text(&app, "id")), json!({}))
            .await?;
        self.build = Build { app_id, object_id: text(&principal, "id"), secret: text(&secret, "secretText") };
        Ok(())
    }

    async fn clusters(&self) -> anyhow::Result<()> {
        let group =
            format!("/subscriptions/{}/resourcegroups/demo?api-version=2024-11-01", self.subscription);
        self.make("PUT", &group, json!({"location": "local"})).await?;
        let on_call = self.group_id("on-call").await?;
        for (name, azure_rbac, groups) in
            [("manual", false, vec![]), ("admins", false, vec![on_call]), ("azure", true, vec![])]
        {
            let profile =
                json!({"managed": true, "enableAzureRBAC": azure_rbac, "adminGroupObjectIDs": groups});
            let body = json!({"location": "local", "properties": {"aadProfile": profile}});
            self.make("PUT", &format!("{}?api-version=2026-06-01", self.cluster_id(name)), body).await?;
        }
        let group = format!("/subscriptions/{}/resourceGroups/demo", self.subscription);
        for name in ["alice", "bob", "carol"] {
            let id = self.object_id(name).await?;
            self.assign(&id, CLUSTER_USER_ROLE, &group).await?;
        }
        let dave = self.object_id("dave").await?;
        self.assign(&dave, CLUSTER_ADMIN_ROLE, &self.cluster_id("manual")).await?;
        let developers = self.group_id("developers").await?;
        self.assign(&developers, RBAC_WRITER, &format!("{}/namespaces/web", self.cluster_id("azure")))
            .await?;
        self.assign(&self.build.object_id, RBAC_READER, &self.cluster_id("azure")).await
    }

    pub(super) async fn assign(&self, principal: &str, role: &str, scope: &str) -> anyhow::Result<()> {
        let path = format!(
            "{scope}/providers/Microsoft.Authorization/roleAssignments/{}?api-version=2022-04-01",
            uuid::Uuid::new_v4()
        );
        let role = format!("/providers/Microsoft.Authorization/roleDefinitions/{role}");
        let body = json!({"properties": {"principalId": principal, "roleDefinitionId": role}});
        self.make("PUT", &path, body).await.map(drop)
    }

    pub(super) fn cluster_id(&self, name: &str) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/demo/providers/Microsoft.ContainerService/managedClusters/{name}",
            self.subscription
        )
    }

    /// The API server URL of a cluster.
    pub(super) async fn cluster_url(&self, name: &str) -> anyhow::Result<String> {
        let cluster = self
            .make("GET", &format!("{}?api-version=2026-06-01", self.cluster_id(name)), Value::Null)
            .await?;
        Ok(format!(
            "{}/clusters/{}",
            self.url,
            cluster.pointer("/properties/clusterId").and_then(Value::as_str).unwrap_or_default()
        ))
    }

    pub(super) async fn object_id(&self, name: &str) -> anyhow::Result<String> {
        Ok(text(&self.make("GET", &format!("/v1.0/users/{}", upn(name)), Value::Null).await?, "id"))
    }

    pub(super) async fn group_id(&self, name: &str) -> anyhow::Result<String> {
        let path = format!("/v1.0/groups?$filter=displayName%20eq%20'{name}'");
        let found = self.make("GET", &path, Value::Null).await?;
        Ok(found.pointer("/value/0/id").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// The name of the role that a user is assigned at exactly this scope.
    pub(super) async fn role_held(&self, name: &str, scope: &str) -> anyhow::Result<String> {
        let id = self.object_id(name).await?;
        let base = format!("{scope}/providers/Microsoft.Authorization");
        let path = format!("{base}/roleAssignments?api-version=2022-04-01&$filter=principalId%20eq%20'{id}'");
        let held = self.make("GET", &path, Value::Null).await?;
        let role = held.pointer("/value/0/properties/roleDefinitionId").and_then(Value::as_str);
        let role = role.with_context(|| format!("{name} holds no role at {scope}"))?;
        let role = role.rsplit('/').next().unwrap_or_default();
        let definition = self
            .make("GET", &format!("{base}/roleDefinitions/{role}?api-version=2022-04-01"), Value::Null)
            .await?;
        let name = definition.pointer("/properties/roleName").and_then(Value::as_str);
        Ok(name.unwrap_or_default().to_owned())
    }

    /// A management token for a user of the company.
    pub(super) async fn management_token(&self, name: &str) -> anyhow::Result<String> {
        sign_in(&self.http, &self.url, &upn(name), PASSWORD, &format!("{}/.default", self.url)).await
    }

    /// A cluster token for a user of the company.
    pub(super) async fn cluster_token(&self, name: &str) -> anyhow::Result<String> {
        sign_in(&self.http, &self.url, &upn(name), PASSWORD, CLUSTER_SCOPE).await
    }

    /// A cluster token for the build pipeline.
    pub(super) async fn build_token(&self) -> anyhow::Result<String> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.build.app_id.as_str()),
            ("client_secret", self.build.secret.as_str()),
            ("scope", CLUSTER_SCOPE),
        ];
        token(&self.http, &self.url, &form).await
    }

    /// Sends a request with a token; an error status is a normal result.
    pub(super) async fn ask(
        &self,
        method: &str,
        url: &str,
        token: &str,
        body: Value,
    ) -> anyhow::Result<Answer> {
        send(&self.http, method, url, Some(token), body).await
    }

    /// Sends a GET with the client certificate (W1) of an administrator's kubeconfig.
    pub(super) async fn ask_with_certificate(&self, kubeconfig: &str, url: &str) -> anyhow::Result<Answer> {
        send(&self.with_certificate(kubeconfig)?, "GET", url, None, Value::Null).await
    }

    /// Creates an object with a client certificate.
    pub(super) async fn post_with_certificate(
        &self,
        kubeconfig: &str,
        url: &str,
        body: Value,
    ) -> anyhow::Result<Answer> {
        send(&self.with_certificate(kubeconfig)?, "POST", url, None, body).await
    }

    fn with_certificate(&self, kubeconfig: &str) -> anyhow::Result<reqwest::Client> {
        let field = |name: &str| {
            let line = kubeconfig.lines().find_map(|line| line.trim().strip_prefix(name));
            let data = line.with_context(|| format!("the kubeconfig has no {name}"))?;
            STANDARD.decode(data.trim()).with_context(|| format!("{name} is not base64"))
        };
        let mut identity = field("client-certificate-data:")?;
        identity.extend(field("client-key-data:")?);
        client(&self.authority, Some(&identity))
    }

    /// Sends a request as the administrator; any status but success is an error.
    pub(super) async fn make(&self, method: &str, path: &str, body: Value) -> anyhow::Result<Value> {
        let answer =
            send(&self.http, method, &format!("{}{path}", self.url), Some(&self.administrator), body).await?;
        if !(200..300).contains(&answer.status) {
            bail!("{method} {path} was answered with {}: {}", answer.status, answer.body);
        }
        Ok(answer.body)
    }

    /// Prints what the user can try.
    pub(super) fn invite(&self, running: &Running) -> anyhow::Result<()> {
        say(format_args!("The server stays up. Everybody's password is {PASSWORD}; end with Ctrl-C.\n"))?;
        say(format_args!(
            "  portal     {}/portal/   (for the browser: trust {})",
            running.url,
            self.authority_file.display()
        ))?;
        say(format_args!("  people     alice@, bob@, carol@, dave@portcullis.local\n"))?;
        let (program, place) = (program(), self.place.display());
        say(format_args!("Try, in another terminal, as alice:\n"))?;
        say(format_args!("  export PORTCULLIS_CONFIG_DIR={place}/me KUBECONFIG={place}/kubeconfig"))?;
        say(format_args!("  echo '{PASSWORD}' | {program} login --url {} \\", running.url))?;
        say(format_args!("    --ca-file {} \\", self.authority_file.display()))?;
        say(format_args!("    --username {} --password-stdin", upn("alice")))?;
        say(format_args!("  {program} cluster credentials azure -g demo"))?;
        say(format_args!("  kubectl get pods -n web\n"))?;
        say(format_args!("As administrator:\n\n  {program} login --from {place}/data/first-admin.json"))
    }
}

pub(super) fn upn(name: &str) -> String {
    format!("{name}@portcullis.local")
}

fn client(authority: &str, identity: Option<&[u8]>) -> anyhow::Result<reqwest::Client> {
    let certificates = reqwest::Certificate::from_pem_bundle(authority.as_bytes())?;
    let mut builder =
        reqwest::Client::builder().tls_certs_only(certificates).timeout(std::time::Duration::from_secs(30));
    if let Some(identity) = identity {
        builder = builder.identity(reqwest::Identity::from_pem(identity)?);
    }
    Ok(builder.build()?)
}

/// The command for this program: its name if `PATH` finds it, else its path.
fn program() -> String {
    let Ok(own) = std::env::current_exe() else { return "portcullis".to_owned() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|place| place.join("portcullis")).find(|place| place.is_file());
    match found.and_then(|found| found.canonicalize().ok()) == own.canonicalize().ok() {
        true => "portcullis".to_owned(),
        false => own.display().to_string(),
    }
}

async fn sign_in(
    http: &reqwest::Client,
    url: &str,
    user: &str,
    password: &str,
    scope: &str,
) -> anyhow::Result<String> {
    let form = [
        ("grant_type", "password"),
        ("client_id", CLIENT),
        ("username", user),
        ("password", password),
        ("scope", scope),
    ];
    token(http, url, &form).await
}

async fn token(http: &reqwest::Client, url: &str, form: &[(&str, &str)]) -> anyhow::Result<String> {
    let tenant =
        if form.iter().any(|(_, value)| *value == "client_credentials") { "common" } else { "organizations" };
    let response = http.post(format!("{url}/{tenant}/oauth2/v2.0/token")).form(form).send().await?;
    let body: Value = response.json().await?;
    match body.get("access_token").and_then(Value::as_str) {
        Some(token) => Ok(token.to_owned()),
        None => {
            bail!("no token: {}", body.get("error_description").and_then(Value::as_str).unwrap_or_default())
        }
    }
}

async fn send(
    http: &reqwest::Client,
    method: &str,
    url: &str,
    token: Option<&str>,
    body: Value,
) -> anyhow::Result<Answer> {
    let mut request = http.request(method.parse()?, url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if !body.is_null() {
        request = request.json(&body);
    }
    let response = request.send().await.with_context(|| format!("asking {url}"))?;
    let status = response.status().as_u16();
    let bytes = response.bytes().await?;
    Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
}

fn text(object: &Value, member: &str) -> String {
    object.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
}

const CLUSTER_USER_ROLE: &str = "4abbcc35-e782-43d8-92c5-2d3f1bd2253f";
const CLUSTER_ADMIN_ROLE: &str = "0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8";
const RBAC_READER: &str = "7f6c6a51-bcf8-42ba-9220-52d62157d7db";
const RBAC_WRITER: &str = "a7ffa36f-339b-4b5c-8bdf-e2c188b2c0eb";
