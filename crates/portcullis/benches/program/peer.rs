//! The peer: a bare hyper server, a process of its own, that parses the same reviews and answers them with a status
//! that it was started with. It decides nothing, checks nobody, and limits nothing.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    convert::Infallible,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use bytes::Bytes;
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, pem::PemObject},
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The first argument of the process that is the peer; the number of its threads and the folder of its files follow.
pub(crate) const MODE: &str = "peer";
pub(crate) const CERTIFICATE: &str = "server.crt";
pub(crate) const KEY: &str = "server.key";
/// Answers of the real server, whose status the peer gives.
pub(crate) const ACCESS_ANSWER: &str = "access-answer.json";
pub(crate) const TOKEN_ANSWER: &str = "token-answer.json";

/// Stopped when dropped.
pub(crate) struct Peer {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Peer {
    pub(crate) fn start(threads: usize, files: &Path) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        command.args([MODE, &threads.to_string()]).arg(files).stdout(Stdio::piped());
        let mut child = command.spawn().expect("this program starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("it says where it is");
        Self { child, address: line.trim().parse().expect("an address") }
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct AccessReview<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    kind: Cow<'a, str>,
    spec: AccessSpec,
    #[serde(default, skip_deserializing)]
    status: Option<&'a AccessStatus>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct AccessSpec {
    resource_attributes: BTreeMap<String, String>,
    user: String,
    groups: Vec<String>,
    extra: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    uid: String,
}

#[derive(Deserialize, Serialize)]
struct AccessStatus {
    allowed: bool,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenReview {
    api_version: String,
    kind: String,
    spec: TokenSpec,
}

#[derive(Deserialize)]
struct TokenSpec {
    token: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenAnswer<'a> {
    api_version: &'a str,
    kind: &'a str,
    status: &'a TokenStatus,
}

#[derive(Deserialize, Serialize)]
struct TokenStatus {
    authenticated: bool,
    user: TokenUser,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    audiences: Vec<String>,
}

#[derive(Deserialize, Serialize)]
struct TokenUser {
    username: String,
    uid: String,
    groups: Vec<String>,
    extra: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Answered<S> {
    status: S,
}

struct Statuses {
    access: AccessStatus,
    token: TokenStatus,
}

/// Serves until it is killed.
pub(crate) fn run(threads: usize, files: &Path) {
    let read = |name: &str| fs::read(files.join(name)).expect("the files are there");
    let access: Answered<AccessStatus> = serde_json::from_slice(&read(ACCESS_ANSWER)).expect("an answer");
    let token: Answered<TokenStatus> = serde_json::from_slice(&read(TOKEN_ANSWER)).expect("an answer");
    let statuses = Arc::new(Statuses { access: access.status, token: token.status });
    let config = Arc::new(tls(&read(CERTIFICATE), &read(KEY)));
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().build().expect("a runtime");
    runtime.block_on(serve(config, statuses));
}

async fn serve(config: Arc<ServerConfig>, statuses: Arc<Statuses>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("{}", listener.local_addr().expect("a bound socket"));
    let acceptor = TlsAcceptor::from(config);
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("a fresh socket");
        let (acceptor, statuses) = (acceptor.clone(), statuses.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let service = service_fn(move |request| answer(statuses.clone(), request));
            let stream = TokioIo::new(stream);
            let _ = if is_http2 {
                conn::http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await
            } else {
                conn::http1::Builder::new().serve_connection(stream, service).await
            };
        });
    }
}

async fn answer(
    statuses: Arc<Statuses>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_token = request.uri().path().ends_with("/authenticate");
    let body = request.into_body().collect().await.expect("a whole body").to_bytes();
    let body = if is_token {
        let review: TokenReview = serde_json::from_slice(&body).expect("a review");
        assert!(!review.spec.token.is_empty(), "a token is asked about");
        serde_json::to_vec(&TokenAnswer {
            api_version: &review.api_version,
            kind: &review.kind,
            status: &statuses.token,
        })
    } else {
        let mut review: AccessReview<'_> = serde_json::from_slice(&body).expect("a review");
        review.status = Some(&statuses.access);
        serde_json::to_vec(&review)
    };
    Ok(Response::builder()
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(body.expect("a review can be written")))
        .expect("a valid response"))
}

fn tls(certificate: &[u8], key: &[u8]) -> ServerConfig {
    let key = PrivateKeyDer::from_pem_slice(key).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS 1.3");
    let mut config = builder
        .with_no_client_auth()
        .with_single_cert(super::load::certificates(certificate), key)
        .expect("a pair");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
