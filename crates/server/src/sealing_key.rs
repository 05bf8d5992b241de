//! `portcullis rotate-sealing-key`: a new key for the secrets at rest. It needs the data directory and works while the
//! server does not run.

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

/// Works on the data directory of a server that does not run. Broken off, it goes on when it is called again, and the
/// server starts meanwhile.
pub async fn rotate_sealing_key(args: RotateSealingKeyArgs) -> anyhow::Result<()> {
    let path = &args.data_dir;
    if !path.join("portcullis.store").exists() {
        bail!("{} holds no portcullis.store: name the data directory with --data-dir", path.display());
    }
    let random = Arc::new(System::default());
    let directory = DataDirectory::open(path)?;
    // Before the key is touched: it fails while a server runs on it.
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
