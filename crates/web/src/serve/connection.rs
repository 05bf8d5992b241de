//! One connection: TLS handshake, then HTTP/1.1 or HTTP/2 until it closes.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    Limits,
    admission::ConnectionPermit,
    connection_service::{Activity, Answers, ConnectionService, Shared},
    settings::ConnectionSettings,
    stream::GuardedStream,
    watchdog::{ConnectionWatchdog, Order, Partial},
};
use crate::trace::Peer;

/// Serves one connection until it closes, then releases `permit`.
pub(super) async fn run<A: Answers>(
    settings: Arc<ConnectionSettings>,
    shared: Arc<Shared<A>>,
    stream: TcpStream,
    address: SocketAddr,
    permit: ConnectionPermit,
) {
    serve(&settings, shared, stream, address).await;
    drop(permit);
}

async fn serve<A: Answers>(
    settings: &ConnectionSettings,
    shared: Arc<Shared<A>>,
    stream: TcpStream,
    address: SocketAddr,
) {
    let limits = &settings.limits;
    if let Err(error) = prepare(&stream, limits) {
        tracing::debug!(%error, peer.address = %address, "a new connection is already gone");
        return;
    }
    let activity = Arc::new(Activity::default());
    let guarded = GuardedStream::new(stream, limits.unread_answer, activity.reads.clone());
    let stream = match timeout(limits.handshake, handshake(settings, guarded)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%error, peer.address = %address, "TLS handshake failed");
            return;
        }
        Err(_elapsed) => {
            tracing::debug!(peer.address = %address, "TLS handshake took too long");
            return;
        }
    };
    let session = stream.get_ref().1;
    let identity = settings.tls.identify(session.peer_certificates());
    let speaks_http2 = session.alpn_protocol() == Some(b"h2");
    let peer = Peer::new(address, identity, settings.stopping.clone());
    let peer = Arc::new(peer.sharing(settings.room.clone()));
    let service = ConnectionService { shared, peer, activity: activity.clone(), since: Instant::now() };
    if speaks_http2 {
        serve_http2(settings, stream, service, &activity).await;
    } else {
        serve_http1(settings, stream, service, &activity).await;
    }
}

async fn handshake(
    settings: &ConnectionSettings,
    stream: GuardedStream,
) -> io::Result<TlsStream<GuardedStream>> {
    let mut first_byte = [0_u8];
    // Peeked before the handshake: a failed handshake would send a TLS alert before the HTTP response.
    if stream.peek(&mut first_byte).await? == 1 && first_byte.iter().all(u8::is_ascii_uppercase) {
        refuse_plain_http(stream).await?;
        return Err(io::Error::other("plain HTTP"));
    }
    TlsAcceptor::from(settings.tls.config()).accept(stream).await
}

fn prepare(stream: &TcpStream, limits: &Limits) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive =
        TcpKeepalive::new().with_time(limits.probe).with_interval(limits.probe / 3).with_retries(3);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

async fn serve_http1<A: Answers>(
    settings: &ConnectionSettings,
    stream: TlsStream<GuardedStream>,
    service: ConnectionService<A>,
    activity: &Arc<Activity>,
) {
    let limits = &settings.limits;
    let mut builder = hyper::server::conn::http1::Builder::new();
    let most_header_bytes = usize::try_from(limits.header_bytes).unwrap_or(usize::MAX).max(SMALLEST_BUFFER);
    builder
        .timer(TokioTimer::new())
        // The watchdog limits the request head; hyper's timer would also close idle connections.
        .header_read_timeout(None)
        .max_header_size(most_header_bytes)
        .max_buf_size(most_header_bytes);
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    let watchdog = ConnectionWatchdog::start(settings, activity.clone(), Partial::IsSlowRequest);
    let mut finishing = false;
    let outcome = poll_fn(|context: &mut Context<'_>| {
        match watchdog.order(context) {
            Order::Serve => {}
            Order::Finish if finishing => {}
            Order::Finish => {
                finishing = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            Order::Close => return Poll::Ready(None),
        }
        connection.poll_without_shutdown(context).map(Some)
    });
    let Some(outcome) = outcome.await else { return };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended with an error");
    }
    let mut stream = connection.into_parts().io.into_inner();
    if stream.shutdown().await.is_ok() && activity.has_left_a_body_unread() {
        let _ = timeout(LINGER, linger(stream)).await;
    }
}

async fn serve_http2<A: Answers>(
    settings: &ConnectionSettings,
    stream: TlsStream<GuardedStream>,
    service: ConnectionService<A>,
    activity: &Arc<Activity>,
) {
    let limits = &settings.limits;
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.probe)
        .keep_alive_timeout(limits.probe)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_bytes)
        .max_pending_accept_reset_streams(MOST_PENDING_RESETS)
        .max_local_error_reset_streams(MOST_ERROR_RESETS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let watchdog = ConnectionWatchdog::start(settings, activity.clone(), Partial::IsOrdinary);
    let mut finishing = false;
    let outcome = poll_fn(|context: &mut Context<'_>| {
        match watchdog.order(context) {
            Order::Serve if activity.is_last() && !finishing => {
                finishing = true;
                connection.as_mut().graceful_shutdown();
            }
            Order::Serve => {}
            Order::Finish if finishing => {}
            Order::Finish => {
                finishing = true;
                connection.as_mut().graceful_shutdown();
            }
            Order::Close => return Poll::Ready(None),
        }
        connection.as_mut().poll(context).map(Some)
    });
    if let Some(Err(error)) = outcome.await {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

/// Drains the request body after our side is closed: closing a socket with unread bytes resets the connection, and
/// the client could lose the response to a body that was too large.
async fn linger(mut stream: TlsStream<GuardedStream>) -> io::Result<()> {
    let mut scratch = [0_u8; 8192];
    let mut left = MOST_LINGERING_BYTES;
    while left > 0 {
        match stream.get_mut().0.read(&mut scratch).await? {
            0 => break,
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}

async fn refuse_plain_http(mut stream: GuardedStream) -> io::Result<()> {
    stream.write_all(PLAIN_HTTP_ANSWER).await?;
    stream.shutdown().await?;
    let mut scratch = [0_u8; 1024];
    while stream.read(&mut scratch).await? > 0 {}
    Ok(())
}

const PLAIN_HTTP_ANSWER: &[u8] = b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nthis address speaks HTTPS: use https:// instead of http://\n";
/// The smallest buffer that hyper accepts.
const SMALLEST_BUFFER: usize = 8 * 1024;
const LINGER: Duration = Duration::from_secs(5);
const MOST_LINGERING_BYTES: usize = 256 * 1024 * 1024;
/// Streams that a peer may reset before they are accepted, and stream errors that it may cause, before the connection
/// is closed (CVE-2023-44487).
const MOST_PENDING_RESETS: usize = 20;
const MOST_ERROR_RESETS: usize = 256;
/// Bytes that a peer may send before we read them, for one stream and for the whole connection.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// The most bytes buffered of one response that a peer reads slowly.
const SEND_BUFFER: usize = 64 * 1024;
