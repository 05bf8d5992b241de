//! `portcullis rotate-sealing-key`: replaces the sealing key. It needs the data directory of a stopped server.

use std::{path::PathBuf, sync::Arc};

use anyhow::bail;
use clap::Args;
use crypto::random::System;
use store::StoreConfig;

use crate::{first_start::DataDirectory, say::say, start::open_store};

/// Flags of `portcullis rotate-sealing-key`.
#[derive(Args, Clone, Debug)]
pub struct RotateSealingKeyArgs {
    /// Where all state is kept
    #[arg(long, value_name = "DIR", env = "PORTCULLIS_DATA_DIR", default_value = "portcullis-data")]
    pub data_dir: PathBuf,
}

/// Rotates the sealing key in the data directory of a stopped server. If interrupted, the next call continues; the
/// server can start in between.
pub async fn rotate_sealing_key(args: RotateSealingKeyArgs) -> anyhow::Result<()> {
    let path = &args.data_dir;
    if !path.join("portcullis.store").exists() {
        bail!("{} holds no portcullis.store: name the data directory with --data-dir", path.display());
    }
    let random = Arc::new(System::default());
    let directory = DataDirectory::open(path)?;
    // Opened before the key is changed: fails while a server uses the store.
    let store = open_store(&StoreConfig::Embedded { path: directory.path().to_owned() }).await?;
    directory.begin_sealing_key_rotation(&*random)?;
    let sealer = directory.sealer(&*random)?;
    let count = app::state::reseal(&*store, sealer, random).await?;
    directory.forget_earlier_sealing_key()?;
    say(format_args!(
        "{count} records are sealed by the new key in {}: put a copy of it where the earlier one was kept",
        directory.path().join("sealing.key").display()
    ))
}
