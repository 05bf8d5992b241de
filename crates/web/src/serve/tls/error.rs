//! Why a server certificate or a client CA cannot be used.

use std::{path::PathBuf, sync::Arc};

/// The error; its texts name the cause.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("no certificate in the PEM text given")]
    NoCertificate,
    #[error("no private key in the PEM text given: {0}")]
    NoKey(String),
    #[error("certificate and private key cannot be used together: {0}")]
    Unusable(rustls::Error),
    #[error("{} cannot be read: {cause}", file.display())]
    Unreadable { file: PathBuf, cause: std::io::Error },
    #[error("authority \"{name}\" cannot be used: {cause}")]
    Authority { name: Arc<str>, cause: String },
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}
