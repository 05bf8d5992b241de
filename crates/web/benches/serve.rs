//! What serving costs: CPU time of the one thread that serves for a request that parses and answers a
//! SubjectAccessReview over TLS on keep-alive connections, beside a bare hyper handler that does the same in the
//! same run. Rounds alternate, and medians are compared.

use std::{convert::Infallible, fs, net::SocketAddr, sync::Arc, thread, time::Duration};

use axum::{Router, routing::post};
use bytes::Bytes;
use http::{
    Request, Response,
    header::{CONTENT_TYPE, HOST},
};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use serde::{Deserialize, Serialize};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use web::{
    body::{BodyError, Json},
    serve::{Limits, ServerCertificate, Tls},
    trace::Counts,
};

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    api_version: String,
    kind: String,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    user: String,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_attributes: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Default, Deserialize, Serialize)]
struct Status {
    allowed: bool,
}

fn main() {
    let certified = Certified::new();
    let bare = start("bare", {
        let certified = certified.clone();
        move || bare_hyper(certified)
    });
    let axum = start("axum", {
        let certified = certified.clone();
        move || bare_axum(certified)
    });
    let ours = start("ours", {
        let certified = certified.clone();
        move || our_server(certified)
    });
    // Its connections are served on a thread that it starts.
    let ours = Server { thread: "serve-0", ..ours };
    let mut missed = false;
    for version in [http::Version::HTTP_11, http::Version::HTTP_2] {
        let mut costs: [Vec<f64>; 3] = Default::default();
        for _ in 0..ROUNDS {
            for (server, costs) in [&bare, &axum, &ours].into_iter().zip(&mut costs) {
                costs.push(measured(server, &certified, version));
            }
        }
        let [bare, axum, ours] = costs.map(median);
        let ratio = ours / bare;
        println!(
            "{version:?}: bare hyper {bare:5.1} us, with axum {axum:5.1} us, ours {ours:5.1} us a request; ratio {ratio:.2} (limit {LIMIT})"
        );
        missed |= ratio > LIMIT;
    }
    std::process::exit(i32::from(missed));
}

struct Server {
    address: SocketAddr,
    /// The name of the one that serves.
    thread: &'static str,
}

/// Runs a server on one thread of its own.
fn start<F>(name: &'static str, server: impl FnOnce() -> F + Send + 'static) -> Server
where
    F: Future<Output = (SocketAddr, std::pin::Pin<Box<dyn Future<Output = ()>>>)>,
{
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = thread::Builder::new().name(name.to_owned());
    let running = thread.spawn(move || {
        let runtime = single_thread();
        runtime.block_on(async {
            let (address, serving) = server().await;
            sender.send(Server { address, thread: name }).expect("the benchmark waits for it");
            serving.await;
        });
    });
    running.expect("a thread");
    receiver.recv().expect("the server starts")
}

/// CPU microseconds of the server's thread for one request.
fn measured(server: &Server, certified: &Certified, version: http::Version) -> f64 {
    let client = single_thread();
    let connector = TlsConnector::from(Arc::new(certified.client(version)));
    client.block_on(async {
        let mut connections = Vec::new();
        let many = if version == http::Version::HTTP_2 { 1 } else { CONNECTIONS };
        for _ in 0..many {
            connections.push(connect(&connector, server.address, version).await);
        }
        let tasks: Vec<Connection> = connections.into_iter().cycle_to(CONNECTIONS);
        let tasks = run(tasks, WARM_UP).await;
        let before = thread_time(server);
        run(tasks, REQUESTS).await;
        (thread_time(server) - before).as_secs_f64() * 1e6 / REQUESTS as f64
    })
}

enum Connection {
    One(conn::http1::SendRequest<Full<Bytes>>),
    Two(conn::http2::SendRequest<Full<Bytes>>),
}

trait CycleTo {
    fn cycle_to(self, length: usize) -> Vec<Connection>;
}

/// HTTP/2 carries all requests on one connection.
impl<I: Iterator<Item = Connection>> CycleTo for I {
    fn cycle_to(self, length: usize) -> Vec<Connection> {
        let mut connections: Vec<Connection> = self.collect();
        while let Some(Connection::Two(sender)) = connections.first() {
            if connections.len() == length {
                break;
            }
            connections.push(Connection::Two(sender.clone()));
        }
        connections
    }
}

async fn connect(connector: &TlsConnector, address: SocketAddr, version: http::Version) -> Connection {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("a fresh socket");
    let name = ServerName::try_from("localhost").expect("a valid name");
    let stream = TokioIo::new(connector.connect(name, stream).await.expect("the certificate is trusted"));
    if version == http::Version::HTTP_2 {
        let (sender, connection) =
            conn::http2::handshake(TokioExecutor::new(), stream).await.expect("HTTP/2 is spoken");
        tokio::spawn(connection);
        return Connection::Two(sender);
    }
    let (sender, connection) = conn::http1::handshake(stream).await.expect("HTTP/1.1 is spoken");
    tokio::spawn(connection);
    Connection::One(sender)
}

/// Sends `count` requests over all connections together, one after the other on each.
async fn run(connections: Vec<Connection>, count: usize) -> Vec<Connection> {
    let each = count / connections.len();
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|mut connection| {
            tokio::spawn(async move {
                for _ in 0..each {
                    ask(&mut connection).await;
                }
                connection
            })
        })
        .collect();
    let mut connections = Vec::new();
    for task in tasks {
        connections.push(task.await.expect("every request is answered"));
    }
    connections
}

async fn ask(connection: &mut Connection) {
    let mut request =
        Request::post("https://localhost/webhooks/c/authorize").header(CONTENT_TYPE, "application/json");
    if matches!(connection, Connection::One(_)) {
        // HTTP/2 has it in the address.
        request = request.header(HOST, "localhost");
    }
    let request = request.body(Full::from(REVIEW)).expect("a valid request");
    let response = match connection {
        Connection::One(sender) => {
            sender.ready().await.expect("the connection stays");
            sender.send_request(request).await
        }
        Connection::Two(sender) => sender.send_request(request).await,
    };
    let body = response.expect("an answer").into_body().collect().await.expect("a whole answer").to_bytes();
    assert!(body.ends_with(br#""status":{"allowed":true}}"#));
}

/// What the thread of the server has used of the CPU.
fn thread_time(server: &Server) -> Duration {
    let tasks = fs::read_dir("/proc/self/task").expect("the threads of this process");
    let read =
        |task: &fs::DirEntry, file: &str| fs::read_to_string(task.path().join(file)).expect("a thread");
    let task = tasks
        .filter_map(Result::ok)
        .find(|task| read(task, "comm").trim() == server.thread)
        .expect("the server's thread");
    let nanoseconds = read(&task, "schedstat");
    let nanoseconds = nanoseconds.split(' ').next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number of nanoseconds"))
}

async fn our_server(certified: Certified) -> (SocketAddr, std::pin::Pin<Box<dyn Future<Output = ()>>>) {
    let tls = Tls::new(
        ServerCertificate::from_pem(certified.chain.as_bytes(), certified.key.as_bytes()).expect("a pair"),
    );
    let router = Router::new().route("/webhooks/{cluster}/authorize", post(review));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    let counts = Arc::new(Counts::new(&["all"], |_| 0));
    let serving = web::serve::serve(
        listener,
        tls.expect("TLS"),
        move || router.clone(),
        counts,
        Limits { threads: 1, ..Limits::default() },
        std::future::pending(),
    )
    .expect("threads to serve with");
    (
        address,
        Box::pin(async {
            serving.await;
        }),
    )
}

struct Refused;

impl From<BodyError> for Refused {
    fn from(_error: BodyError) -> Self {
        Self
    }
}

impl axum::response::IntoResponse for Refused {
    fn into_response(self) -> axum::response::Response {
        http::StatusCode::BAD_REQUEST.into_response()
    }
}

async fn review(Json(mut review, _): Json<Review, Refused>) -> axum::Json<Review> {
    review.status.allowed = true;
    axum::Json(review)
}

async fn bare_axum(certified: Certified) -> (SocketAddr, std::pin::Pin<Box<dyn Future<Output = ()>>>) {
    let router = Router::new().route("/webhooks/{cluster}/authorize", post(review));
    bare(certified, hyper_util::service::TowerToHyperService::new(router)).await
}

async fn bare_hyper(certified: Certified) -> (SocketAddr, std::pin::Pin<Box<dyn Future<Output = ()>>>) {
    bare(certified, service_fn(bare_review)).await
}

async fn bare<S, B>(
    certified: Certified,
    service: S,
) -> (SocketAddr, std::pin::Pin<Box<dyn Future<Output = ()>>>)
where
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    B: hyper::body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    let acceptor = TlsAcceptor::from(Arc::new(certified.server()));
    let serving = async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a fresh socket");
            let (acceptor, service) = (acceptor.clone(), service.clone());
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await.expect("a handshake");
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let stream = TokioIo::new(stream);
                let _ = if is_http2 {
                    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    builder.serve_connection(stream, service).await
                } else {
                    hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await
                };
            });
        }
    };
    (address, Box::pin(serving))
}

async fn bare_review(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.expect("a whole body").to_bytes();
    let mut review: Review = serde_json::from_slice(&body).expect("a review");
    review.status.allowed = true;
    let body = serde_json::to_vec(&review).expect("a review can be written");
    Ok(Response::builder()
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(body))
        .expect("a valid response"))
}

/// A certificate for localhost that vouches for itself, and its key, PEM.
#[derive(Clone)]
struct Certified {
    chain: String,
    key: String,
}

impl Certified {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        Self { chain: params.self_signed(&key).expect("a certificate").pem(), key: key.serialize_pem() }
    }

    fn certificate(&self) -> CertificateDer<'static> {
        rustls::pki_types::pem::PemObject::from_pem_slice(self.chain.as_bytes()).expect("PEM of our own")
    }

    fn server(&self) -> ServerConfig {
        let key: PrivateKeyDer<'static> =
            rustls::pki_types::pem::PemObject::from_pem_slice(self.key.as_bytes()).expect("PEM of our own");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS 1.3");
        let mut config =
            builder.with_no_client_auth().with_single_cert(vec![self.certificate()], key).expect("a pair");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }

    fn client(&self, version: http::Version) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS 1.3");
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols =
            vec![if version == http::Version::HTTP_2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        config
    }
}

fn single_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

const ROUNDS: usize = 7;
const CONNECTIONS: usize = 64;
const WARM_UP: usize = 2_000;
const REQUESTS: usize = 20_000;
/// The whole server has the same limit; what is left of it here is for the decision.
const LIMIT: f64 = 1.5;

const REVIEW: &str = r#"{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","metadata":{"creationTimestamp":null},"spec":{"resourceAttributes":{"namespace":"default","verb":"get","version":"v1","resource":"pods","name":"web-0"},"user":"ann@example.test","groups":["0d7ff3a2-53f2-4b3c-9c0e-2f1d1c6f8e10","7c1c6a1e-3a7b-4a51-8f0a-0a8b7b0f5c11","system:authenticated"],"extra":{"oid":["8c0f9b52-6c4c-4a7e-9d5e-6a1f0a4f3b12"]}},"status":{"allowed":false}}"#;
