//! X.509 certificates: CAs, server and client certificates, and the check that a client certificate was issued by one
//! CA. rustls' webpki does the check.

use std::{net::IpAddr, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{CryptoError, digest, keys::VerifyingKey, random::Random, secret::Secret};

/// A certificate authority (CA) with its private key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
}

/// A newly issued certificate with its private key.
#[derive(Debug)]
pub struct Issued {
    pub certificate_pem: String,
    pub key_pem: Secret<String>,
    /// Lower-case hexadecimal.
    pub serial: String,
    /// Lower-case hexadecimal SHA-256 of the DER form.
    pub thumbprint: String,
}

/// The subject of a client certificate.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// CN: the user name.
    pub name: &'a str,
    /// O: a group.
    pub organization: &'a str,
}

/// The parsed fields of a certificate; not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub der: Vec<u8>,
    pub common_name: String,
    pub organizations: Vec<String>,
    /// Lower-case hexadecimal.
    pub serial: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

/// Checks that a client certificate was issued by one CA for client authentication and is within its validity.
#[derive(Clone, Debug)]
pub struct ClientVerifier {
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Authority {
    /// Creates a CA with a P-256 key, valid for ten years, that signs end-entity certificates only. Returns it with
    /// its key in PKCS#8, for sealing.
    pub fn generate(
        name: &str,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<(Self, Secret<Vec<u8>>), CryptoError> {
        let key = KeyPair::generate().map_err(failed)?;
        let secret = Secret::new(key.serialize_der());
        let mut params = parameters(name, now, now + AUTHORITY_LIFE, random)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate_pem = params.self_signed(&key).map_err(failed)?.pem();
        Ok((Self { issuer: Issuer::new(params, key), certificate_pem }, secret))
    }

    pub fn open(certificate_pem: &str, key_pkcs8: &Secret<Vec<u8>>) -> Result<Self, CryptoError> {
        let key = PrivatePkcs8KeyDer::from(key_pkcs8.expose().as_slice());
        let key =
            KeyPair::from_pkcs8_der_and_sign_algo(&key, &rcgen::PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let issuer = Issuer::from_ca_cert_pem(certificate_pem, key).map_err(failed)?;
        Ok(Self { issuer, certificate_pem: certificate_pem.to_owned() })
    }

    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Signs a client certificate with a fresh P-256 key.
    pub fn issue_client(
        &self,
        subject: Subject<'_>,
        from: Timestamp,
        until: Timestamp,
        random: &dyn Random,
    ) -> Result<Issued, CryptoError> {
        let mut params = parameters(subject.name, from, until, random)?;
        params.distinguished_name.push(DnType::OrganizationName, subject.organization);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params)
    }

    /// Signs a server certificate with a fresh P-256 key. `names` are host names and IP addresses.
    pub fn issue_server(
        &self,
        names: &[String],
        from: Timestamp,
        until: Timestamp,
        random: &dyn Random,
    ) -> Result<Issued, CryptoError> {
        let mut params = parameters(names.first().map_or("server", String::as_str), from, until, random)?;
        for name in names {
            params.subject_alt_names.push(match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(name.as_str().try_into().map_err(failed)?),
            });
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params)
    }

    fn issue(&self, mut params: CertificateParams) -> Result<Issued, CryptoError> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(Issued {
            certificate_pem: certificate.pem(),
            key_pem: Secret::new(key.serialize_pem()),
            serial: params
                .serial_number
                .as_ref()
                .map(|serial| digest::hex(&serial.to_bytes()))
                .unwrap_or_default(),
            thumbprint: thumbprint(certificate.der()),
        })
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Certificate {
    /// The first certificate of a PEM text.
    pub fn from_pem(pem: &str) -> Result<Self, CryptoError> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes());
        Self::from_der(
            &der.map_err(|error| CryptoError(format!("not a certificate in PEM form: {error:?}")))?,
        )
    }

    pub fn from_der(der: &[u8]) -> Result<Self, CryptoError> {
        let not_one =
            |error: &dyn std::fmt::Display| CryptoError(format!("not an X.509 certificate: {error}"));
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|error| not_one(&error))?;
        if !rest.is_empty() {
            return Err(not_one(&"bytes follow it"));
        }
        let text = |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| {
            attribute.as_str().map(str::to_owned).map_err(|error| not_one(&error))
        };
        let names: Vec<String> = parsed.subject().iter_common_name().map(text).collect::<Result<_, _>>()?;
        let organizations = parsed.subject().iter_organization().map(text).collect::<Result<_, _>>()?;
        let time = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_second(time.timestamp()).map_err(|error| not_one(&error))
        };
        Ok(Self {
            der: der.to_vec(),
            // With several common names none is taken.
            common_name: match names.as_slice() {
                [name] => name.clone(),
                _ => String::new(),
            },
            organizations,
            serial: digest::hex(parsed.raw_serial()).trim_start_matches("00").to_owned(),
            not_before: time(parsed.validity().not_before)?,
            not_after: time(parsed.validity().not_after)?,
        })
    }

    /// Lower-case hexadecimal SHA-256 of the DER form.
    pub fn thumbprint(&self) -> String {
        thumbprint(&self.der)
    }

    /// Whether a token's `x5t` (SHA-1) or `x5t#S256` thumbprint is of this certificate; `x5t#S256` decides if both
    /// are given.
    pub fn is_named_by(&self, x5t: Option<&[u8]>, x5t_s256: Option<&[u8]>) -> bool {
        match (x5t, x5t_s256) {
            (_, Some(named)) => digest::equal(named, &digest::sha256(&self.der)),
            (Some(named), None) => digest::equal(named, &digest::sha1(&self.der)),
            (None, None) => false,
        }
    }

    /// Its RSA public key; an error if it has another kind of key.
    pub fn rsa_key(&self) -> Result<VerifyingKey, CryptoError> {
        let (_, parsed) = X509Certificate::from_der(&self.der)
            .map_err(|error| CryptoError(format!("not an X.509 certificate: {error}")))?;
        match parsed.public_key().parsed() {
            Ok(x509_parser::public_key::PublicKey::RSA(key)) => {
                VerifyingKey::from_parts(key.modulus, key.exponent)
            }
            _ => Err(CryptoError("the certificate's key is not an RSA key".into())),
        }
    }
}

impl ClientVerifier {
    pub fn new(authority_pem: &str) -> Result<Self, CryptoError> {
        let mut roots = RootCertStore::empty();
        let der = CertificateDer::from_pem_slice(authority_pem.as_bytes());
        let der = der.map_err(|error| CryptoError(format!("not a certificate in PEM form: {error:?}")))?;
        roots.add(der).map_err(failed)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        Ok(Self { verifier: verifier.map_err(failed)? })
    }

    /// Whether `certificate` (DER) is a client certificate of this authority at the time `now`.
    pub fn accepts(&self, certificate: &[u8], now: Timestamp) -> bool {
        let Ok(seconds) = u64::try_from(now.as_second()) else { return false };
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        self.verifier.verify_client_cert(&CertificateDer::from(certificate), &[], time).is_ok()
    }
}

/// Reads a certificate chain and its key from PEM texts, for a server's configuration.
pub fn server_identity(
    certificates_pem: &str,
    key_pem: &str,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), CryptoError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates_pem.as_bytes()).collect();
    let chain = chain.map_err(|error| CryptoError(format!("certificate: {error:?}")))?;
    if chain.is_empty() {
        return Err(CryptoError("no certificate in PEM form was found".into()));
    }
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes());
    Ok((chain, key.map_err(|error| CryptoError(format!("private key: {error:?}")))?))
}

fn parameters(
    name: &str,
    from: Timestamp,
    until: Timestamp,
    random: &dyn Random,
) -> Result<CertificateParams, CryptoError> {
    let mut serial = [0; 16];
    random.fill(&mut serial)?;
    // Positive, and without a leading zero byte, so that its text is the same everywhere.
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    // Backdated five minutes for clocks that are behind.
    params.not_before = offset_time(from - SignedDuration::from_mins(5))?;
    params.not_after = offset_time(until)?;
    Ok(params)
}

fn offset_time(time: Timestamp) -> Result<time::OffsetDateTime, CryptoError> {
    time::OffsetDateTime::from_unix_timestamp(time.as_second()).map_err(failed)
}

fn thumbprint(der: &[u8]) -> String {
    digest::sha256_hex(der)
}

fn failed(error: impl std::fmt::Display) -> CryptoError {
    CryptoError::new("certificate", error)
}

const AUTHORITY_LIFE: SignedDuration = SignedDuration::from_hours(24 * 3650);

#[cfg(test)]
mod tests;
