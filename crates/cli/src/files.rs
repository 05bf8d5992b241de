//! Files that hold credentials: written as a whole, for their owner alone, by one process at a time.

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

/// Makes a directory that only its owner may look into.
pub(crate) fn private_directory(path: &Path) -> anyhow::Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("making the directory {}", path.display()))
}

/// A directory for files that are about to be written. Where nothing has been written it goes again, if it was made for
/// them.
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
            // One that holds something stays.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Replaces a file as a whole; a reader sees the old one or the new one.
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

/// A file that is about to be replaced. Whether it can be is found out before what will stand in it is there, so that
/// nothing is changed elsewhere whose result would be lost: the directory takes it, and its disk has the room.
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

    /// Puts it in the place of the old one; a reader sees the old one or the new one.
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
/// More than a session, a token or a certificate takes.
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
