//! Files with credentials: replaced atomically, readable by their owner only, written under a lock.

use std::{
    fs::{self, File},
    io::{Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::mpsc,
    time::Duration,
};

use anyhow::{Context, bail};
use tempfile::NamedTempFile;

use crate::output;

/// Creates a directory with access for its owner only.
pub(crate) fn private_directory(path: &Path) -> anyhow::Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("making the directory {}", path.display()))
}

/// A directory for files that are about to be written. If it was created here and nothing was written, dropping this
/// removes it.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    is_new: bool,
}

impl Directory {
    pub(crate) fn prepare(path: &Path) -> anyhow::Result<Self> {
        let is_new = !path.exists();
        private_directory(path)?;
        Ok(Self { path: path.to_owned(), is_new })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.is_new {
            // Fails if the directory is not empty, which keeps it.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Replaces a file atomically; a reader sees the old or the new content.
pub(crate) fn replace_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let attempt = || -> anyhow::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".portcullis").tempfile_in(parent(path))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    // Temporary files are made with mode 0600.
    attempt().with_context(|| format!("writing {}", path.display()))
}

/// A prepared replacement of a file. Preparing checks that the directory is writable and the disk has room, before
/// something is changed on the server whose result would be lost.
#[derive(Debug)]
pub(crate) struct Replacement {
    file: NamedTempFile,
    path: PathBuf,
}

impl Replacement {
    pub(crate) fn prepare(path: &Path) -> anyhow::Result<Self> {
        if path.is_dir() {
            bail!("{} cannot be written: it is a directory", path.display());
        }
        let attempt = || -> anyhow::Result<NamedTempFile> {
            // Temporary files are made with mode 0600.
            let mut file = tempfile::Builder::new().prefix(".portcullis").tempfile_in(parent(path))?;
            file.write_all(&[0; ROOM])?;
            file.as_file().sync_all()?;
            file.rewind()?;
            Ok(file)
        };
        let file = attempt().with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Writes the content and replaces the file atomically.
    pub(crate) fn commit(self, bytes: &[u8]) -> anyhow::Result<()> {
        let Self { mut file, path } = self;
        let attempt = || -> anyhow::Result<()> {
            file.write_all(bytes)?;
            file.as_file().set_len(bytes.len() as u64)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        attempt().with_context(|| format!("writing {}", path.display()))
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Locks a file while its content is read, renewed and written. Other processes wait; the lock ends with the process.
pub(crate) fn lock(path: &Path) -> anyhow::Result<File> {
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("opening the lock {}", path.display()))?;
    // Another process may be waiting for a sign-in: a long wait prints the reason.
    let (held, wait) = mpsc::channel::<()>();
    let place = path.to_owned();
    std::thread::spawn(move || {
        if wait.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            output::note(format_args!(
                "Another program is signing in: waiting for it ({} is locked)",
                place.display()
            ));
        }
    });
    let locked = file.lock();
    drop(held);
    locked.with_context(|| format!("waiting for the lock {}", path.display()))?;
    Ok(file)
}

const PATIENCE: Duration = Duration::from_secs(3);
/// The bytes that preparing reserves: more than a session, a token or a certificate needs.
const ROOM: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_in_which_nothing_was_written_goes_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("new");
        let directory = Directory::prepare(&path).unwrap();
        drop(Replacement::prepare(&path.join("a")).unwrap());
        drop(directory);
        assert!(!path.exists());
        let directory = Directory::prepare(&path).unwrap();
        Replacement::prepare(&path.join("a")).unwrap().commit(b"a").unwrap();
        drop(directory);
        assert!(path.join("a").exists());
        fs::remove_file(path.join("a")).unwrap();
        drop(Directory::prepare(&path).unwrap());
        assert!(path.exists(), "it was there before");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_known_before_there_is_something_to_write() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fs::write(&path, "old").unwrap();
        let prepared = Replacement::prepare(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        prepared.commit(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        drop(Replacement::prepare(&path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left behind");
        for bad in [directory.path().to_owned(), path.join("below a file"), directory.path().join("no/such")]
        {
            let error = Replacement::prepare(&bad).unwrap_err().to_string();
            assert!(error.contains(&bad.display().to_string()), "{error}");
        }
    }
}
