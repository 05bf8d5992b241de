//! A tenant with a few people and an embedded cluster behind a router that is called in process, with a clock
//! that stands still.

use std::{collections::BTreeMap, sync::Arc};

use app::{
    App, Caller, FirstAdministrator, Parts, Secret, Settings,
    directory::{audience::Resource, groups::NewGroup, users::NewUser},
    resource_manager::clusters::{ClusterName, NewCluster},
    sign_in::tokens::{TokenRequest, Version, claims::ClientProof},
    state::clock::ManualClock,
};
use axum::{Router, body::Body};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    cluster::{Cluster, Serving},
    id::{AppId, ObjectId, SubscriptionId, TenantId},
    name::{DisplayName, ResourceName, Upn},
};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt;
use web::{
    room::Room,
    serve::{ClientIdentity, VerifiedCertificate},
    trace::{Peer, RequestContext},
};

pub(super) struct World {
    pub(super) app: App,
    pub(super) store: Arc<dyn store::Store>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) router: Router,
    pub(super) admin: Caller,
    pub(super) subscription: SubscriptionId,
    pub(super) cluster: Arc<Cluster>,
    /// For large answers and bodies.
    pub(super) room: Arc<Room>,
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
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A world whose cluster is made as `change` says.
    pub(super) async fn with(change: impl FnOnce(&mut NewCluster)) -> Self {
        let clock = Arc::new(ManualClock::new("2026-11-24T09:00:00Z".parse().unwrap()));
        let store = store::open(&store::StoreConfig::Memory).await.unwrap();
        let app = open(&store, &clock).await;
        let first = || {
            Ok(FirstAdministrator {
                upn: Upn::parse("admin@example.org").unwrap(),
                password: Secret::new(PASSWORD.to_owned()),
            })
        };
        let installed = app.install(first).await.unwrap();
        let snapshot = app.state().snapshot();
        let user =
            snapshot.directory().user_by_upn(&Upn::parse("admin@example.org").unwrap()).unwrap().clone();
        let admin = Caller::of_user(&user, AppId::parse(CLI).unwrap());
        let group = ResourceName::parse("rg").unwrap();
        app.resource_manager()
            .put_resource_group(&admin, installed.subscription, &group, "local", BTreeMap::new())
            .await
            .unwrap();
        let mut new = NewCluster::new(Serving::Embedded, "local");
        change(&mut new);
        let router = crate::routes().with_state(app.clone());
        let name = cluster_name(installed.subscription, "c1");
        let (cluster, _) = app.resource_manager().put_cluster(&admin, &name, new).await.unwrap();
        Self {
            app,
            store,
            clock,
            router,
            admin,
            subscription: installed.subscription,
            cluster,
            room: Arc::default(),
            stop: watch::Sender::new(false),
        }
    }

    /// The same world as another of the threads that serve has it.
    pub(super) fn beside(&self) -> Self {
        let app = self.app.for_thread();
        let router = crate::routes().with_state(app.clone());
        Self {
            app,
            store: self.store.clone(),
            clock: self.clock.clone(),
            router,
            admin: self.admin.clone(),
            subscription: self.subscription,
            cluster: self.cluster.clone(),
            room: self.room.clone(),
            stop: watch::Sender::new(false),
        }
    }

    /// The same world as a program has it that starts now.
    pub(super) async fn reopened(&self) -> Self {
        let app = open(&self.store, &self.clock).await;
        let router = crate::routes().with_state(app.clone());
        Self { app, router, ..self.beside() }
    }

    pub(super) fn name(&self) -> ClusterName {
        cluster_name(self.subscription, "c1")
    }

    pub(super) fn tenant(&self) -> TenantId {
        self.admin.tenant
    }

    pub(super) async fn user(&self, upn: &str) -> ObjectId {
        let new = NewUser {
            upn: Upn::parse(upn).unwrap(),
            display_name: DisplayName::parse(upn).unwrap(),
            enabled: true,
            password: Some(Secret::new(PASSWORD.to_owned())),
            must_change_password: false,
            mail_nickname: None,
            mail: None,
            given_name: None,
            surname: None,
            job_title: None,
        };
        self.app.directory().create_user(&self.admin, new).await.unwrap().id
    }

    pub(super) async fn group(&self, name: &str, members: &[ObjectId]) -> ObjectId {
        let new = NewGroup {
            display_name: DisplayName::parse(name).unwrap(),
            mail_nickname: name.to_owned(),
            description: None,
        };
        let group = self.app.directory().create_group(&self.admin, new).await.unwrap().id;
        for member in members {
            self.app.directory().add_member(&self.admin, group, *member).await.unwrap();
        }
        group
    }

    /// A token for clusters, as sign-in gives it.
    pub(super) async fn token(&self, subject: ObjectId) -> Who {
        let snapshot = self.app.state().snapshot();
        let user = snapshot.directory().user(subject);
        let session = Caller::of_user(user.unwrap(), AppId::parse(CLI).unwrap()).session;
        let request = TokenRequest {
            tenant: self.tenant(),
            subject,
            client: AppId::parse(CLI).unwrap(),
            client_proof: ClientProof::None,
            resource: Resource::Cluster,
            version: Version::V2,
            session,
            methods: vec!["pwd".into()],
        };
        Who::Token(self.app.sign_in().issue_access_token(&request).await.unwrap().token)
    }

    /// A person who signs in.
    pub(super) async fn person(&self, upn: &str) -> Who {
        let id = self.user(upn).await;
        self.token(id).await
    }

    /// The holder of an administrator certificate, with its serial number.
    pub(super) async fn administrator(&self) -> (Who, String) {
        let issued =
            self.app.resource_manager().issue_admin_certificate(&self.admin, &self.name()).await.unwrap().2;
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
        let (parts, body) = self.open(who, method, &path, headers, body).await;
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
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
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Who::Token(token) = who {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let peer = Arc::new(self.peer(who));
        let request = request.extension(RequestContext::new(peer)).body(Body::from(body)).unwrap();
        self.router.clone().oneshot(request).await.unwrap().into_parts()
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
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| Value::String(self.text.clone()))
    }

    /// The body, where the status is the expected one.
    #[track_caller]
    pub(super) fn expect(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

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

async fn open(store: &Arc<dyn store::Store>, clock: &Arc<ManualClock>) -> App {
    let parts = Parts {
        store: store.clone(),
        clock: clock.clone(),
        random: Arc::new(crypto::random::System::default()),
        sealer: crypto::seal::Sealer::new(&Secret::new([7; 32])).unwrap(),
        settings: Settings { external_url: BASE.into(), authority_certificate: "the authority".into() },
    };
    let (app, follow) = App::open(parts).await.unwrap();
    tokio::spawn(follow);
    app
}

fn cluster_name(subscription: SubscriptionId, name: &str) -> ClusterName {
    ClusterName {
        subscription,
        resource_group: ResourceName::parse("rg").unwrap(),
        name: ResourceName::parse(name).unwrap(),
    }
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

pub(super) const BASE: &str = "https://localhost:8443";
const CLI: &str = "b0c5f1a2-6d3e-4c1b-9f7a-2e8d4a6c0f31";
const PASSWORD: &str = "correct horse battery";
