//! Serving over real sockets: good clients, slow ones, broken ones and hostile ones.
//!
//! Limits are a fraction of a second here. Tests wait for what must happen, never for time to pass; whatever
//! does not happen fails after [`PATIENCE`].

mod abuse;
mod certificates;
mod clients;
mod ending;

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::Request,
    response::IntoResponse,
    routing::{get, post},
};
use bytes::Bytes;
use http::{StatusCode, Version};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use self::clients::{Authority, Client};
use super::*;
use crate::{
    body,
    trace::{Counts, RequestContext},
};

/// Four of them fill the room of one caller.
const LARGE: usize = 36 * 1024 * 1024;
/// Long enough for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a port of its own.
struct Server {
    address: SocketAddr,
    tls: Tls,
    counts: Arc<Counts>,
    authority: Authority,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<usize>,
}

impl Server {
    async fn start() -> Self {
        Self::with(router(), short_limits()).await
    }

    async fn with(router: Router, limits: Limits) -> Self {
        let authority = Authority::new("server authority");
        let (chain, key) = authority.server_certificate();
        let tls = Tls::new(ServerCertificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let counts = Arc::new(Counts::new(&["all"], |_| 0));
        let stop_signal = async move { drop(stopped.await) };
        let serving =
            serve(listener, tls.clone(), move || router.clone(), counts.clone(), limits, stop_signal);
        let task = tokio::spawn(serving.unwrap());
        Self { address, tls, counts, authority, stop: Some(stop), task }
    }

    fn client(&self) -> Client {
        Client::new(self.address, &self.authority)
    }

    fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// How many connections had to be cut off.
    async fn stopped(mut self) -> usize {
        self.stop();
        in_time(self.task).await.unwrap()
    }
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("what must happen did not happen")
}

fn short_limits() -> Limits {
    Limits {
        handshake: Duration::from_millis(300),
        request_head: Duration::from_millis(300),
        request: Duration::from_millis(1500),
        idle: Duration::from_millis(900),
        unread_answer: Duration::from_millis(500),
        probe: Duration::from_secs(5),
        streams: 16,
        drain: Duration::from_secs(5),
        ..Limits::default()
    }
}

fn router() -> Router {
    Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/who", get(who))
        .route("/panic", get(fails))
        .route("/never", get(std::future::pending::<StatusCode>))
        .route("/length", post(length))
        .route("/stream", get(stream_until_stop))
        .route("/endless", get(stream_for_ever))
        .route("/flood", get(flood))
        .route("/large", get(async || vec![b'x'; LARGE]).post(async || vec![b'x'; LARGE]))
}

async fn fails() -> StatusCode {
    panic!("a secret detail of ours")
}

/// What the certificate is worth: `none`, `unverified`, or authority, serial, name and organizations.
async fn who(context: RequestContext) -> String {
    match &context.peer.identity {
        ClientIdentity::None => "none".to_owned(),
        ClientIdentity::Unverified => "unverified".to_owned(),
        ClientIdentity::Verified(certificate) => format!(
            "{} {} {} {:?} expires {}",
            certificate.authority,
            certificate.serial,
            certificate.common_name,
            certificate.organizations,
            certificate.expires_at
        ),
    }
}

async fn length(request: Request) -> axum::response::Response {
    match body::read(request.into_body(), 1000).await {
        Ok(bytes) => bytes.len().to_string().into_response(),
        Err(error) => crate::page::plain(error.status(), error.to_string()),
    }
}

/// As a watch does: a line at once, and the end when the server stops.
async fn stream_until_stop(context: RequestContext) -> axum::body::Body {
    let lines = futures_util::stream::unfold((context, true), |(context, first)| async move {
        if first {
            return Some((Ok::<_, std::io::Error>(Bytes::from_static(b"first\n")), (context, false)));
        }
        context.peer.stopping().await;
        None
    });
    axum::body::Body::from_stream(lines)
}

async fn stream_for_ever() -> axum::body::Body {
    let first = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"first\n"))]);
    axum::body::Body::from_stream(futures_util::StreamExt::chain(first, futures_util::stream::pending()))
}

/// More than any socket buffers.
async fn flood() -> axum::body::Body {
    let piece = Bytes::from(vec![b'x'; 64 * 1024]);
    axum::body::Body::from_stream(futures_util::stream::repeat_with(move || {
        Ok::<_, std::io::Error>(piece.clone())
    }))
}

#[tokio::test]
async fn both_versions_of_http_are_answered() {
    let server = Server::start().await;
    let one = in_time(server.client().http1().await.get("/hello")).await;
    let two = in_time(server.client().http2().await.get("/hello")).await;
    for answer in [one, two] {
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "hello"));
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert!(uuid::Uuid::parse_str(answer.headers["x-request-id"].to_str().unwrap()).is_ok());
    }
    assert_eq!(server.counts.surfaces()[0].answers(2), 2);
    assert_eq!(server.stopped().await, 0);
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let server = Server::start().await;
    let mut client = server.client().http1().await;
    for _ in 0..50 {
        assert_eq!(in_time(client.get("/hello")).await.text, "hello");
    }
    let mut client = server.client().http2().await;
    // The first answer tells the client how many requests it may have under way.
    assert_eq!(in_time(client.get("/hello")).await.text, "hello");
    let answers = futures_util::future::join_all((0..50).map(|_| client.clone().get_owned("/hello")));
    assert!(in_time(answers).await.iter().all(|answer| answer.text == "hello"));
}

#[tokio::test]
async fn a_panic_is_an_answer_and_says_nothing_of_its_cause() {
    let server = Server::start().await;
    let mut client = server.client().http1().await;
    let answer = in_time(client.get("/panic")).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    let id = answer.headers["x-request-id"].to_str().unwrap();
    assert_eq!(answer.text, format!("internal error, request {id}\n"));
    assert_eq!(in_time(client.get("/hello")).await.text, "hello", "the connection goes on");
    assert_eq!(server.counts.surfaces()[0].answers(5), 1);
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_given_up() {
    let server = Server::start().await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut client = server.client().connect(version).await;
        let answer = in_time(client.get("/never")).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "the request took too long: try again\n")
        );
    }
}

#[tokio::test]
async fn a_path_that_can_be_read_in_two_ways_is_refused_before_routing() {
    let server = Server::start().await;
    let mut client = server.client().http1().await;
    for path in ["/a/../hello", "/a/%2e%2e/hello", "/hello%00", "/a%2fb", "/%zz", "/%ff"] {
        assert_eq!(in_time(client.get(path)).await.status, StatusCode::BAD_REQUEST, "{path}");
    }
    assert_eq!(in_time(client.get("/hello")).await.status, StatusCode::OK);
}
