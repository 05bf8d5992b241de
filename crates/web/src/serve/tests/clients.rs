//! Clients and certificates for the tests.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, SerialNumber,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::serve::ClientAuthority;

/// A certificate authority.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// A client certificate and its key.
#[derive(Clone)]
pub(super) struct Credential {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    pub(super) fn as_client_authority(&self, name: &str) -> ClientAuthority {
        ClientAuthority { name: name.into(), certificate: self.certificate.to_vec() }
    }

    /// PEM texts of a certificate for this machine and of its key.
    pub(super) fn server_certificate(&self) -> (String, String) {
        let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    pub(super) fn client_certificate(&self, name: &str, organizations: &[&str]) -> Credential {
        self.client_certificate_with(name, organizations, |params| {
            params.use_authority_key_identifier_extension = true
        })
    }

    pub(super) fn client_certificate_with(
        &self,
        name: &str,
        organizations: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Credential {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name, organizations);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.serial_number = Some(SerialNumber::from(vec![0x01, 0xaf]));
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Credential { chain: vec![certificate], key: Arc::new(key) }
    }
}

impl Credential {
    /// Somebody else's certificate with a key of one's own.
    pub(super) fn with_key_of(&self, other: &Self) -> Self {
        Self { chain: self.chain.clone(), key: other.key.clone() }
    }

    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.clone()
    }

    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }
}

fn named(name: &str, organizations: &[&str]) -> DistinguishedName {
    let mut distinguished_name = DistinguishedName::new();
    distinguished_name.push(DnType::CommonName, name);
    for organization in organizations {
        distinguished_name.push(DnType::OrganizationName, *organization);
    }
    distinguished_name
}

/// How to reach a server. Connections made with one client resume each other's sessions.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) address: SocketAddr,
    config: Arc<ClientConfig>,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

#[derive(Debug)]
pub(super) enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Client {
    pub(super) fn new(address: SocketAddr, authority: &Authority) -> Self {
        Self { address, config: Arc::new(config(authority, None)) }
    }

    pub(super) fn presenting(self, authority: &Authority, credential: &Credential) -> Self {
        Self { config: Arc::new(config(authority, Some(credential))), ..self }
    }

    pub(super) fn with_config(address: SocketAddr, config: ClientConfig) -> Self {
        Self { address, config: Arc::new(config) }
    }

    pub(super) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub(super) async fn tls(&self, protocol: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut config = (*self.config).clone();
        config.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(self.address).await?).await
    }

    /// A connection of either version of HTTP.
    pub(super) async fn connect(&self, version: Version) -> Sender {
        match version {
            Version::HTTP_2 => self.http2().await,
            _ => self.http1().await,
        }
    }

    pub(super) async fn http1(&self) -> Sender {
        let stream = TokioIo::new(self.tls(b"http/1.1").await.unwrap());
        let (sender, connection) = http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Sender::One(sender)
    }

    pub(super) async fn http2(&self) -> Sender {
        let stream = self.tls(b"h2").await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Sender::Two(sender)
    }
}

impl Clone for Sender {
    fn clone(&self) -> Self {
        match self {
            Self::One(_) => unreachable!("only HTTP/2 carries requests side by side"),
            Self::Two(sender) => Self::Two(sender.clone()),
        }
    }
}

impl Sender {
    pub(super) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path).header("host", "localhost").body(Full::default()).unwrap())
            .await
            .unwrap()
    }

    pub(super) async fn get_owned(mut self, path: &str) -> Answer {
        self.get(path).await
    }

    pub(super) async fn send(&mut self, mut request: Request<Full<Bytes>>) -> hyper::Result<Answer> {
        let response = match self {
            Self::One(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Two(sender) => {
                let uri = format!("https://localhost{}", request.uri());
                *request.uri_mut() = uri.parse().unwrap();
                request.headers_mut().remove("host");
                sender.send_request(request).await?
            }
        };
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await?.to_bytes().to_vec()).unwrap();
        Ok(Answer { status: parts.status, headers: parts.headers, text })
    }

    /// Whether the server has closed the connection.
    pub(super) async fn closed(&mut self) {
        loop {
            let ready = match self {
                Self::One(sender) => sender.ready().await,
                Self::Two(sender) => sender.ready().await,
            };
            match ready {
                Ok(()) => tokio::task::yield_now().await,
                Err(_closed) => return,
            }
        }
    }
}

pub(super) fn roots(authority: &Authority) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.clone()).unwrap();
    roots
}

fn config(authority: &Authority, credential: Option<&Credential>) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(authority));
    match credential {
        Some(credential) => builder.with_client_auth_cert(credential.chain(), credential.key()).unwrap(),
        None => builder.with_no_client_auth(),
    }
}
