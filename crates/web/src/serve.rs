//! Serves HTTP/1.1 and HTTP/2 over TLS on one address, to clients that may be slow, broken or hostile.
//!
//! ```text
//! accept ─► admission (limits), workers (thread) ─► handshake (tls, authority) ─► connection_service ─► response
//! ```
//!
//! It has its own accept loop, because handlers need the client certificate, and because every wait for a client has
//! a limit: handshake, request head, whole request, unread response, idle connection. It does not serve plain HTTP;
//! such a client gets a 400 that says so.

mod admission;
mod authority;
mod connection;
mod connection_service;
mod settings;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod watchdog;
mod workers;

use std::{io, num::NonZeroUsize, sync::Arc, thread::available_parallelism, time::Duration};

use tokio::{net::TcpListener, sync::watch};

pub use authority::{ClientAuthority, ClientIdentity, VerifiedCertificate};
pub use connection_service::{Answers, AskedBody, Renew};
pub use tls::{CertificateFiles, ServerCertificate, Tls, TlsError};

use self::{
    admission::Admission, connection_service::Shared, settings::ConnectionSettings, workers::Workers,
};
use crate::trace::Counts;

/// Limits for clients. The defaults suit a server for a whole organization.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The number of serving threads; by default one for each processor.
    pub threads: usize,
    pub connections: usize,
    /// Connections from one address (IPv6: from one /64 network).
    pub connections_per_address: usize,
    pub handshake: Duration,
    /// From the first byte of a request to the last of its head (HTTP/1.1).
    pub request_head: Duration,
    /// From the head of a request to the head of its response. Streaming the body may take longer.
    pub request: Duration,
    /// A connection without requests is closed after this time, or somewhat later.
    pub idle: Duration,
    /// The connection is closed when the client reads nothing of pending data for this long.
    pub unread_answer: Duration,
    /// The interval of keep-alive probes (TCP, HTTP/2 PING); an HTTP/2 peer that does not answer one within the same
    /// time is disconnected.
    pub probe: Duration,
    /// Concurrent requests (streams) on one HTTP/2 connection.
    pub streams: u32,
    /// Names and values of all headers of a request together, in bytes.
    pub header_bytes: u32,
    /// The age from which a connection is closed when a response carries [`Renew`].
    pub renewal: Duration,
    /// How long active requests may continue once the server is asked to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            threads: available_parallelism().map_or(1, NonZeroUsize::get),
            connections: 10_000,
            connections_per_address: 5_000,
            handshake: Duration::from_secs(10),
            request_head: Duration::from_secs(10),
            request: Duration::from_secs(60),
            idle: Duration::from_secs(180),
            unread_answer: Duration::from_secs(30),
            probe: Duration::from_secs(30),
            streams: 250,
            header_bytes: 64 * 1024,
            renewal: Duration::from_secs(30),
            drain: Duration::from_secs(20),
        }
    }
}

/// Serves until `stop` is ready, then lets active requests finish for at most [`Limits::drain`].
///
/// `answers` is called once for each thread, so that threads do not contend for shared counters.
///
/// Streaming responses learn of the shutdown through [`crate::trace::Peer::stopping`]. The future returns the number
/// of connections that had to be cut off. It returns an error at once if the threads cannot be started.
pub fn serve<A: Answers>(
    listener: TcpListener,
    tls: Tls,
    answers: impl Fn() -> A,
    counts: Arc<Counts>,
    limits: Limits,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<impl Future<Output = usize>> {
    let (request_timeout, renewal) = (limits.request, limits.renewal);
    let shared = || Shared { answers: answers(), counts: counts.clone(), request_timeout, renewal };
    let workers = Workers::start(limits.threads, shared)?;
    Ok(accept(listener, tls, workers, limits, stop))
}

async fn accept<A: Answers>(
    listener: TcpListener,
    tls: Tls,
    workers: Workers<A>,
    limits: Limits,
    stop: impl Future<Output = ()> + Send,
) -> usize {
    let admission = Admission::new(limits.connections, limits.connections_per_address);
    let (stopping, watching) = watch::channel(false);
    let (_cut_on_drop, cut) = watch::channel(());
    let drain = limits.drain;
    let settings =
        Arc::new(ConnectionSettings { limits, tls, room: Arc::default(), stopping: watching, cut });
    let mut refused = Refused::default();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                pause_after(&error).await;
                continue;
            }
        };
        match admission.admit(address.ip()) {
            Some(permit) => {
                let settings = settings.clone();
                workers.serve(stream, move |stream, shared| {
                    connection::run(settings, shared, stream, address, permit)
                });
            }
            None => refused.note(address),
        }
    }
    drop(listener);
    stopping.send_replace(true);
    match tokio::time::timeout(drain, admission.empty()).await {
        Ok(()) => 0,
        Err(_elapsed) => admission.connections(),
    }
}

/// Pauses before the next accept, unless the error concerns one connection only: any other error, such as no free
/// file descriptor, will not go away at once.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        return;
    }
    tracing::error!(%error, "a connection could not be accepted");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// Logs refused connections at counts of 1, 2, 4, 8 and so on, so that a flood of connections does not flood the log.
#[derive(Debug, Default)]
struct Refused {
    connections: u64,
}

impl Refused {
    fn note(&mut self, address: std::net::SocketAddr) {
        self.connections += 1;
        if self.connections.is_power_of_two() {
            tracing::warn!(peer.address = %address, refused = self.connections, "too many connections: closed at once");
        }
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
