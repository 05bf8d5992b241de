//! JSON Web Tokens (RFC 7519) in the compact form of RFC 7515, signed with RSA.
//!
//! Signs RS256 only; verifies RS256 and PS256 only. There is no `none` and no shared secret. The key is never taken
//! from the token (`jwk`, `jku`, `x5u`): the caller finds it by key id among the keys it trusts.

use std::borrow::Cow;

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    CryptoError,
    keys::{Algorithm, SigningKey, VerifyingKey},
};

pub type Claims = Map<String, Value>;

/// The header fields of a token that are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub algorithm: Algorithm,
    pub kid: Option<String>,
    /// SHA-1 of the certificate.
    pub x5t: Option<Vec<u8>>,
    /// SHA-256 of the certificate.
    pub x5t_s256: Option<Vec<u8>>,
}

/// A parsed token whose signature is not verified: nothing in it can be trusted.
#[derive(Debug)]
pub struct Unverified<'a> {
    pub header: Header,
    message: &'a [u8],
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// Why a text is not an acceptable token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    #[error("the token is longer than {LONGEST} bytes")]
    TooLong,
    #[error("the token is not a JSON Web Token in compact form")]
    Malformed,
    #[error("the token's algorithm is not accepted: expected RS256")]
    Algorithm,
    #[error("the token's header demands an extension that is not known")]
    Critical,
    #[error("the token's signature is not that of the key")]
    Signature,
}

#[derive(Deserialize)]
struct RawHeader<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    kid: Option<String>,
    #[serde(borrow)]
    x5t: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "x5t#S256")]
    x5t_s256: Option<Cow<'a, str>>,
    crit: Option<Value>,
    zip: Option<Value>,
}

/// Builds and signs a token with `claims`.
pub fn sign(key: &SigningKey, kid: &str, claims: &impl Serialize) -> Result<String, CryptoError> {
    let header = serde_json::json!({"typ": "JWT", "alg": "RS256", "kid": kid});
    let claims = serde_json::to_vec(claims).map_err(|error| CryptoError::new("claims", error))?;
    let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

/// A time claim (`exp`, `nbf`, `iat`): seconds since 1970, fractions allowed (RFC 7519 §2). A claim that is not a
/// finite, non-negative number makes the token malformed.
pub fn time(claims: &Claims, name: &str) -> Result<Option<f64>, JwtError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    match value.as_f64() {
        Some(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(Some(seconds)),
        _ => Err(JwtError::Malformed),
    }
}

/// Parses a token. Surrounding white space is ignored, because tokens are read from files.
pub fn parse(token: &str) -> Result<Unverified<'_>, JwtError> {
    let token = token.trim_ascii();
    if token.len() > LONGEST {
        return Err(JwtError::TooLong);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(JwtError::Malformed)?;
    let (header, payload) = message.split_once('.').ok_or(JwtError::Malformed)?;
    if payload.contains('.') {
        return Err(JwtError::Malformed);
    }
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtError::Malformed);
    let header = decode(header)?;
    let raw: RawHeader<'_> = serde_json::from_slice(&header).map_err(|_| JwtError::Malformed)?;
    let algorithm = match &*raw.alg {
        "RS256" => Algorithm::Rs256,
        "PS256" => Algorithm::Ps256,
        _ => return Err(JwtError::Algorithm),
    };
    if raw.crit.is_some() || raw.zip.is_some() {
        return Err(JwtError::Critical);
    }
    let thumbprint = |text: Option<Cow<'_, str>>| text.map(|text| decode_padded(&text)).transpose();
    Ok(Unverified {
        header: Header {
            algorithm,
            kid: raw.kid,
            x5t: thumbprint(raw.x5t)?,
            x5t_s256: thumbprint(raw.x5t_s256)?,
        },
        message: message.as_bytes(),
        payload: decode(payload)?,
        signature: decode(signature)?,
    })
}

impl Unverified<'_> {
    /// The claims, if the signature is that of `key`.
    pub fn verify(&self, key: &VerifyingKey) -> Result<Claims, JwtError> {
        if !key.verify(self.header.algorithm, self.message, &self.signature) {
            return Err(JwtError::Signature);
        }
        self.claims_before_verification()
    }

    /// The claims that `T` has members for, if the signature is that of `key`. If `T` derives `Deserialize`, a
    /// repeated claim name of `T` is refused.
    pub fn verify_as<'a, T: Deserialize<'a>>(&'a self, key: &VerifyingKey) -> Result<T, JwtError> {
        if !key.verify(self.header.algorithm, self.message, &self.signature) {
            return Err(JwtError::Signature);
        }
        serde_json::from_slice(&self.payload).map_err(|_| JwtError::Malformed)
    }

    /// The unverified claims: only for finding the key to verify with.
    pub fn claims_before_verification(&self) -> Result<Claims, JwtError> {
        // serde_json bounds the nesting. A repeated claim name is refused, because parsers differ in which value they
        // take.
        let claims: Claims = serde_json::from_slice(&self.payload).map_err(|_| JwtError::Malformed)?;
        let names: NoRepeats = serde_json::from_slice(&self.payload).map_err(|_| JwtError::Malformed)?;
        if names.0 == claims.len() { Ok(claims) } else { Err(JwtError::Malformed) }
    }
}

/// Counts the members of an object, repeated ones too.
struct NoRepeats(usize);

impl<'de> Deserialize<'de> for NoRepeats {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Count;
        impl<'de> serde::de::Visitor<'de> for Count {
            type Value = NoRepeats;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<NoRepeats, A::Error> {
                let mut count = 0;
                while map.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(NoRepeats(count))
            }
        }
        deserializer.deserialize_map(Count)
    }
}

/// Thumbprints come with and without padding.
fn decode_padded(text: &str) -> Result<Vec<u8>, JwtError> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&URL_SAFE, config).decode(text).map_err(|_| JwtError::Malformed)
}

/// The longest token in bytes; even an external token with 200 groups and a certificate chain is far shorter.
pub const LONGEST: usize = 64 * 1024;

#[cfg(test)]
mod tests;
