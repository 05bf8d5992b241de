//! The data directory: the names of the store's files, and durable renames.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::file::{StoreFile, corrupt, unavailable};
use super::format::{FileId, Header};
use super::lock::DirectoryLock;
use crate::{Revision, StoreError};

/// The directory that a store lives in.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Whether a rename is not yet durable. No commit is acknowledged meanwhile.
    sync_pending: bool,
}

impl Directory {
    /// The directory at `path`; created, accessible by its owner only, if it does not exist.
    pub(super) fn open(path: &Path) -> Result<Directory, StoreError> {
        if !path.is_dir() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
            made.map_err(|problem| unavailable(path, "make the directory", &problem))?;
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                sync(parent)?;
            }
        }
        Ok(Directory { path: path.into(), sync_pending: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The store file.
    pub(super) fn file(&self) -> PathBuf {
        self.path.join(FILE)
    }

    /// The new store file of a rewrite.
    pub(super) fn new_file(&self) -> PathBuf {
        self.path.join(NEW_FILE)
    }

    /// Creates an empty store if the directory never held one.
    pub(super) fn create_store(&mut self, lock: &DirectoryLock) -> Result<(), StoreError> {
        // A new file left by a killed process had not become the store yet.
        self.discard();
        let (path, new) = (self.file(), self.new_file());
        if path.try_exists().map_err(|problem| unavailable(&path, "open", &problem))? {
            return Ok(());
        }
        if lock.held_store() {
            let lock = lock.path().display();
            let problem = format!(
                "the file is missing, though the directory held a store; to begin anew, remove {lock}"
            );
            return Err(corrupt(&path, 0, problem));
        }
        let header = Header { id: FileId::random(), compacted: Revision::ZERO, base: 0 };
        StoreFile::create(&new, &path, &header, Revision::ZERO)
            .and_then(|file| file.file.sync_all())
            .map_err(|problem| unavailable(&new, "create", &problem))?;
        self.replace()?;
        self.sync_if_pending()
    }

    /// Renames the new file to the store file.
    pub(super) fn replace(&mut self) -> Result<(), StoreError> {
        let path = self.file();
        fs::rename(self.new_file(), &path).map_err(|problem| unavailable(&path, "replace", &problem))?;
        self.sync_pending = true;
        Ok(())
    }

    /// Syncs the directory if a rename is pending.
    pub(super) fn sync_if_pending(&mut self) -> Result<(), StoreError> {
        if self.sync_pending {
            sync(&self.path)?;
            self.sync_pending = false;
        }
        Ok(())
    }

    /// Removes the new file, if there is one.
    pub(super) fn discard(&self) {
        // A failure does not matter: the next new file overwrites it.
        let _ = fs::remove_file(self.new_file());
    }
}

fn sync(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|problem| unavailable(directory, "sync", &problem))
}

const FILE: &str = "portcullis.store";
const NEW_FILE: &str = "portcullis.store.new";
