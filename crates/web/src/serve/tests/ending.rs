//! Stopping: what is under way is finished, and nothing keeps the server from ending.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[tokio::test]
async fn a_request_under_way_is_finished() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let (begun, begins) = oneshot::channel::<()>();
    let begun = Arc::new(std::sync::Mutex::new(Some(begun)));
    let router = Router::new().route(
        "/slow",
        get({
            let gate = gate.clone();
            move || async move {
                drop(begun.lock().unwrap().take());
                let _passed = gate.acquire().await.unwrap();
                "done"
            }
        }),
    );
    let mut server = Server::with(router, Limits { request: PATIENCE, ..short_limits() }).await;
    let mut client = server.client().http1().await;
    let asking = tokio::spawn(async move { client.get("/slow").await });
    let _ = in_time(begins).await;
    server.stop();
    in_time(async {
        while server.client().tls(b"h2").await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    gate.add_permits(1);
    assert_eq!(in_time(asking).await.unwrap().text, "done");
    assert_eq!(server.stopped().await, 0);
}

#[tokio::test]
async fn idle_connections_are_closed_at_once() {
    let limits = Limits { idle: PATIENCE, request_head: PATIENCE, drain: PATIENCE, ..short_limits() };
    let server = Server::with(router(), limits).await;
    let mut clients = [server.client().http1().await, server.client().http2().await];
    for client in &mut clients {
        assert_eq!(in_time(client.get("/hello")).await.text, "hello");
    }
    let since = std::time::Instant::now();
    assert_eq!(server.stopped().await, 0);
    assert!(since.elapsed() < PATIENCE / 2, "{:?}", since.elapsed());
    for client in &mut clients {
        in_time(client.closed()).await;
    }
}

#[tokio::test]
async fn a_watch_outlives_the_limits_for_requests_and_ends_with_the_server() {
    let server = Server::start().await;
    let mut stream = server.client().tls(b"http/1.1").await.unwrap();
    stream.write_all(b"GET /stream HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    // Another connection that only waits is closed for its silence: by then the watch has lasted as long.
    for _ in 0..3 {
        let mut quiet = server.client().http1().await;
        assert_eq!(in_time(quiet.get("/hello")).await.text, "hello");
        in_time(quiet.closed()).await;
    }
    let (stopped, text) = in_time(async {
        let reading = async {
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            text
        };
        tokio::join!(server.stopped(), reading)
    })
    .await;
    assert_eq!(stopped, 0);
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    assert!(text.ends_with("first\n\r\n0\r\n\r\n"), "the stream ends as it should: {text:?}");
}

#[tokio::test]
async fn what_does_not_end_is_cut_off() {
    let limits = Limits { drain: Duration::from_millis(200), ..short_limits() };
    let server = Server::with(router(), limits).await;
    let mut stream = server.client().tls(b"http/1.1").await.unwrap();
    stream.write_all(b"GET /endless HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"first\n") {
        text.push(in_time(stream.read_u8()).await.unwrap());
    }
    assert_eq!(server.stopped().await, 1);
    let mut rest = Vec::new();
    let _ = in_time(stream.read_to_end(&mut rest)).await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "a stream that was cut off must not look complete");
}

/// Answers with the wish for a new connection.
fn renewing() -> Router {
    let renew = |mut response: axum::response::Response| async move {
        response.extensions_mut().insert(Renew);
        response
    };
    Router::new().route("/hello", get(|| async { "hello" })).layer(axum::middleware::map_response(renew))
}

#[tokio::test]
async fn a_connection_that_shall_be_made_anew_ends_after_its_answer() {
    let limits = Limits { renewal: Duration::ZERO, idle: PATIENCE, ..short_limits() };
    let server = Server::with(renewing(), limits).await;
    let mut old = server.client().http1().await;
    let answer = in_time(old.get("/hello")).await;
    assert_eq!((answer.text.as_str(), header(&answer)), ("hello", Some("close")));
    in_time(old.closed()).await;
    let mut new = server.client().http2().await;
    assert_eq!(in_time(new.get("/hello")).await.text, "hello");
    in_time(new.closed()).await;
    assert_eq!(server.stopped().await, 0);
}

#[tokio::test]
async fn a_young_connection_is_not_ended_for_another_to_be_made() {
    let limits = Limits { renewal: PATIENCE, idle: PATIENCE, ..short_limits() };
    let server = Server::with(renewing(), limits).await;
    let mut clients = [server.client().http1().await, server.client().http2().await];
    for client in &mut clients {
        for _ in 0..3 {
            let answer = in_time(client.get("/hello")).await;
            assert_eq!((answer.text.as_str(), header(&answer)), ("hello", None));
        }
    }
    assert_eq!(server.stopped().await, 0);
}

fn header(answer: &clients::Answer) -> Option<&str> {
    answer.headers.get("connection")?.to_str().ok()
}
