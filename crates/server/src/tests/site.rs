//! An installation in this process with its administrator, asked over TLS like any other.

use app::{Caller, Secret};
use domain::{
    change::Record,
    group::{Group, Membership},
    id::{AppId, ObjectId, TenantId},
    name::{DisplayName, Upn},
};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Running, Settings, start};

pub(super) const CLI: &str = "b0c5f1a2-6d3e-4c1b-9f7a-2e8d4a6c0f31";
const PASSWORD: &str = "correct horse battery";
pub(super) const CLUSTER: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";

/// One installation with its administrator.
pub(super) struct Site {
    pub(super) running: Running,
    pub(super) http: Client,
    pub(super) admin: Caller,
}

impl Site {
    pub(super) async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::in_memory();
        settings.first_password = Some(Secret::new(PASSWORD.to_owned()));
        change(&mut settings);
        let running = start(settings).await.unwrap();
        let authority = reqwest::Certificate::from_pem_bundle(running.authority.as_bytes()).unwrap();
        let http = Client::builder().tls_certs_only(authority).build().unwrap();
        let first = running.first_administrator.as_ref().unwrap();
        let snapshot = running.app.state().snapshot();
        let user = snapshot.directory().user_by_upn(&first.upn).unwrap();
        let admin = Caller::of_user(user, AppId::parse(CLI).unwrap());
        Self { running, http, admin }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.url)
    }

    pub(super) async fn send(&self, request: RequestBuilder) -> (StatusCode, Value) {
        let response = request.send().await.unwrap();
        let status = response.status();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
    }

    pub(super) async fn ok(&self, request: RequestBuilder) -> Value {
        let (status, body) = self.send(request).await;
        assert!(status.is_success(), "{status}: {body}");
        body
    }

    pub(super) async fn token(&self, user_name: &str, scope: &str) -> String {
        let form = [
            ("grant_type", "password"),
            ("client_id", CLI),
            ("username", user_name),
            ("password", PASSWORD),
            ("scope", scope),
        ];
        let answer = self.ok(self.http.post(self.url("/organizations/oauth2/v2.0/token")).form(&form)).await;
        answer["access_token"].as_str().unwrap().to_owned()
    }

    pub(super) async fn management(&self) -> String {
        self.management_of(&self.admin.name).await
    }

    pub(super) async fn management_of(&self, user_name: &str) -> String {
        self.token(user_name, &format!("{}/.default", self.running.url)).await
    }

    /// Makes another tenant; the token is its administrator's.
    pub(super) async fn other_tenant(&self) -> String {
        let snapshot = self.running.app.state().snapshot();
        let tenant = TenantId::new(Uuid::new_v5(&Uuid::NAMESPACE_OID, b"other tenant"));
        let mut user = (**snapshot.directory().user(self.admin.object_id).unwrap()).clone();
        user.id = ObjectId::new(Uuid::new_v5(&Uuid::NAMESPACE_OID, b"stranger"));
        user.tenant = tenant;
        user.upn = Upn::parse("stranger@elsewhere.example").unwrap();
        let mut other = (**snapshot.directory().tenant(self.admin.tenant).unwrap()).clone();
        other.id = tenant;
        other.domains = vec!["elsewhere.example".into()];
        other.administrators = [user.id].into();
        let records = [Record::Tenant(other), Record::User(user)];
        let made =
            self.running.app.state().transact(|tx| records.iter().try_for_each(|record| tx.create(record)));
        made.await.unwrap();
        self.management_of("stranger@elsewhere.example").await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Value {
        let token = self.management().await;
        self.ok(self.http.post(self.url(path)).bearer_auth(token).json(body)).await
    }

    pub(super) async fn put(&self, path: &str, body: Value) -> Value {
        let token = self.management().await;
        self.ok(self.http.put(self.url(path)).bearer_auth(token).json(&body)).await
    }

    /// A person with the administrator's password.
    pub(super) async fn user(&self, upn: &str) -> ObjectId {
        let id = ObjectId::new(Uuid::new_v5(&Uuid::NAMESPACE_OID, upn.as_bytes()));
        let snapshot = self.running.app.state().snapshot();
        let mut user = (**snapshot.directory().user(self.admin.object_id).unwrap()).clone();
        user.id = id;
        user.upn = Upn::parse(upn).unwrap();
        self.running.app.state().transact(|tx| tx.create(&Record::User(user.clone()))).await.unwrap();
        id
    }

    /// A chain of groups, each a member of the next: whoever is in the first is in all.
    pub(super) async fn nested_groups(&self, count: u128, member: ObjectId) -> Vec<ObjectId> {
        let id = |number: u128| ObjectId::new(Uuid::from_u128(member.uuid().as_u128().wrapping_add(number)));
        let groups: Vec<ObjectId> = (1..=count).map(id).collect();
        self.make_groups(&groups, member).await;
        groups
    }

    /// Puts somebody into a group whose object id is one of another installation.
    pub(super) async fn claim(&self, id: ObjectId, upn: &str) {
        let snapshot = self.running.app.state().snapshot();
        let member = snapshot.directory().user_by_upn(&Upn::parse(upn).unwrap()).unwrap().id;
        self.make_groups(&[id], member).await;
    }

    /// Puts records by themselves, as many at a time as a transaction takes.
    pub(super) async fn fill(&self, records: impl IntoIterator<Item = Record>) {
        let records: Vec<Record> = records.into_iter().collect();
        for some in records.chunks(app::state::MOST_WRITES) {
            self.running
                .app
                .state()
                .transact(|tx| some.iter().try_for_each(|record| tx.put(record)))
                .await
                .unwrap();
        }
    }

    pub(super) async fn make_groups(&self, groups: &[ObjectId], member: ObjectId) {
        let app = &self.running.app;
        let mut inner = member;
        // Each group is two writes.
        for some in groups.chunks(app::state::MOST_WRITES / 2) {
            let first = inner;
            app.state()
                .transact(|tx| -> Result<_, app::Error> {
                    inner = first;
                    for group in some {
                        tx.put(&Record::Group(Group {
                            id: *group,
                            tenant: self.admin.tenant,
                            display_name: DisplayName::parse("crew").unwrap(),
                            mail_nickname: "crew".into(),
                            description: None,
                            owners: [].into(),
                            created: tx.now(),
                        }))?;
                        tx.put(&Record::Membership(Membership { group: *group, member: inner }))?;
                        inner = *group;
                    }
                    Ok(())
                })
                .await
                .unwrap();
        }
    }

    /// A cluster that the administrator administers, as its address.
    pub(super) async fn cluster(&self) -> String {
        let token = self.management().await;
        let crew = self.nested_groups(1, self.admin.object_id).await;
        let group = format!("/subscriptions/{}/resourceGroups/rg", self.running.installation.subscription);
        let put = |path: String, body: Value| self.http.put(self.url(&path)).bearer_auth(&token).json(&body);
        self.ok(put(format!("{group}?api-version=2024-11-01"), json!({"location": "local"}))).await;
        let path =
            format!("{group}/providers/Microsoft.ContainerService/managedClusters/c1?api-version=2026-06-01");
        let body = json!({"location": "local", "identity": {"type": "SystemAssigned"}, "properties":
            {"dnsPrefix": "c1", "aadProfile": {"managed": true, "adminGroupObjectIDs": crew}}});
        self.ok(put(path, body)).await;
        let id = self.running.app.state().snapshot().clusters().next().unwrap().id;
        self.url(&format!("/clusters/{id}"))
    }

    /// Requests that the Graph here has answered.
    pub(super) async fn graph_requests(&self) -> u64 {
        let address = format!("http://{}/metrics", self.running.metrics_address);
        let text = self.http.get(address).send().await.unwrap().text().await.unwrap();
        let start = "portcullis_requests_total{surface=\"graph\"";
        text.lines()
            .filter(|line| line.starts_with(start))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    }
}

pub(super) fn claims(token: &str) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}
