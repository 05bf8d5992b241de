//! A person, an application, two clusters and a service account, with every credential that they can have.

use app::sign_in::{grants::code::NewCode, login::SignedIn};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::id::{AppId, ObjectId};
use reqwest::{Client, Identity, Method, RequestBuilder, Response, redirect::Policy};
use serde_json::{Value, json};

use super::{
    application::{Application, asked, by_assertion, by_secret, traded},
    kinds::{Credential, End},
};
use testserver::{CLI, CLUSTER, Site};

/// Of those that are good for one use there are two.
#[derive(Default)]
struct Held {
    session: String,
    refresh: Vec<String>,
    codes: Vec<String>,
    devices: Vec<String>,
    token: String,
    cluster_token: String,
    /// As a TokenReview has shown them: what an API server keeps.
    kept: Value,
    app_kept: Value,
    app_refresh: Vec<String>,
    to_be_traded: String,
    traded: String,
    app_token: String,
    app_cluster_token: String,
    for_exchange: String,
    account_token: String,
    account_secret: String,
}

pub(super) struct Scene {
    site: Site,
    person: ObjectId,
    group: String,
    assignments: Vec<String>,
    application: Application,
    embedded: String,
    attached: String,
    /// Resource ids.
    clusters: [String; 2],
    serial: String,
    held: Held,
    certified: Client,
    webhooks: Client,
    browser: Client,
    watches: Vec<(Credential, Response)>,
}

const UPN: &str = "ann@portcullis.local";
const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
const CLUSTER_ADMIN: &str = "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b";
const AKS: &str = "api-version=2026-06-01";
const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const ACCOUNTS: &str = "/api/v1/namespaces/team/serviceaccounts";
const EXCHANGE: &str = "api://AzureADTokenExchange";

impl Scene {
    pub(super) async fn new() -> Self {
        let site = Site::start(|_| {}).await;
        let person = site.user(UPN).await;
        let subscription = format!("/subscriptions/{}", site.running.installation.subscription);
        let rg = format!("{subscription}/resourceGroups/rg");
        site.put(&format!("{rg}?api-version=2024-11-01"), json!({"location": "local"})).await;
        let clusters = ["real", "far"]
            .map(|name| format!("{rg}/providers/Microsoft.ContainerService/managedClusters/{name}"));
        let azure = json!({"managed": true, "enableAzureRBAC": true});
        let embedded = json!({"location": "local", "identity": {"type": "SystemAssigned"},
            "properties": {"dnsPrefix": "real", "aadProfile": azure}});
        site.put(&format!("{}?{AKS}", clusters[0]), embedded).await;
        let attached = json!({"server": "https://elsewhere.example:6443",
            "certificateAuthorityData": STANDARD.encode(&site.running.authority)});
        let attached =
            json!({"location": "local", "properties": {"attached": attached, "aadProfile": azure}});
        site.put(&format!("{}?{AKS}", clusters[1]), attached).await;
        let application = Application::register(&site).await;

        let group = text(&site.post("/v1.0/groups", &json!({"displayName": "crew"})).await, "/id");
        for member in [&person.to_string(), &application.principal] {
            let reference =
                json!({"@odata.id": format!("{}/v1.0/directoryObjects/{member}", site.running.url)});
            site.post(&format!("/v1.0/groups/{group}/members/$ref"), &reference).await;
        }
        let mut assignments = Vec::new();
        let admin = site.admin.object_id.to_string();
        for (principal, role) in [(&group, OWNER), (&group, CLUSTER_ADMIN), (&admin, CLUSTER_ADMIN)] {
            let name = uuid::Uuid::new_v4();
            let path = format!(
                "{rg}/providers/Microsoft.Authorization/roleAssignments/{name}?api-version=2022-04-01"
            );
            let role = format!("{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}");
            let body = json!({"properties": {"roleDefinitionId": role, "principalId": principal}});
            site.put(&path, body).await;
            assignments.push(path);
        }
        assignments.pop();

        let snapshot = site.running.app.whole_snapshot();
        let at = |name: &str| {
            let found = snapshot.clusters().find(|cluster| cluster.name.to_string() == name).unwrap().id;
            found.to_string()
        };
        let webhook = format!("{}/listWebhookCredential?{AKS}", clusters[1]);
        let webhook = site.post(&webhook, &json!({})).await;
        let pem = |name: &str| decoded(&text(&webhook, name));
        let webhooks =
            certified(&site, &format!("{}\n{}", pem("/clientCertificateData"), pem("/clientKeyData")));
        let (embedded, attached) = (format!("/clusters/{}", at("real")), format!("/webhooks/{}", at("far")));
        let authority = reqwest::Certificate::from_pem_bundle(site.running.authority.as_bytes()).unwrap();
        let browser = Client::builder().tls_certs_only(authority).redirect(Policy::none()).build().unwrap();
        let mut scene = Self {
            certified: browser.clone(),
            held: Held::default(),
            serial: String::new(),
            watches: Vec::new(),
            site,
            person,
            group,
            assignments,
            application,
            embedded,
            attached,
            clusters,
            webhooks,
            browser,
        };
        scene.hold_of_person().await;
        scene.hold_of_application().await;
        scene.hold_of_account().await;
        scene
    }

    async fn hold_of_person(&mut self) {
        let site = &self.site;
        let (app, url) = (&site.running.app, &site.running.url);
        let signed_in = self.signed_in();
        let session = app.sign_in().begin_session(&signed_in).await.unwrap();
        let mut held = Held { session, ..Held::default() };
        let client = AppId::parse(CLI).unwrap();
        let scope = format!("{url}/.default openid offline_access");
        for _ in 0..2 {
            let form = [
                ("grant_type", "password"),
                ("client_id", CLI),
                ("username", UPN),
                ("password", PASSWORD),
                ("scope", &scope),
            ];
            held.refresh.push(text(&self.asked(&form).await.unwrap(), "/refresh_token"));
            let new = NewCode {
                client,
                redirect_uri: "http://localhost:1",
                scope: &scope,
                nonce: None,
                challenge: None,
            };
            held.codes.push(app.sign_in().issue_code(&signed_in, &new).await.unwrap());
            let form = [("client_id", CLI), ("scope", scope.as_str())];
            let path = site.url("/organizations/oauth2/v2.0/devicecode");
            let started = site.ok(site.http.post(path).form(&form)).await;
            let approve = app::sign_in::grants::device::Answer::Approve;
            app.sign_in().answer_device(&signed_in, &text(&started, "/user_code"), approve).await.unwrap();
            held.devices.push(text(&started, "/device_code"));
        }
        held.token = site.management_of(UPN).await;
        held.cluster_token = site.token(UPN, &format!("{CLUSTER}/.default")).await;
        held.kept = self.review(&held.cluster_token).await.unwrap();
        let pull = site.url(&format!("{}/listClusterAdminCredential?{AKS}", self.clusters[0]));
        let pulled = site.ok(site.http.post(pull).bearer_auth(&held.token).json(&json!({}))).await;
        let kubeconfig = decoded(&text(&pulled, "/kubeconfigs/0/value"));
        let field = |name: &str| {
            decoded(kubeconfig.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap().trim())
        };
        let pem = format!("{}\n{}", field("client-certificate-data:"), field("client-key-data:"));
        self.certified = certified(site, &pem);
        let listed = site.url(&format!("{}/adminCertificates?{AKS}", self.clusters[0]));
        let listed = site.ok(site.http.get(listed).bearer_auth(&held.token)).await;
        self.serial = text(&listed, "/value/0/serialNumber");
        self.held = held;
    }

    async fn hold_of_application(&mut self) {
        let (site, till) = (&self.site, &self.application);
        let (app, url) = (&site.running.app, &site.running.url);
        let client = AppId::parse(&till.app_id).unwrap();
        let (azure, cluster) = (format!("{url}/.default"), format!("{CLUSTER}/.default"));
        let held = &mut self.held;
        let mut refresh = Vec::new();
        for scope in [&azure, &azure, &cluster] {
            let scope = format!("{scope} openid offline_access");
            let new = NewCode {
                client,
                redirect_uri: "https://till.example/answer",
                scope: &scope,
                nonce: None,
                challenge: None,
            };
            let signed_in = signed_in(site, self.person);
            let code = app.sign_in().issue_code(&signed_in, &new).await.unwrap();
            let form = [
                ("grant_type", "authorization_code"),
                ("code", code.as_str()),
                ("redirect_uri", "https://till.example/answer"),
                ("client_id", &till.app_id),
                ("client_secret", &till.secret),
            ];
            refresh.push(asked(site, &form).await.unwrap());
        }
        let for_cluster = text(&refresh.pop().unwrap(), "/access_token");
        held.app_refresh = refresh.iter().map(|tokens| text(tokens, "/refresh_token")).collect();
        held.to_be_traded = site.token(UPN, &format!("{}/.default", till.app_id)).await;
        held.traded = traded(site, till, &held.to_be_traded).await.unwrap();
        held.app_token = by_secret(site, till, &azure).await.unwrap();
        held.app_cluster_token = by_secret(site, till, &cluster).await.unwrap();
        self.held.app_kept = self.review(&for_cluster).await.unwrap();
    }

    async fn hold_of_account(&mut self) {
        let make = async |path: &str, body: Value| {
            let (status, answer) = self.as_admin(Method::POST, path, body).await;
            assert!(status.is_success(), "{path}: {answer}");
            answer
        };
        make("/api/v1/namespaces", json!({"metadata": {"name": "team"}})).await;
        make(ACCOUNTS, json!({"metadata": {"name": "robot"}})).await;
        let rbac = "rbac.authorization.k8s.io";
        let binding = json!({"metadata": {"name": "robot"},
            "roleRef": {"kind": "ClusterRole", "name": "cluster-admin", "apiGroup": rbac},
            "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": "team"}]});
        make(&format!("/apis/{rbac}/v1/clusterrolebindings"), binding).await;
        let request = format!("{ACCOUNTS}/robot/token");
        let bound = make(&request, json!({"spec": {}})).await;
        let exchange = make(&request, json!({"spec": {"audiences": [EXCHANGE]}})).await;
        let secret = json!({"metadata": {"name": "robot", "annotations":
            {"kubernetes.io/service-account.name": "robot"}}, "type": "kubernetes.io/service-account-token"});
        let secret = make("/api/v1/namespaces/team/secrets", secret).await;
        self.held.account_token = text(&bound, "/status/token");
        self.held.for_exchange = text(&exchange, "/status/token");
        self.held.account_secret = decoded(&text(&secret, "/data/token"));
        let path = format!("/v1.0/applications/{}/federatedIdentityCredentials", self.application.object);
        let issuer = format!("{}{}", self.site.running.url, self.embedded);
        let credential = json!({"name": "robot", "issuer": issuer,
            "subject": "system:serviceaccount:team:robot", "audiences": [EXCHANGE]});
        self.site.post(&path, &credential).await;
    }

    /// Whether the credential opens now what it is for.
    pub(super) async fn opens(&mut self, credential: Credential) -> bool {
        let url = self.site.running.url.clone();
        let azure = format!("{url}/.default");
        let held = &mut self.held;
        let one = match credential {
            Credential::Refresh => held.refresh.pop(),
            Credential::Code => held.codes.pop(),
            Credential::Device => held.devices.pop(),
            Credential::AppRefresh => held.app_refresh.pop(),
            _ => None,
        };
        let one = one.unwrap_or_default();
        let (site, held, till) = (&self.site, &self.held, &self.application);
        let rg = format!("/subscriptions/{}/resourceGroups/rg", site.running.installation.subscription);
        let rg = site.url(&format!("{rg}?api-version=2024-11-01"));
        let bearer = |token: &str| site.http.get(&rg).bearer_auth(token);
        match credential {
            Credential::Session => {
                let cookie = format!("__Host-portcullis-session={}", held.session);
                let answer = self.browser.get(site.url("/portal/")).header("cookie", cookie).send().await;
                answer.unwrap().status().is_success()
            }
            Credential::Refresh => {
                let form = [
                    ("grant_type", "refresh_token"),
                    ("client_id", CLI),
                    ("refresh_token", &one),
                    ("scope", &azure),
                ];
                self.asked(&form).await.is_some()
            }
            Credential::Code => {
                let form = [
                    ("grant_type", "authorization_code"),
                    ("client_id", CLI),
                    ("code", &one),
                    ("redirect_uri", "http://localhost:1"),
                ];
                self.asked(&form).await.is_some()
            }
            Credential::Device => {
                let form = [
                    ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
                    ("client_id", CLI),
                    ("device_code", &one),
                ];
                self.asked(&form).await.is_some()
            }
            Credential::Token => succeeds(bearer(&held.token)).await,
            Credential::Traded => succeeds(bearer(&held.traded)).await,
            Credential::AppToken => succeeds(bearer(&held.app_token)).await,
            Credential::TokenAttached => self.review(&held.cluster_token).await.is_some(),
            Credential::KeptAttached => self.allows(&held.kept).await,
            Credential::AppKeptAttached => self.allows(&held.app_kept).await,
            Credential::AppRefresh => {
                let form = [
                    ("grant_type", "refresh_token"),
                    ("client_id", till.app_id.as_str()),
                    ("client_secret", &till.secret),
                    ("refresh_token", &one),
                    ("scope", &azure),
                ];
                self.asked(&form).await.is_some()
            }
            Credential::ToBeTraded => traded(site, till, &held.to_be_traded).await.is_some(),
            Credential::AppSecret => by_secret(site, till, &azure).await.is_some(),
            Credential::AppCertificate => {
                let assertion = till.certificate.assertion(site, &till.app_id);
                by_assertion(site, till, &assertion, &azure).await
            }
            Credential::Federated => by_assertion(site, till, &held.for_exchange, &azure).await,
            Credential::WebhookCertificate => self.review("x").await.is_some_and(|answer| answer.is_null()),
            Credential::TokenEmbedded
            | Credential::AdminCertificate
            | Credential::AppTokenEmbedded
            | Credential::AccountToken
            | Credential::AccountSecret => succeeds(self.embedded(credential, CONFIG_MAPS)).await,
        }
    }

    /// A request to the embedded cluster.
    fn embedded(&self, credential: Credential, path: &str) -> RequestBuilder {
        let url = self.site.url(&format!("{}{path}", self.embedded));
        let token = match credential {
            Credential::AdminCertificate => return self.certified.get(url),
            Credential::AppTokenEmbedded => &self.held.app_cluster_token,
            Credential::AccountToken => &self.held.account_token,
            Credential::AccountSecret => &self.held.account_secret,
            _ => &self.held.cluster_token,
        };
        self.site.http.get(url).bearer_auth(token)
    }

    pub(super) async fn open_watches(&mut self) {
        let path = format!("{CONFIG_MAPS}?watch=true&fieldSelector=metadata.name%3Dmarker");
        for credential in Credential::WATCHING {
            let answer = self.embedded(credential, &path).send().await.unwrap();
            assert!(answer.status().is_success(), "{credential:?}");
            self.watches.push((credential, answer));
        }
    }

    /// Of each watch, whether it still tells what happens. Nothing is waited for but what must come: an object that is
    /// made now, or the end.
    pub(super) async fn watches(&mut self, end: End) -> Vec<(Credential, bool)> {
        if end != End::DeleteClusters {
            let marker = json!({"metadata": {"name": "marker"}});
            let (status, answer) = self.as_admin(Method::POST, CONFIG_MAPS, marker).await;
            assert!(status.is_success(), "{answer}");
        }
        let mut found = Vec::new();
        for (credential, mut watch) in std::mem::take(&mut self.watches) {
            let mut told = String::new();
            let goes_on = loop {
                match watch.chunk().await {
                    Ok(Some(chunk)) => told.push_str(&String::from_utf8_lossy(&chunk)),
                    Ok(None) | Err(_) => break false,
                }
                if told.contains("\"ADDED\"") {
                    break true;
                }
            };
            found.push((credential, goes_on));
        }
        found
    }

    pub(super) async fn end(&self, end: End) {
        let person = format!("/v1.0/users/{}", self.person);
        let till = &self.application;
        let application = format!("/v1.0/applications/{}", till.object);
        let (embedded, attached) = (&self.clusters[0], &self.clusters[1]);
        let accounts = json!({"location": "local", "identity": {"type": "SystemAssigned"}, "properties":
            {"dnsPrefix": "real", "aadProfile": {"managed": true, "enableAzureRBAC": true},
            "disableLocalAccounts": true}});
        let none = Value::Null;
        let calls: Vec<(Method, String, Value)> = match end {
            End::Disable => vec![(Method::PATCH, person, json!({"accountEnabled": false}))],
            End::Delete => vec![(Method::DELETE, person, none)],
            End::SignOut => vec![(Method::POST, format!("{person}/revokeSignInSessions"), json!({}))],
            End::ResetPassword => {
                let profile =
                    json!({"password": "another horse battery", "forceChangePasswordNextSignIn": true});
                vec![(Method::PATCH, person, json!({"passwordProfile": profile}))]
            }
            End::LoseRole => {
                self.assignments.iter().map(|path| (Method::DELETE, path.clone(), Value::Null)).collect()
            }
            End::LeaveGroup => {
                let members = format!("/v1.0/groups/{}/members", self.group);
                let who = [self.person.to_string(), till.principal.clone()];
                who.map(|id| (Method::DELETE, format!("{members}/{id}/$ref"), Value::Null)).into()
            }
            End::RemoveSecret => {
                let path = format!("{application}/removePassword");
                vec![(Method::POST, path, json!({"keyId": till.key_id}))]
            }
            End::DeleteApplication => vec![(Method::DELETE, application, none)],
            End::DisablePrincipal => {
                let path = format!("/v1.0/servicePrincipals/{}", till.principal);
                vec![(Method::PATCH, path, json!({"accountEnabled": false}))]
            }
            End::RemoveFederated => {
                vec![(Method::DELETE, format!("{application}/federatedIdentityCredentials/robot"), none)]
            }
            End::DeleteClusters => {
                let delete = |path: &String| (Method::DELETE, format!("{path}?{AKS}"), Value::Null);
                vec![delete(embedded), delete(attached)]
            }
            End::Rotate => {
                vec![(Method::POST, format!("{embedded}/rotateClusterCertificates?{AKS}"), json!({}))]
            }
            End::DisableLocalAccounts => vec![(Method::PUT, format!("{embedded}?{AKS}"), accounts)],
            End::RevokeCertificate => {
                let path = format!("{embedded}/adminCertificates/{}/revoke?{AKS}", self.serial);
                vec![(Method::POST, path, json!({}))]
            }
            End::DeleteAccount => vec![(Method::DELETE, format!("{}{ACCOUNTS}/robot", self.embedded), none)],
            End::DeleteNamespace => {
                vec![(Method::DELETE, format!("{}/api/v1/namespaces/team", self.embedded), none)]
            }
            End::RevokeKeys => {
                let path = format!("/v1.0/organization/{}/revokeSigningKeys", self.site.admin.tenant);
                vec![(Method::POST, path, json!({}))]
            }
        };
        for (method, path, body) in calls {
            let (status, answer) = match path.strip_prefix(&self.embedded) {
                Some(path) => self.as_admin(method, path, body).await,
                None => {
                    let token = self.site.management().await;
                    let request = self.site.http.request(method, self.site.url(&path)).bearer_auth(token);
                    self.site.send(if body.is_null() { request } else { request.json(&body) }).await
                }
            };
            assert!(status.is_success(), "{path}: {status}: {answer}");
        }
    }

    /// Asks the embedded cluster as the administrator, with a token of this moment.
    async fn as_admin(&self, method: Method, path: &str, body: Value) -> (reqwest::StatusCode, Value) {
        let token = self.site.token(&self.site.admin.name, &format!("{CLUSTER}/.default")).await;
        let url = self.site.url(&format!("{}{path}", self.embedded));
        let request = self.site.http.request(method, url).bearer_auth(token);
        self.site.send(if body.is_null() { request } else { request.json(&body) }).await
    }

    fn signed_in(&self) -> SignedIn {
        signed_in(&self.site, self.person)
    }

    async fn asked(&self, form: &[(&str, &str)]) -> Option<Value> {
        asked(&self.site, form).await
    }

    /// The user of a token, as the attached cluster's API server is told; null for one that is not known, and nothing
    /// where the webhook itself is closed.
    async fn review(&self, token: &str) -> Option<Value> {
        let review = json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "spec": {"token": token}});
        let url = self.site.url(&format!("{}/authenticate", self.attached));
        let answer = self.webhooks.post(url).json(&review).send().await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        match answer["status"]["authenticated"].as_bool() {
            Some(true) => Some(answer["status"]["user"].clone()),
            _ if token == "x" => Some(Value::Null),
            _ => None,
        }
    }

    /// Whether the attached cluster's API server lets in somebody whose token it has kept.
    async fn allows(&self, user: &Value) -> bool {
        let review = json!({"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
            "spec": {"resourceAttributes": {"namespace": "n", "verb": "list", "version": "v1", "resource": "pods"},
            "user": user["username"], "groups": user["groups"], "extra": user["extra"]}});
        let url = self.site.url(&format!("{}/authorize", self.attached));
        let Ok(answer) = self.webhooks.post(url).json(&review).send().await else { return false };
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default();
        answer["status"]["allowed"] == true
    }
}

async fn succeeds(request: RequestBuilder) -> bool {
    let status = request.send().await.unwrap().status();
    assert!(!status.is_server_error(), "{status}");
    status.is_success()
}

fn signed_in(site: &Site, person: ObjectId) -> SignedIn {
    let snapshot = site.running.app.whole_snapshot();
    let user = snapshot.directory().user(person).unwrap();
    let stamp = app::Caller::of_user(user, AppId::parse(CLI).unwrap()).session;
    SignedIn { tenant: user.tenant, user: person, stamp }
}

fn certified(site: &Site, pem: &str) -> Client {
    let authority = reqwest::Certificate::from_pem_bundle(site.running.authority.as_bytes()).unwrap();
    let identity = Identity::from_pem(pem.as_bytes()).unwrap();
    Client::builder().tls_certs_only(authority).identity(identity).build().unwrap()
}

pub(super) fn text(value: &Value, place: &str) -> String {
    let found = value.pointer(place).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {place} in {value}")).to_owned()
}

fn decoded(text: &str) -> String {
    String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
}

const PASSWORD: &str = "correct horse battery";
