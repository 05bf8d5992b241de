//! Files that hold credentials: written as a whole, for their owner alone, by one process at a time.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::mpsc,
    time::Duration,
};

use anyhow::Context;

/// Makes a directory that only its owner may look into.
pub(crate) fn private_directory(path: &Path) -> anyhow::Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("making the directory {}", path.display()))
}

/// Replaces a file as a whole; a reader sees the old one or the new one.
pub(crate) fn replace_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let attempt = || -> anyhow::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".portcullis").tempfile_in(directory)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    // Temporary files are made with mode 0600.
    attempt().with_context(|| format!("writing {}", path.display()))
}

/// Held while a file is read, renewed and written. Another process waits; one that dies lets go.
pub(crate) fn lock(path: &Path) -> anyhow::Result<File> {
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("opening the lock {}", path.display()))?;
    // A person may be signing in elsewhere: whoever waits for long is told why.
    let (held, wait) = mpsc::channel::<()>();
    let place = path.to_owned();
    std::thread::spawn(move || {
        if wait.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("Another program is signing in: waiting for it ({} is locked)", place.display());
        }
    });
    let locked = file.lock();
    drop(held);
    locked.with_context(|| format!("waiting for the lock {}", path.display()))?;
    Ok(file)
}

const PATIENCE: Duration = Duration::from_secs(3);
