//! Client certificates: the trusted CAs, and the verification of a presented certificate.
//!
//! A client certificate is optional. The handshake sends the names of the trusted CAs, so that a browser without a
//! matching certificate does not prompt its user.
//!
//! ```text
//! handshake   the client proves possession of the certificate's private key; a false proof ends the connection
//! after it    the chain is verified against each CA that may have issued it
//!               one verifies it      Verified: CA and subject are given to handlers
//!               none verifies it     Unverified: handlers get no part of it
//! ```
//!
//! An untrusted certificate does not fail the handshake: a client whose certificate was rotated away gets an HTTP
//! response instead of a broken connection. The certificate is never trusted. Expiry is checked when the connection
//! is made; users of long connections check `expires_at`.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use x509_parser::{
    certificate::X509Certificate,
    extensions::ParsedExtension,
    prelude::{FromDer, X509Name},
};

use super::tls::TlsError;

/// A trusted client CA.
#[derive(Clone, Debug)]
pub struct ClientAuthority {
    /// The name that handlers get, chosen by the code that adds the CA, such as a cluster id.
    pub name: Arc<str>,
    /// The CA's own certificate, DER.
    pub certificate: Vec<u8>,
}

/// The identity that the client has proven in the TLS handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientIdentity {
    /// No certificate was presented.
    #[default]
    None,
    /// A certificate was presented that no currently trusted CA has issued, or that is expired or not yet valid.
    Unverified,
    Verified(Arc<VerifiedCertificate>),
}

/// A client certificate issued by a trusted CA; the client has proven possession of its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCertificate {
    /// [`ClientAuthority::name`] of the issuer.
    pub authority: Arc<str>,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// Whole bytes in lower-case hexadecimal, without separators and without leading zero bytes: `01af`.
    pub serial: String,
    /// The first common name of the subject; empty where there is none.
    pub common_name: String,
    /// The organizations of the subject, in their order.
    pub organizations: Vec<String>,
    pub expires_at: Timestamp,
}

/// The trusted CAs, by subject name: the issuer of their certificates.
#[derive(Debug)]
pub(super) struct Authorities {
    by_subject: HashMap<Vec<u8>, Vec<Authority>>,
    hints: Vec<DistinguishedName>,
}

#[derive(Debug)]
struct Authority {
    name: Arc<str>,
    key_id: Option<Vec<u8>>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Authorities {
    pub(super) fn new(provider: &Arc<CryptoProvider>, list: Vec<ClientAuthority>) -> Result<Self, TlsError> {
        let mut by_subject: HashMap<Vec<u8>, Vec<Authority>> = HashMap::new();
        let mut hints: Vec<DistinguishedName> = Vec::new();
        for entry in list {
            let unusable = |cause: String| TlsError::Authority { name: entry.name.clone(), cause };
            let (_, parsed) = X509Certificate::from_der(&entry.certificate)
                .map_err(|error| unusable(format!("not a certificate: {error}")))?;
            let subject = parsed.subject().as_raw().to_vec();
            let key_id = subject_key_id(&parsed);
            let mut roots = RootCertStore::empty();
            roots
                .add(CertificateDer::from_slice(&entry.certificate))
                .map_err(|error| unusable(error.to_string()))?;
            let names = roots.subjects();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .map_err(|error| unusable(error.to_string()))?;
            if !by_subject.contains_key(&subject) {
                hints.extend(names);
            }
            by_subject.entry(subject).or_default().push(Authority {
                name: entry.name.clone(),
                key_id,
                verifier,
            });
        }
        // The list must fit into one handshake message. Without hints browsers prompt their users, but every client
        // that has a certificate can still send it.
        if hints.iter().map(|hint| hint.as_ref().len() + 2).sum::<usize>() > MOST_HINT_BYTES {
            tracing::warn!(
                authorities = hints.len(),
                "too many client authorities to name them in the handshake"
            );
            hints.clear();
        }
        Ok(Self { by_subject, hints })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_subject.is_empty()
    }

    pub(super) fn hints(&self) -> Vec<DistinguishedName> {
        self.hints.clone()
    }

    pub(super) fn identify(&self, chain: Option<&[CertificateDer<'_>]>) -> ClientIdentity {
        let Some((leaf, intermediates)) = chain.and_then(|chain| chain.split_first()) else {
            return ClientIdentity::None;
        };
        match self.verify(leaf, intermediates) {
            Some(verified) => ClientIdentity::Verified(Arc::new(verified)),
            None => ClientIdentity::Unverified,
        }
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> Option<VerifiedCertificate> {
        let (_, parsed) = X509Certificate::from_der(leaf).ok()?;
        // The CA has signed the leaf itself, or the last intermediate.
        let (issuer, issuer_key) = match intermediates.last() {
            None => (parsed.issuer().as_raw().to_vec(), authority_key_id(&parsed)),
            Some(last) => {
                let (_, last) = X509Certificate::from_der(last).ok()?;
                (last.issuer().as_raw().to_vec(), authority_key_id(&last))
            }
        };
        let now = UnixTime::now();
        let authority = self
            .by_subject
            .get(&issuer)?
            .iter()
            // Many CAs may have the same subject. Key ids, where both are present, select among them without trying
            // each signature; the signature check below decides.
            .filter(|authority| match (&authority.key_id, &issuer_key) {
                (Some(own), Some(wanted)) => own == wanted,
                _ => true,
            })
            .take(MOST_CANDIDATES)
            .find(|authority| authority.verifier.verify_client_cert(leaf, intermediates, now).is_ok())?;
        described(&authority.name, leaf, &parsed)
    }
}

fn described(
    authority: &Arc<str>,
    leaf: &CertificateDer<'_>,
    parsed: &X509Certificate<'_>,
) -> Option<VerifiedCertificate> {
    Some(VerifiedCertificate {
        authority: authority.clone(),
        certificate: leaf.to_vec(),
        serial: parsed
            .raw_serial()
            .iter()
            .skip_while(|byte| **byte == 0)
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        common_name: texts(parsed.subject(), X509Name::iter_common_name)?
            .into_iter()
            .next()
            .unwrap_or_default(),
        organizations: texts(parsed.subject(), X509Name::iter_organization)?,
        expires_at: Timestamp::from_second(parsed.validity().not_after.timestamp()).ok()?,
    })
}

/// The values of one attribute of a distinguished name. None if one of them is not text: dropping it would turn the
/// name into another one.
fn texts<'a, I>(name: &'a X509Name<'a>, attribute: impl Fn(&'a X509Name<'a>) -> I) -> Option<Vec<String>>
where
    I: Iterator<Item = &'a x509_parser::x509::AttributeTypeAndValue<'a>>,
{
    attribute(name).map(|value| value.as_str().ok().map(str::to_owned)).collect()
}

fn subject_key_id(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
        _ => None,
    })
}

fn authority_key_id(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
        _ => None,
    })
}

/// The rustls verifier for the handshake: the client must prove possession of the certificate's private key. It
/// accepts every issuer; [`Authorities::identify`] verifies the chain afterwards.
#[derive(Debug)]
pub(super) struct ProvenKeyOnly {
    hints: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ProvenKeyOnly {
    pub(super) fn new(provider: &CryptoProvider, hints: Vec<DistinguishedName>) -> Self {
        Self { hints, algorithms: provider.signature_verification_algorithms }
    }
}

impl ClientCertVerifier for ProvenKeyOnly {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if intermediates.len() > MOST_INTERMEDIATES {
            return Err(Error::General("too many certificates".to_owned()));
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl VerifiedCertificate {
    /// Whether the certificate has expired at `now`; a connection may outlive it.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }
}

/// TLS limits the list of CA names to 65,535 bytes; some browsers and proxies accept less.
const MOST_HINT_BYTES: usize = 16 * 1024;
/// The most signatures tried for a certificate whose key id does not select one CA.
const MOST_CANDIDATES: usize = 16;
const MOST_INTERMEDIATES: usize = 4;
