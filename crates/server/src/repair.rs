//! `portcullis repair`: lists the stored records that cannot be read, and deletes or replaces one. It needs the data
//! directory of a stopped server.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, bail};
use app::state::repair::Damage;
use clap::Args;
use crypto::random::System;
use store::StoreConfig;

use crate::{
    first_start::DataDirectory,
    say::{say, say_all},
    start::open_store,
};

/// Flags of `portcullis repair`.
#[derive(Args, Clone, Debug)]
pub struct RepairArgs {
    /// Where all state is kept
    #[arg(long, value_name = "DIR", env = "PORTCULLIS_DATA_DIR", default_value = "portcullis-data")]
    pub data_dir: PathBuf,
    /// Delete the unreadable record at this place; what was stored there is printed
    #[arg(long, value_name = "PLACE", conflicts_with = "replace")]
    pub remove: Option<String>,
    /// Put what the file of --with holds into this place of an unreadable record; what was stored there is printed
    #[arg(long, value_name = "PLACE", requires = "with")]
    pub replace: Option<String>,
    /// The new form of the record
    #[arg(long, value_name = "FILE", requires = "replace")]
    pub with: Option<PathBuf>,
}

/// Lists, deletes or replaces unreadable records in the data directory of a stopped server.
pub async fn repair(args: RepairArgs) -> anyhow::Result<()> {
    let path = &args.data_dir;
    if !path.join("portcullis.store").exists() {
        bail!("{} holds no portcullis.store: name the data directory with --data-dir", path.display());
    }
    let random = Arc::new(System::default());
    let directory = DataDirectory::open(path)?;
    let sealer = directory.sealer(&*random)?;
    let config = StoreConfig::Embedded { path: directory.path().to_owned() };
    let store = open_store(&config).await?;
    let repair = app::repair(store, sealer, random);
    match (&args.remove, &args.replace, &args.with) {
        // The old value is printed first; if printing fails, nothing is deleted.
        (Some(place), _, _) => {
            say_all(&repair.stored(place).await?)?;
            repair.remove(place).await?;
        }
        (None, Some(place), Some(file)) => {
            let text = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
            say_all(&repair.stored(place).await?)?;
            repair.replace(place, text.into()).await?;
        }
        _ => {
            let found = repair.find().await?;
            for damage in &found {
                let Damage { place, problem, effect } = damage;
                say(format_args!("{place}\n  problem  {problem}\n  effect   {effect}"))?;
            }
            if found.is_empty() {
                say("every stored record can be read")?;
            }
        }
    }
    Ok(())
}
