//! The composition root: reads the configuration, makes the first installation, connects the surfaces to the
//! application, and serves them on one address. It holds no rule about access.

mod demo;
pub mod first_start;
mod health;
pub mod metrics;
mod outside;
mod recover;
pub mod settings;
pub mod start;
pub mod telemetry;
mod transport;

use anyhow::Context;

pub use demo::{DemoArgs, demo};
pub use settings::{ServeArgs, Settings};
pub use start::{Running, start};

/// `portcullis serve`: runs until it is asked to stop (SIGTERM or Ctrl-C), then drains.
pub async fn serve(args: ServeArgs) -> anyhow::Result<()> {
    let settings = Settings::resolve(args)?;
    telemetry::start(settings.log_format)?;
    let running = start(settings).await?;
    running.announce();
    stop_signal().await.context("waiting for a signal to stop")?;
    tracing::info!("asked to stop: requests under way may finish");
    running.stop().await
}

async fn stop_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests;
