//! The composition root: reads the configuration, makes the first installation, connects the surfaces to the
//! application, and serves them on one address. It holds no rule about access.

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

/// `portcullis serve`: runs until it is asked to stop (SIGTERM or Ctrl-C) or has to, then drains.
pub async fn serve(args: ServeArgs) -> anyhow::Result<()> {
    let settings = Settings::resolve(args)?;
    telemetry::start(settings.log_format)?;
    outlive_limits().context("hearing of the limits of the process")?;
    let running = start(settings).await?;
    if let Err(error) = running.announce() {
        tracing::warn!(%error, "where everything is could not be said on standard output");
    }
    if running.is_out_of_reach() {
        tracing::warn!(
            server.address = %running.address,
            server.url = running.url,
            "others may connect, but are sent to localhost, which is their own machine: set --external-url to the name \
             by which they reach this one"
        );
    }
    stop_signal().await.context("waiting for a signal to stop")?;
    tracing::info!("asked to stop: requests under way may finish");
    running.stop().await
}

/// A file that has become as large as the process may make it (`ulimit -f`) is an error of the write, and not the end of
/// the process: a signal that is heard does not end it. Of a closed pipe the language's runtime sees to the same.
fn outlive_limits() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let file_size = rustix::process::Signal::XFSZ.as_raw();
    // What is registered once stays so, whether anybody listens or not.
    signal(SignalKind::from_raw(file_size)).map(drop)
}

/// SIGTERM, Ctrl-C, or the first warning that the processor time allowed (`ulimit -t`) is used up.
async fn stop_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut used_up = signal(SignalKind::from_raw(rustix::process::Signal::XCPU.as_raw()))?;
    tokio::select! {
        _ = used_up.recv() => tracing::error!("the processor time that this process may use is used up"),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
