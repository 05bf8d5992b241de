//! Logging. Lines carry dotted fields; no token, password, code or cookie is ever among them.

use anyhow::anyhow;
use tracing_subscriber::{EnvFilter, fmt};

use crate::settings::LogFormat;

/// Starts logging to standard error. `PORTCULLIS_LOG` chooses what is logged, `info` where it is not set.
pub fn start(format: LogFormat) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_env("PORTCULLIS_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.try_init(),
    }
    .map_err(|error| anyhow!("logging could not be started: {error}"))
}
