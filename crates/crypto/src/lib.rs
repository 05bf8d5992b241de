//! All cryptography: random bytes, digests, password hashing, sealing at rest, RSA keys, JSON Web Tokens and
//! certificates. The algorithms are from libraries; this crate chooses parameters, bounds inputs and offers an
//! interface that is hard to misuse.
//!
//! It knows no records, no store and no HTTP.

pub mod cert;
pub mod digest;
#[cfg(test)]
mod fuzz;
pub mod jwt;
pub mod keys;
pub mod password;
pub mod random;
pub mod seal;
pub mod secret;

/// A cryptographic step that failed. The text is for logs; it never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CryptoError(pub String);

impl CryptoError {
    fn new(what: &str, cause: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {cause}"))
    }
}
