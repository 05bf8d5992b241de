//! Logging. Lines have dotted field names; they never contain a token, password, code or cookie.

use std::io::IsTerminal;

use anyhow::{Context, anyhow};
use tracing_subscriber::{EnvFilter, fmt};

use crate::settings::LogFormat;

/// Starts logging to standard error. `PORTCULLIS_LOG` sets the filter; default `info`.
pub fn start(format: LogFormat) -> anyhow::Result<()> {
    let wanted = std::env::var("PORTCULLIS_LOG").unwrap_or_default();
    let wanted = if wanted.is_empty() { "info" } else { &wanted };
    let filter = EnvFilter::try_new(wanted).with_context(|| {
        format!("PORTCULLIS_LOG: \"{wanted}\": expected what to log, as info, debug or app=debug,info")
    })?;
    // Colours only on a terminal; files and log collectors get plain text (https://no-color.org).
    let colours =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let builder =
        fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).with_ansi(colours);
    // A failed log write must not panic the logging code.
    let builder = builder.log_internal_errors(false);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.try_init(),
    }
    .map_err(|error| anyhow!("logging could not be started: {error}"))
}
