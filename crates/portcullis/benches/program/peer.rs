//! The peer: a bare hyper server, a process of its own, that parses the same reviews and answers them with a status
//! that it was started with. It decides nothing, checks nobody, and limits nothing.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fs,
    hint::black_box,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use crypto::keys::{Algorithm, PublicKey, VerifyingKey};
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
/// The keys that tokens are signed with, as published (JWKS).
pub(crate) const TOKEN_KEYS: &str = "keys.json";
/// The end of a path at which the peer verifies the signatures of tokens.
pub(crate) const VERIFY: &str = "verify-and-authenticate";

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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessReview {
    api_version: String,
    kind: String,
    spec: AccessSpec,
}

#[derive(Deserialize)]
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
struct Answer<'a, S> {
    api_version: &'a str,
    kind: &'a str,
    status: &'a S,
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

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Published>,
}

#[derive(Deserialize)]
struct Published {
    kid: String,
    #[serde(flatten)]
    key: PublicKey,
}

#[derive(Deserialize)]
struct TokenHeader {
    kid: String,
}

/// As any service reads them.
#[derive(Deserialize)]
struct TokenClaims {
    iss: String,
    aud: String,
    oid: String,
    exp: u64,
    #[serde(default)]
    groups: Vec<String>,
}

struct Statuses {
    access: AccessStatus,
    token: TokenStatus,
    keys: BTreeMap<String, VerifyingKey>,
}

/// Serves until it is killed.
pub(crate) fn run(threads: usize, files: &Path) {
    let read = |name: &str| fs::read(files.join(name)).expect("the files are there");
    let access: Answered<AccessStatus> = serde_json::from_slice(&read(ACCESS_ANSWER)).expect("an answer");
    let token: Answered<TokenStatus> = serde_json::from_slice(&read(TOKEN_ANSWER)).expect("an answer");
    let KeySet { keys } = serde_json::from_slice(&read(TOKEN_KEYS)).expect("keys");
    let ready = |each: Published| (each.kid, each.key.verifying().expect("a good key"));
    let keys = keys.into_iter().map(ready).collect();
    let statuses = Arc::new(Statuses { access: access.status, token: token.status, keys });
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
    let is_token = request.uri().path().ends_with("authenticate");
    let verifies = request.uri().path().ends_with(VERIFY);
    let body = request.into_body().collect().await.expect("a whole body").to_bytes();
    let body = if is_token {
        let TokenReview { api_version, kind, spec } = serde_json::from_slice(&body).expect("a review");
        assert!(!spec.token.is_empty(), "a token is asked about");
        assert!(!verifies || is_signed(&spec.token, &statuses.keys), "the token is signed by its authority");
        let answer = Answer { api_version: &api_version, kind: &kind, status: &statuses.token };
        serde_json::to_vec(&answer)
    } else {
        let AccessReview { api_version, kind, spec } = serde_json::from_slice(&body).expect("a review");
        let AccessSpec { resource_attributes, user, groups, extra, uid } = black_box(spec);
        drop((resource_attributes, user, groups, extra, uid));
        let answer = Answer { api_version: &api_version, kind: &kind, status: &statuses.access };
        serde_json::to_vec(&answer)
    };
    Ok(Response::builder()
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(body.expect("a review can be written")))
        .expect("a valid response"))
}

fn is_signed(token: &str, keys: &BTreeMap<String, VerifyingKey>) -> bool {
    let (message, signature) = token.rsplit_once('.').expect("a token in three parts");
    let (header, claims) = message.split_once('.').expect("a token in three parts");
    let decode = |text| URL_SAFE_NO_PAD.decode(text).expect("base64");
    let header: TokenHeader = serde_json::from_slice(&decode(header)).expect("a header");
    let key = keys.get(&header.kid).expect("a published key");
    let claims: TokenClaims = serde_json::from_slice(&decode(claims)).expect("claims");
    let TokenClaims { iss, aud, oid, exp, groups } = black_box(claims);
    drop((iss, aud, oid, groups));
    exp > 0 && key.verify(Algorithm::Rs256, message.as_bytes(), &decode(signature))
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
