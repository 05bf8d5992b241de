//! A client that asks over TLS with a client certificate, on many connections at once or, with HTTP/2, with many
//! requests on one. It says nothing of times.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{
    Request, Version,
    header::{CONTENT_TYPE, HOST},
};
use http_body_util::{BodyExt, Full};
use hyper::client::conn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::{net::TcpStream, runtime::Runtime};
use tokio_rustls::TlsConnector;

/// PEM of what a client trusts and shows.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) authority: Vec<u8>,
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

pub(crate) struct Client {
    runtime: Runtime,
    connections: Vec<Connection>,
    path: String,
}

enum Connection {
    One(conn::http1::SendRequest<Full<Bytes>>),
    Two(conn::http2::SendRequest<Full<Bytes>>),
}

impl Client {
    /// With so many requests under way at once.
    pub(crate) fn connect(
        address: SocketAddr,
        identity: &Identity,
        version: Version,
        path: &str,
        at_once: usize,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let connector = TlsConnector::from(Arc::new(identity.client(version)));
        let connections = runtime.block_on(async {
            let mut connections = vec![connect(&connector, address, version).await];
            while connections.len() < at_once {
                let next = match connections.first() {
                    Some(Connection::Two(sender)) => Connection::Two(sender.clone()),
                    _ => connect(&connector, address, version).await,
                };
                connections.push(next);
            }
            connections
        });
        Self { runtime, connections, path: path.to_owned() }
    }

    /// Sends `count` requests, with each of the bodies in turn; every answer must hold the fragment. It never sleeps
    /// meanwhile: on one machine, waking an idle processor is paid by whoever sends, so it would count as the server's.
    pub(crate) fn ask(&mut self, bodies: &[Bytes], count: usize, fragment: &'static [u8]) {
        let bodies: Arc<[Bytes]> = bodies.into();
        let next = Arc::new(AtomicUsize::new(0));
        self.runtime.block_on(async {
            let awake = tokio::spawn(async {
                loop {
                    // A processor that shares its core with the server's leaves it to that one meanwhile.
                    std::hint::spin_loop();
                    tokio::task::yield_now().await;
                }
            });
            let tasks: Vec<_> = self
                .connections
                .drain(..)
                .map(|mut connection| {
                    let (bodies, next, path) = (bodies.clone(), next.clone(), self.path.clone());
                    tokio::spawn(async move {
                        loop {
                            let number = next.fetch_add(1, Ordering::Relaxed);
                            if number >= count {
                                return connection;
                            }
                            let body = bodies.get(number % bodies.len()).expect("there is a body").clone();
                            let answer = connection.ask(&path, body).await;
                            let found = memchr::memmem::find(&answer, fragment).is_some();
                            assert!(found, "{}", String::from_utf8_lossy(&answer));
                        }
                    })
                })
                .collect();
            for task in tasks {
                self.connections.push(task.await.expect("every request is answered"));
            }
            awake.abort();
        });
    }

    /// One answer.
    pub(crate) fn ask_once(&mut self, body: Bytes) -> Bytes {
        let connection = self.connections.first_mut().expect("a connection");
        self.runtime.block_on(connection.ask(&self.path, body))
    }
}

impl Connection {
    async fn ask(&mut self, path: &str, body: Bytes) -> Bytes {
        let mut request = Request::post(format!("https://localhost{path}"));
        if matches!(self, Self::One(_)) {
            // HTTP/2 has it in the address.
            request = request.header(HOST, "localhost");
        }
        let request = request.header(CONTENT_TYPE, "application/json").body(Full::from(body));
        let request = request.expect("a valid request");
        let response = match self {
            Self::One(sender) => {
                sender.ready().await.expect("the connection stays");
                sender.send_request(request).await
            }
            Self::Two(sender) => sender.send_request(request).await,
        };
        response.expect("an answer").into_body().collect().await.expect("a whole answer").to_bytes()
    }
}

async fn connect(connector: &TlsConnector, address: SocketAddr, version: Version) -> Connection {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("a fresh socket");
    let name = ServerName::try_from("localhost").expect("a valid name");
    let stream = TokioIo::new(connector.connect(name, stream).await.expect("the certificate is trusted"));
    if version == Version::HTTP_2 {
        let (sender, connection) =
            conn::http2::handshake(TokioExecutor::new(), stream).await.expect("HTTP/2 is spoken");
        tokio::spawn(connection);
        return Connection::Two(sender);
    }
    let (sender, connection) = conn::http1::handshake(stream).await.expect("HTTP/1.1 is spoken");
    tokio::spawn(connection);
    Connection::One(sender)
}

impl Identity {
    fn client(&self, version: Version) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.authority) {
            roots.add(certificate).expect("a certificate");
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS 1.3")
            .with_root_certificates(roots);
        let key = PrivateKeyDer::from_pem_slice(&self.key).expect("a key");
        let mut config = builder.with_client_auth_cert(certificates(&self.certificate), key).expect("a pair");
        let protocol = if version == Version::HTTP_2 { "h2" } else { "http/1.1" };
        config.alpn_protocols = vec![protocol.into()];
        config
    }
}

pub(crate) fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).map(|found| found.expect("a certificate")).collect()
}
