//! A tenant with a few people and an embedded cluster behind a router that is called in process, with a clock
//! that stands still.

use std::sync::Arc;

use app::resource_manager::clusters::{ClusterName, NewCluster};
use axum::{Router, body::Body};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{cluster::Cluster, id::ObjectId};
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
pub(super) use testkit::BASE;
use testkit::Client;
use tokio::sync::watch;
use web::{
    memory_budget::MemoryBudget,
    serve::{ClientIdentity, VerifiedCertificate},
    trace::{Peer, RequestContext},
};

pub(super) struct World {
    pub(super) kit: testkit::World,
    pub(super) router: Router,
    pub(super) cluster: Arc<Cluster>,
    /// For large answers and bodies.
    pub(super) room: Arc<MemoryBudget>,
    /// Says that the server begins to stop.
    pub(super) stop: watch::Sender<bool>,
}

/// Who sends a request.
#[derive(Clone)]
pub(super) enum Who {
    Nobody,
    Token(String),
    /// DER; an authority that the cluster is none of has signed it.
    Certificate(Vec<u8>),
    /// DER; the cluster's own authority has signed it.
    Vouched(Vec<u8>),
    /// A certificate that no authority vouches for.
    Unverified,
}

/// An answer as a client has it.
#[derive(Debug)]
pub(super) struct Answer(pub(super) testkit::Answer);

impl std::ops::Deref for World {
    type Target = testkit::World;
    fn deref(&self) -> &testkit::World {
        &self.kit
    }
}

impl std::ops::Deref for Answer {
    type Target = testkit::Answer;
    fn deref(&self) -> &testkit::Answer {
        &self.0
    }
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A world whose cluster is made as `change` says.
    pub(super) async fn with(change: impl FnOnce(&mut NewCluster)) -> Self {
        let kit = testkit::World::new().await;
        let cluster = kit.home.cluster_with("c1", change).await;
        Self::around(kit, cluster)
    }

    fn around(kit: testkit::World, cluster: Arc<Cluster>) -> Self {
        let router = crate::routes().with_state(kit.app.clone());
        Self { kit, router, cluster, room: Arc::default(), stop: watch::Sender::new(false) }
    }

    /// The same world as another of the threads that serve has it.
    pub(super) fn beside(&self) -> Self {
        let beside = Self::around(self.kit.for_thread(), self.cluster.clone());
        Self { room: self.room.clone(), ..beside }
    }

    /// The same world as a program has it that starts now.
    pub(super) async fn reopened(&self) -> Self {
        let reopened = Self::around(self.kit.reopened().await, self.cluster.clone());
        Self { room: self.room.clone(), ..reopened }
    }

    pub(super) fn name(&self) -> ClusterName {
        self.home.cluster_name("c1")
    }

    pub(super) async fn user(&self, upn: &str) -> ObjectId {
        self.home.user(upn).await
    }

    pub(super) async fn group(&self, name: &str, members: &[ObjectId]) -> ObjectId {
        self.home.group(name, members).await
    }

    /// A token for clusters, as sign-in gives it.
    pub(super) async fn token(&self, subject: ObjectId) -> Who {
        Who::Token(self.home.cluster_token(&self.home.caller(subject)).await)
    }

    /// A person who signs in.
    pub(super) async fn person(&self, upn: &str) -> Who {
        let id = self.user(upn).await;
        self.token(id).await
    }

    /// The holder of an administrator certificate, with its serial number.
    pub(super) async fn administrator(&self) -> (Who, String) {
        let issued = self
            .app
            .resource_manager()
            .issue_admin_certificate(&self.home.admin, &self.name())
            .await
            .unwrap()
            .2;
        (Who::Certificate(der(&issued.certificate_pem)), issued.record.serial)
    }

    pub(super) async fn get(&self, who: &Who, path: &str) -> Answer {
        self.send(who, Method::GET, path, &[], Vec::new()).await
    }

    pub(super) async fn post(&self, who: &Who, path: &str, body: &Value) -> Answer {
        self.json(who, Method::POST, path, body).await
    }

    pub(super) async fn json(&self, who: &Who, method: Method, path: &str, body: &Value) -> Answer {
        self.send(who, method, path, &[("content-type", "application/json")], body.to_string().into()).await
    }

    pub(super) async fn patch(&self, who: &Who, path: &str, kind: &str, body: &Value) -> Answer {
        let kind = format!("application/{kind}");
        self.send(who, Method::PATCH, path, &[("content-type", &kind)], body.to_string().into()).await
    }

    /// Sends a request to the cluster.
    pub(super) async fn send(
        &self,
        who: &Who,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let path = format!("/clusters/{}{path}", self.cluster.id);
        Answer(Client::new(self.router.clone()).send(self.request(who, method, &path, headers, body)).await)
    }

    /// Sends a request and leaves the body of the answer open.
    pub(super) async fn open(
        &self,
        who: &Who,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (http::response::Parts, Body) {
        Client::new(self.router.clone()).open(self.request(who, method, path, headers, body)).await
    }

    fn request(
        &self,
        who: &Who,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Who::Token(token) = who {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let peer = Arc::new(self.peer(who));
        request.extension(RequestContext::new(peer)).body(Body::from(body)).unwrap()
    }

    pub(super) fn peer(&self, who: &Who) -> Peer {
        let identity = match who {
            Who::Nobody | Who::Token(_) => ClientIdentity::None,
            Who::Certificate(der) => verified("any", der),
            Who::Vouched(der) => verified(&self.cluster.id.to_string(), der),
            Who::Unverified => ClientIdentity::Unverified,
        };
        Peer::new(([127, 0, 0, 1], 1).into(), identity, self.stop.subscribe()).sharing(self.room.clone())
    }

    /// Binds a ClusterRole to a user in a namespace, as the administrator does.
    pub(super) async fn bind(&self, user: &str, role: &str, namespace: &str) {
        let (administrator, _) = self.administrator().await;
        let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings");
        let binding = json!({"metadata": {"generateName": "b-"},
            "roleRef": {"kind": "ClusterRole", "name": role, "apiGroup": "rbac.authorization.k8s.io"},
            "subjects": [{"kind": "User", "name": user}]});
        self.post(&administrator, &path, &binding).await.expect(StatusCode::CREATED);
    }
}

impl Answer {
    /// `403 Forbidden: message`.
    pub(super) fn said(&self) -> String {
        let body = self.json();
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        format!("{} {}: {}", self.status.as_u16(), text("reason"), text("message"))
    }
}

/// The body without what differs from run to run.
pub(super) fn plain(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(object) => {
                for (name, inner) in object {
                    match name.as_str() {
                        "uid" => *inner = "[uid]".into(),
                        "resourceVersion" => *inner = "[version]".into(),
                        _ => walk(inner),
                    }
                }
            }
            Value::Array(list) => list.iter_mut().for_each(walk),
            _ => {}
        }
    }
    walk(&mut value);
    value
}

/// The first certificate of a PEM text.
fn verified(authority: &str, der: &[u8]) -> ClientIdentity {
    ClientIdentity::Verified(Arc::new(VerifiedCertificate {
        authority: authority.into(),
        certificate: der.to_vec(),
        serial: String::new(),
        common_name: String::new(),
        organizations: Vec::new(),
        expires_at: jiff::Timestamp::MAX,
    }))
}

pub(super) fn der(pem: &str) -> Vec<u8> {
    let text: String = pem.lines().skip(1).take_while(|line| !line.starts_with('-')).collect();
    STANDARD.decode(text).unwrap()
}
