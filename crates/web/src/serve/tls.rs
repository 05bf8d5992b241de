//! TLS of the server's address: the server certificate, which can be replaced while serving, and the client CAs,
//! which come and go with clusters.
//!
//! Both are in [`Tls`], a handle that is cheap to clone: the accept loop takes the current configuration for each new
//! connection. Sessions resume by tickets; a client certificate is verified again for each connection
//! (`authority.rs`), never trusted because of a ticket.
//!
//! Which principal a certificate identifies is decided by the application, not here.

mod error;

use std::{
    hash::{BuildHasher, RandomState},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

pub use error::TlsError;

use super::authority::{Authorities, ClientAuthority, ClientIdentity, ProvenKeyOnly};

/// The current TLS settings; clones share them.
#[derive(Clone, Debug)]
pub struct Tls {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    provider: Arc<CryptoProvider>,
    certificate: Arc<CurrentCertificate>,
    current: ArcSwap<Current>,
}

/// The configuration of a new connection. One value, so that the CA names sent and the CAs trusted always match.
#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    authorities: Authorities,
}

/// A server certificate with its chain and private key, checked to match.
#[derive(Clone, Debug)]
pub struct ServerCertificate {
    key: Arc<CertifiedKey>,
}

impl Tls {
    /// Serves with `certificate`; no client CA is trusted until [`Tls::trust`] is called.
    pub fn new(certificate: ServerCertificate) -> Result<Self, TlsError> {
        let provider = provider();
        let certificate = Arc::new(CurrentCertificate { key: ArcSwap::new(certificate.key) });
        let authorities = Authorities::new(&provider, Vec::new())?;
        let mut config = configuration(&provider, certificate.clone(), &authorities)?;
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(TlsError::Setup)?;
        let current = ArcSwap::from_pointee(Current { config: Arc::new(config), authorities });
        Ok(Self { inner: Arc::new(Inner { provider, certificate, current }) })
    }

    /// Uses `certificate` for new connections.
    pub fn replace_certificate(&self, certificate: ServerCertificate) {
        self.inner.certificate.key.store(certificate.key);
    }

    /// Replaces the trusted client CAs, for every new connection.
    ///
    /// An open connection keeps the identity that was verified when it was made: code that removes a CA must also
    /// refuse its certificates where they are used.
    pub fn trust(&self, authorities: Vec<ClientAuthority>) -> Result<(), TlsError> {
        let authorities = Authorities::new(&self.inner.provider, authorities)?;
        let mut config = configuration(&self.inner.provider, self.inner.certificate.clone(), &authorities)?;
        config.ticketer = self.inner.current.load().config.ticketer.clone();
        self.inner.current.store(Arc::new(Current { config: Arc::new(config), authorities }));
        Ok(())
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.inner.current.load().config.clone()
    }

    /// Verifies the certificate chain that a client has presented against the current CAs.
    pub(super) fn identify(&self, chain: Option<&[CertificateDer<'_>]>) -> ClientIdentity {
        self.inner.current.load().authorities.identify(chain)
    }
}

impl ServerCertificate {
    /// From PEM texts: the certificate, then its intermediates; the key in PKCS #8, SEC 1 or PKCS #1.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|_| TlsError::NoCertificate)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::NoKey(error.to_string()))?;
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(TlsError::Unusable)?;
        Ok(Self { key: Arc::new(key) })
    }
}

/// A certificate and its key in two PEM files that an external tool renews.
#[derive(Debug)]
pub struct CertificateFiles {
    chain: PathBuf,
    key: PathBuf,
    /// A hash of the files' last content, usable or not.
    read: u64,
    hasher: RandomState,
}

impl CertificateFiles {
    /// Reads the files for the first time.
    pub async fn load(chain: PathBuf, key: PathBuf) -> Result<(Self, ServerCertificate), TlsError> {
        let mut files = Self { chain, key, read: 0, hasher: RandomState::new() };
        let certificate = files.read().await?;
        Ok((files, certificate))
    }

    /// Reads the files every `interval` and serves with a changed certificate, until the future is dropped.
    ///
    /// An unusable pair is logged and ignored: the current certificate stays, and the next change is tried again. The
    /// files are polled, because certificates are commonly replaced by a rename or a symbolic link, which watches on
    /// one file miss.
    pub async fn follow(mut self, tls: Tls, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            let before = self.read;
            match self.read().await {
                _ if self.read == before => {}
                Ok(certificate) => {
                    tls.replace_certificate(certificate);
                    tracing::info!(file = %self.chain.display(), "server certificate replaced");
                }
                Err(error) => {
                    tracing::error!(%error, file = %self.chain.display(), "the server certificate cannot be used; the one in use stays");
                }
            }
        }
    }

    async fn read(&mut self) -> Result<ServerCertificate, TlsError> {
        let pair = (read(&self.chain).await, read(&self.key).await);
        let texts = (pair.0.as_ref().ok(), pair.1.as_ref().ok());
        self.read = self.hasher.hash_one(texts);
        ServerCertificate::from_pem(&pair.0?, &pair.1?)
    }
}

async fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    tokio::fs::read(file).await.map_err(|cause| TlsError::Unreadable { file: file.to_owned(), cause })
}

/// Gives rustls the current certificate.
#[derive(Debug)]
struct CurrentCertificate {
    key: ArcSwap<CertifiedKey>,
}

impl ResolvesServerCert for CurrentCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key.load_full())
    }
}

fn configuration(
    provider: &Arc<CryptoProvider>,
    certificate: Arc<CurrentCertificate>,
    authorities: &Authorities,
) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(TlsError::Setup)?;
    let mut config = if authorities.is_empty() {
        builder.with_no_client_auth().with_cert_resolver(certificate)
    } else {
        let verifier = ProvenKeyOnly::new(provider, authorities.hints());
        builder.with_client_cert_verifier(Arc::new(verifier)).with_cert_resolver(certificate)
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
