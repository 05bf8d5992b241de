//! What is kept of a credential: never the secret itself, only what is needed to check it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A password as an Argon2id hash in PHC string form (RFC 9106 and the PHC string format).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(pub String);

/// A secret of an application or service principal. It is random and long, so a plain SHA-256 serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSecret {
    pub key_id: Uuid,
    pub display_name: Option<String>,
    /// First characters, for people who look for the right one to delete.
    pub hint: String,
    /// Lower-case hexadecimal SHA-256 of the secret.
    pub digest: String,
    pub start: Timestamp,
    pub end: Timestamp,
}

/// A certificate with whose key an application signs its assertions (RFC 7523).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientCertificate {
    pub key_id: Uuid,
    pub display_name: Option<String>,
    /// Standard base64 of the DER form.
    pub der: String,
    /// Lower-case hexadecimal SHA-256 of the DER form.
    pub thumbprint: String,
    pub start: Timestamp,
    pub end: Timestamp,
}

/// Trust in the tokens of an external issuer for one subject (workload identity federation).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FederatedCredential {
    pub id: Uuid,
    pub name: String,
    pub issuer: String,
    pub subject: String,
    pub audiences: Vec<String>,
    pub description: Option<String>,
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(***)")
    }
}
