//! Clients that are slow, broken or hostile: each is ended, and the others go on.

use http::Request;
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Reads to the end, however the other side ends it.
async fn rest(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let _ = in_time(stream.read_to_end(&mut bytes)).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_client_that_says_nothing_is_closed() {
    let server = Server::start().await;
    let mut silent = server.client().tcp().await;
    assert_eq!(rest(&mut silent).await, "", "before the handshake");
    let mut silent = server.client().tls(b"http/1.1").await.unwrap();
    assert_eq!(rest(&mut silent).await, "", "after it");
    assert_eq!(server.stopped().await, 0);
}

#[tokio::test]
async fn a_request_head_that_drips_is_closed() {
    let server = Server::start().await;
    let (mut reading, mut writing) = tokio::io::split(server.client().tls(b"http/1.1").await.unwrap());
    let dripping = tokio::spawn(async move {
        let mut interval = tokio::time::interval(Duration::from_millis(20));
        loop {
            interval.tick().await;
            if writing.write_all(b"G").await.is_err() || writing.flush().await.is_err() {
                return;
            }
        }
    });
    assert_eq!(rest(&mut reading).await, "");
    dripping.abort();
}

#[tokio::test]
async fn a_second_request_that_drips_is_closed_too() {
    let server = Server::start().await;
    let mut stream = server.client().tls(b"http/1.1").await.unwrap();
    stream.write_all(b"GET /hello HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = [0_u8; 12];
    in_time(stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let since = std::time::Instant::now();
    stream.write_all(b"GET /hel").await.unwrap();
    assert!(rest(&mut stream).await.ends_with("hello"));
    assert!(since.elapsed() >= Duration::from_millis(300), "not before its time");
}

#[tokio::test]
async fn a_request_for_two_hosts_is_refused() {
    let server = Server::start().await;
    for head in ["host: localhost\r\nhost: localhost\r\n", "host: a\r\nhost: b\r\n", ""] {
        let mut stream = server.client().tls(b"http/1.1").await.unwrap();
        let request = format!("GET /hello HTTP/1.1\r\n{head}connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("Host header"), "{head:?}: {answer}");
    }
}

#[tokio::test]
async fn a_quiet_connection_is_closed_after_its_time() {
    let server = Server::start().await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut client = server.client().connect(version).await;
        let since = std::time::Instant::now();
        assert_eq!(in_time(client.get("/hello")).await.text, "hello");
        in_time(client.closed()).await;
        assert!(since.elapsed() >= Duration::from_millis(900), "not before its time: {:?}", since.elapsed());
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let server = Server::start().await;
    let mut stream = server.client().tls(b"http/1.1").await.unwrap();
    stream.write_all(b"GET /flood HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    // It must be gone before it has to be cut off at the stop.
    let mut server = server;
    in_time(async {
        while server.counts.surfaces()[0].answers(2) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let since = std::time::Instant::now();
    server.stop();
    assert_eq!(in_time(&mut server.task).await.unwrap(), 0);
    assert!(since.elapsed() < short_limits().drain);
    drop(stream);
}

/// The connection is alive, and answers what it is asked; only the one answer is not taken.
#[tokio::test]
async fn an_answer_that_is_not_read_on_a_connection_that_lives_is_cut_off() {
    let limits = Limits { probe: Duration::from_secs(600), ..short_limits() };
    let server = Server::with(super::router(), limits).await;
    let mut stream = server.client().tls(b"h2").await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, b""));
    // GET https://localhost/flood, and never a WINDOW_UPDATE.
    bytes.extend(frame(1, 0x5, 1, b"\x82\x87\x44\x06/flood\x41\x09localhost"));
    stream.write_all(&bytes).await.unwrap();
    let mut received = Vec::new();
    let _ = in_time(stream.read_to_end(&mut received)).await;
    assert!(received.len() > 60_000, "the first window of the answer has come");
    assert_eq!(server.stopped().await, 0);
}

#[tokio::test]
async fn large_answers_of_any_surface_are_counted_until_they_are_read() {
    let server = Server::with(super::router(), Limits::default()).await;
    let mut unread = Vec::new();
    for _ in 0..2 {
        let mut stream = server.client().tls(b"http/1.1").await.unwrap();
        stream.write_all(b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        in_time(stream.read_exact(&mut first)).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        unread.push(stream);
    }
    let mut client = server.client().http1().await;
    let refused = in_time(client.get("/large")).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers["retry-after"], "2");
    assert_eq!(in_time(client.get("/hello")).await.text, "hello");
    // What may have changed something is answered.
    let request = Request::post("/large").header("host", "localhost").body(Full::default()).unwrap();
    assert_eq!(in_time(client.send(request)).await.unwrap().text.len(), LARGE);
    drop(unread);
    in_time(async {
        while client.get("/large").await.status != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_of_a_hundred_megabytes_gets_its_answer() {
    let server = Server::start().await;
    let (mut reading, mut writing) = tokio::io::split(server.client().tls(b"http/1.1").await.unwrap());
    // A client that sends everything before it looks at the answer.
    let sending = tokio::spawn(async move {
        let head =
            format!("POST /length HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", 100 << 20);
        writing.write_all(head.as_bytes()).await?;
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..100 {
            writing.write_all(&piece).await?;
        }
        writing.flush().await
    });
    let answer = rest(&mut reading).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.ends_with("the body is larger than 1000 bytes\n"), "{answer}");
    let _ = in_time(sending).await;
}

#[tokio::test]
async fn bodies_without_a_length_are_bounded_too() {
    let server = Server::start().await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut client = server.client().connect(version).await;
        let post = |size: usize| {
            Request::post("/length").header("host", "localhost").body(Full::from(vec![b'x'; size])).unwrap()
        };
        let answer = in_time(client.send(post(1000))).await.unwrap();
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "1000"));
        let answer = in_time(client.send(post(1001))).await.unwrap();
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
    let mut stream = server.client().tls(b"http/1.1").await.unwrap();
    let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
    let request = format!(
        "POST /length HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let server = Server::start().await;
    let headers = |count: usize, size: usize| {
        let mut request = Request::get("/hello").header("host", "localhost");
        for n in 0..count {
            request = request.header(format!("x-{n}"), "y".repeat(size));
        }
        request.body(Full::default()).unwrap()
    };
    let too_large = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    for request in [headers(10, 10_000), headers(200, 1)] {
        let answer = in_time(server.client().http1().await.send(request)).await.unwrap();
        assert_eq!(answer.status, too_large);
    }
    let answer = in_time(server.client().http2().await.send(headers(10, 10_000))).await;
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == too_large));
    assert_eq!(
        in_time(server.client().http2().await.send(headers(10, 1000))).await.unwrap().status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn plain_http_is_told_what_to_do() {
    let server = Server::start().await;
    let mut stream = server.client().tcp().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.0 400 "), "{answer}");
    assert!(answer.ends_with("this address speaks HTTPS: use https:// instead of http://\n"), "{answer}");
}

#[tokio::test]
async fn nonsense_ends_its_own_connection_only() {
    let server = Server::start().await;
    let mut good = server.client().http2().await;
    for nonsense in [&b"\x00\xff\x00\xff"[..], b"\x16\x03\x01\xff\xff", b"SSH-2.0-x\r\n"] {
        let mut stream = server.client().tcp().await;
        stream.write_all(nonsense).await.unwrap();
        stream.shutdown().await.unwrap();
        rest(&mut stream).await;
    }
    for (protocol, nonsense) in [
        (&b"http/1.1"[..], &b"\x00\x01\x02\r\n\r\n"[..]),
        (b"http/1.1", b"GET /hello HTTP/9.9\r\n\r\n"),
        (b"http/1.1", b"POST /length HTTP/1.1\r\ncontent-length: -1\r\n\r\n"),
        (b"http/1.1", b"POST /length HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n12345"),
        (b"http/1.1", b"POST /length HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n"),
        (b"h2", b"GET / HTTP/1.1\r\n\r\n"),
        (b"h2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
    ] {
        let mut stream = server.client().tls(protocol).await.unwrap();
        stream.write_all(nonsense).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(!answer.contains("200 OK"), "{nonsense:?}: {answer}");
    }
    assert_eq!(in_time(good.get("/hello")).await.text, "hello");
}

#[tokio::test]
async fn a_flood_of_cancelled_requests_ends_its_connection() {
    let server = Server::start().await;
    let mut stream = server.client().tls(b"h2").await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, b""));
    for n in 0..5000_u32 {
        // GET https://localhost/never in HPACK: static entries and one literal path and authority.
        bytes.extend(frame(1, 0x5, 2 * n + 1, b"\x82\x87\x44\x06/never\x41\x09localhost"));
        bytes.extend(frame(3, 0, 2 * n + 1, &8_u32.to_be_bytes()));
    }
    let (mut reading, mut writing) = tokio::io::split(stream_of(&mut stream));
    let writing = async {
        let _ = writing.write_all(&bytes).await;
        let _ = writing.flush().await;
    };
    let reading = async {
        let mut received = Vec::new();
        let _ = reading.read_to_end(&mut received).await;
        received
    };
    let ((), received) = in_time(async { tokio::join!(writing, reading) }).await;
    assert!(has_goaway(&received), "it must be told to go away");
    assert_eq!(in_time(server.client().http2().await.get("/hello")).await.text, "hello");
    assert_eq!(server.stopped().await, 0);
}

fn stream_of<T>(stream: &mut T) -> &mut T {
    stream
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn has_goaway(mut received: &[u8]) -> bool {
    while let [a, b, c, kind, _flags, _, _, _, _, rest @ ..] = received {
        if *kind == 7 {
            return true;
        }
        let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap();
        received = rest.get(length..).unwrap_or_default();
    }
    false
}

#[tokio::test]
async fn a_request_cancelled_in_the_middle_of_its_body_harms_nobody() {
    let server = Server::start().await;
    let mut stream = server.client().tls(b"h2").await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, b""));
    // POST /length, a part of the body, then cancelled; after it a request that is answered.
    bytes.extend(frame(1, 0x4, 1, b"\x83\x87\x44\x07/length\x41\x09localhost"));
    bytes.extend(frame(0, 0, 1, b"half"));
    bytes.extend(frame(3, 0, 1, &8_u32.to_be_bytes()));
    bytes.extend(frame(1, 0x5, 3, b"\x82\x87\x44\x06/hello\x41\x09localhost"));
    stream.write_all(&bytes).await.unwrap();
    let mut received = Vec::new();
    in_time(async {
        while !received.ends_with(b"hello") {
            received.push(stream.read_u8().await.unwrap());
        }
    })
    .await;
    drop(stream);
    assert_eq!(server.counts.surfaces()[0].answers(5), 0);
    assert_eq!(server.stopped().await, 0);
}

#[tokio::test]
async fn one_address_gets_so_many_connections_and_no_more() {
    let limits = Limits { connections_per_address: 3, ..short_limits() };
    let server = Server::with(router(), limits).await;
    let mut held =
        vec![server.client().http2().await, server.client().http2().await, server.client().http2().await];
    let mut refused = server.client().tcp().await;
    assert_eq!(rest(&mut refused).await, "");
    for client in &mut held {
        assert_eq!(in_time(client.get("/hello")).await.text, "hello");
    }
    drop(held);
    in_time(async {
        while server.client().tls(b"h2").await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
