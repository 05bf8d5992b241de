//! Client assertions (RFC 7523): signed with the key of a PEM file that also has the certificate, or the token of a
//! workload, signed by its issuer.

use std::path::Path;

use anyhow::{Context, bail};
use aws_lc_rs::{
    digest,
    rand::{SecureRandom, SystemRandom},
    rsa::KeyPair,
    signature::RSA_PKCS1_SHA256,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::json;

/// Signs an assertion for the given token endpoint, valid for ten minutes.
pub(crate) fn sign(file: &Path, client_id: &str, audience: &str) -> anyhow::Result<String> {
    let pem = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let missing = |what: &str| format!("{} holds no {what} in PEM form", file.display());
    let certificate =
        CertificateDer::from_pem_slice(&pem).map_err(|_| anyhow::anyhow!(missing("certificate")))?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| anyhow::anyhow!(missing("private key")))?;
    let key = match &key {
        PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
        _ => bail!("the key in {} is not an RSA key", file.display()),
    }
    .map_err(|error| anyhow::anyhow!("the key in {} cannot be used: {error}", file.display()))?;
    let random = SystemRandom::new();
    let mut id = [0; 16];
    random.fill(&mut id).map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    let now = Timestamp::now().as_second();
    let header = json!({"alg": "RS256", "typ": "JWT",
        "x5t#S256": URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &certificate))});
    let claims = json!({"aud": audience, "iss": client_id, "sub": client_id, "nbf": now, "iat": now,
        "exp": now + 600, "jti": URL_SAFE_NO_PAD.encode(id)});
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature)
        .map_err(|_| anyhow::anyhow!("the assertion could not be signed"))?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Reads the token of a workload; the file is read each time, because it is replaced while the workload runs.
pub(crate) fn federated(file: &Path) -> anyhow::Result<String> {
    let token = std::fs::read_to_string(file)
        .with_context(|| format!("reading the token of the workload in {}", file.display()))?;
    let token = token.trim();
    if token.split('.').count() != 3 {
        bail!("{} holds no token: expected the three parts of a JWT", file.display());
    }
    Ok(token.to_owned())
}
