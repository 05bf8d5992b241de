//! A whole server in the process of a test, with its administrator, called over TLS: on a free loopback port, on an
//! in-memory store unless a test configures another. It stops when it is dropped.
//!
//! Only tests use it. Fixtures that need no server are in `testkit`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a server that cannot be started ends its test"
)]

use app::{Caller, Secret};
use domain::{
    change::Record,
    group::{Group, Membership},
    id::{AppId, ObjectId, TenantId},
    name::{DisplayName, Upn},
};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use server::{Running, Settings, start};
use testkit::PASSWORD;
pub use testkit::{
    claims,
    clients::{CLI, CLUSTER},
};
use uuid::Uuid;

/// A running server and its administrator.
#[derive(Debug)]
pub struct Site {
    pub running: Running,
    pub http: Client,
    pub admin: Caller,
}

impl Site {
    /// Starts a server with changed settings.
    pub async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::in_memory();
        settings.first_password = Some(Secret::new(PASSWORD.to_owned()));
        change(&mut settings);
        let running = start(settings).await.unwrap();
        let authority = reqwest::Certificate::from_pem_bundle(running.authority.as_bytes()).unwrap();
        let http = Client::builder().tls_certs_only(authority).build().unwrap();
        let first = running.first_administrator.as_ref().unwrap();
        let snapshot = running.app.whole_snapshot();
        let user = snapshot.directory().user_by_upn(&first.upn).unwrap();
        let admin = Caller::of_user(user, AppId::parse(CLI).unwrap());
        Self { running, http, admin }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.url)
    }

    pub async fn send(&self, request: RequestBuilder) -> (StatusCode, Value) {
        let response = request.send().await.unwrap();
        let status = response.status();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
    }

    pub async fn ok(&self, request: RequestBuilder) -> Value {
        let (status, body) = self.send(request).await;
        assert!(status.is_success(), "{status}: {body}");
        body
    }

    pub async fn token(&self, user_name: &str, scope: &str) -> String {
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

    pub async fn management(&self) -> String {
        self.management_of(&self.admin.name).await
    }

    pub async fn management_of(&self, user_name: &str) -> String {
        self.token(user_name, &format!("{}/.default", self.running.url)).await
    }

    /// Creates another tenant; returns its administrator's token.
    pub async fn other_tenant(&self) -> String {
        let snapshot = self.running.app.whole_snapshot();
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
        let made = self
            .running
            .app
            .whole_state()
            .transact(|tx| records.iter().try_for_each(|record| tx.create(record)));
        made.await.unwrap();
        self.management_of("stranger@elsewhere.example").await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let token = self.management().await;
        self.ok(self.http.post(self.url(path)).bearer_auth(token).json(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Value {
        let token = self.management().await;
        self.ok(self.http.put(self.url(path)).bearer_auth(token).json(&body)).await
    }

    /// Creates a user with the administrator's password.
    pub async fn user(&self, upn: &str) -> ObjectId {
        let id = ObjectId::new(Uuid::new_v5(&Uuid::NAMESPACE_OID, upn.as_bytes()));
        let snapshot = self.running.app.whole_snapshot();
        let mut user = (**snapshot.directory().user(self.admin.object_id).unwrap()).clone();
        user.id = id;
        user.upn = Upn::parse(upn).unwrap();
        self.running.app.whole_state().transact(|tx| tx.create(&Record::User(user.clone()))).await.unwrap();
        id
    }

    /// Creates a chain of groups, each a member of the next: a member of the first is in all.
    pub async fn nested_groups(&self, count: u128, member: ObjectId) -> Vec<ObjectId> {
        let id = |number: u128| ObjectId::new(Uuid::from_u128(member.uuid().as_u128().wrapping_add(number)));
        let groups: Vec<ObjectId> = (1..=count).map(id).collect();
        self.make_groups(&groups, member).await;
        groups
    }

    /// Makes a user a member of a new group with the given object id, such as one of another installation.
    pub async fn claim(&self, id: ObjectId, upn: &str) {
        let snapshot = self.running.app.whole_snapshot();
        let member = snapshot.directory().user_by_upn(&Upn::parse(upn).unwrap()).unwrap().id;
        self.make_groups(&[id], member).await;
    }

    /// Writes records directly, in transactions of the maximum size.
    pub async fn fill(&self, records: impl IntoIterator<Item = Record>) {
        let records: Vec<Record> = records.into_iter().collect();
        for some in records.chunks(app::state::MOST_WRITES) {
            self.running
                .app
                .whole_state()
                .transact(|tx| some.iter().try_for_each(|record| tx.put(record)))
                .await
                .unwrap();
        }
    }

    pub async fn make_groups(&self, groups: &[ObjectId], member: ObjectId) {
        let app = &self.running.app;
        let mut inner = member;
        // Each group is two writes.
        for some in groups.chunks(app::state::MOST_WRITES / 2) {
            let first = inner;
            app.whole_state()
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

    /// Creates a cluster with the administrator as its admin; returns its URL.
    pub async fn cluster(&self) -> String {
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
        let id = self.running.app.whole_snapshot().clusters().next().unwrap().id;
        self.url(&format!("/clusters/{id}"))
    }

    /// The number of requests that this server's Graph has answered.
    pub async fn graph_requests(&self) -> u64 {
        let address = format!("http://{}/metrics", self.running.metrics_address);
        let text = self.http.get(address).send().await.unwrap().text().await.unwrap();
        let start = "portcullis_requests_total{surface=\"graph\"";
        text.lines()
            .filter(|line| line.starts_with(start))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    }
}
