//! The composition root: reads the configuration, on the first start creates the data directory, keys and first
//! administrator, connects the surfaces to the
//! application, and serves them on one address. It has no access rules.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod demo;
pub mod first_start;
pub mod health;
pub mod metrics;
pub mod outbound;
mod recover;
mod repair;
mod say;
mod sealing_key;
pub mod settings;
pub mod start;
pub mod telemetry;
mod transport;

use anyhow::Context;

pub use demo::{DemoArgs, demo};
pub use repair::{RepairArgs, repair};
pub use say::ReaderGone;
pub use sealing_key::{RotateSealingKeyArgs, rotate_sealing_key};
pub use settings::{ServeArgs, Settings};
pub use start::{Running, start};

/// `portcullis serve`: runs until SIGTERM, Ctrl-C or the processor time limit, then drains connections.
pub async fn serve(args: ServeArgs) -> anyhow::Result<()> {
    let settings = Settings::resolve(args)?;
    telemetry::start(settings.log_format)?;
    survive_file_size_limit().context("installing the handler of SIGXFSZ")?;
    let running = start(settings).await?;
    if let Err(error) = running.announce() {
        tracing::warn!(%error, "the addresses could not be printed on standard output");
    }
    if running.is_out_of_reach() {
        tracing::warn!(
            server.address = %running.address,
            server.url = running.url,
            "the server listens for other machines, but its URL is localhost: set --external-url to the name by which \
             they reach it"
        );
    }
    stop_signal().await.context("waiting for a signal to stop")?;
    tracing::info!("asked to stop: requests under way may finish");
    running.stop().await
}

/// Handles SIGXFSZ, so that reaching the file size limit (`ulimit -f`) is a write error and does not kill the
/// process. For closed pipes, Rust's runtime does the same.
fn survive_file_size_limit() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let file_size = rustix::process::Signal::XFSZ.as_raw();
    // The handler stays registered after the listener is dropped.
    signal(SignalKind::from_raw(file_size)).map(drop)
}

/// SIGTERM, Ctrl-C, or SIGXCPU: the soft limit of processor time (`ulimit -t`) is reached.
async fn stop_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut used_up = signal(SignalKind::from_raw(rustix::process::Signal::XCPU.as_raw()))?;
    tokio::select! {
        _ = used_up.recv() => tracing::error!("the limit of processor time of this process (ulimit -t) is reached: stopping"),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
