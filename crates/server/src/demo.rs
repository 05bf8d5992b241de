//! `portcullis demo`: a demonstration of the whole product. It starts a server in a temporary directory, creates a
//! small company and its clusters, and exercises the four ways to get access (W1 to W4), allowed and refused, by real
//! requests; with kubectl if it is installed.

mod company;
mod step;
mod table;
mod walk;

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use crate::{
    say::say,
    settings::{ServeArgs, Settings, Storage},
};
use walk::Walk;

#[derive(Args, Clone, Debug, Default)]
pub struct DemoArgs {
    /// End after the walk; fail if any step differs from what is expected
    #[arg(long)]
    check: bool,
    /// Keep the state here in place of a temporary directory
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Address and port to listen on [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", value_parser = crate::settings::parse_address)]
    listen: Option<std::net::SocketAddr>,
}

/// Runs the demo; the server stays up afterwards, unless `--check` is given.
pub async fn demo(arguments: DemoArgs) -> anyhow::Result<()> {
    let temporary = tempfile::Builder::new()
        .prefix("portcullis-demo")
        .tempdir()
        .context("making a temporary directory")?;
    let place = arguments.data_dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    let listen = arguments.listen.unwrap_or_else(|| ([127, 0, 0, 1], 0).into());
    let settings = Settings {
        storage: Storage::Directory(place.join("data")),
        listen,
        ..Settings::resolve(ServeArgs::default())?
    };
    say(format_args!("Starting a server and making a small company ...\n"))?;
    let running = crate::start(settings).await?;
    let company = company::found(&running, &place).await.context("making the company of the demo")?;
    let mut walk = Walk::new(&company);
    walk.run().await?;
    let printed = walk.print();
    match printed {
        Ok(0) if !arguments.check => {}
        Ok(0) => return running.stop().await,
        Ok(differing) => {
            running.stop().await?;
            bail!("{differing} steps differ from what is expected");
        }
        Err(error) => {
            running.stop().await?;
            return Err(error);
        }
    }
    if let Err(error) = company.invite(&running) {
        running.stop().await?;
        return Err(error);
    }
    crate::stop_signal().await.context("waiting for a signal to stop")?;
    running.stop().await
}
