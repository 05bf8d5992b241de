//! The lock on a data directory, so that two processes never write one store.
//!
//! It is the system's lock on an open file, which is released when the process ends for any reason. The file remains;
//! it holds the process id, for the error message of a second process, and whether the directory holds a store, so
//! that a missing store file is not mistaken for a new directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;

use super::file::unavailable;
use crate::StoreError;

/// A held lock: until it is dropped, no other process can open the directory.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    file: File,
    path: PathBuf,
    /// Whether the directory is known to hold a store.
    store: bool,
}

impl DirectoryLock {
    /// Locks an existing directory.
    pub(super) fn lock(directory: &Path) -> Result<DirectoryLock, StoreError> {
        let path = directory.join(LOCK_FILE);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = file.map_err(|problem| unavailable(&path, "open", &problem))?;
        let mut text = String::new();
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // The process id only improves the message.
                let _ = file.read_to_string(&mut text);
                let holder = text.lines().find_map(|line| line.strip_prefix(PROCESS)).unwrap_or("unknown");
                let directory = directory.display();
                return Err(StoreError::Unavailable(format!(
                    "{directory} is in use by another process, id {holder}"
                )));
            }
            Err(TryLockError::Error(problem)) => return Err(unavailable(&path, "lock", &problem)),
        }
        file.read_to_string(&mut text).map_err(|problem| unavailable(&path, "read", &problem))?;
        let store = text.lines().any(|line| line == STORE);
        let lock = DirectoryLock { file, path, store };
        lock.write().map_err(|problem| unavailable(&lock.path, "write", &problem))?;
        Ok(lock)
    }

    /// Whether the directory is known to have held a store.
    pub(super) fn held_store(&self) -> bool {
        self.store
    }

    /// Records in the lock file that the directory holds a store.
    pub(super) fn note_store(&mut self) -> Result<(), StoreError> {
        if !self.store {
            self.store = true;
            self.write().map_err(|problem| unavailable(&self.path, "write", &problem))?;
        }
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn write(&self) -> io::Result<()> {
        let store = if self.store { STORE } else { "" };
        let text = format!("{PROCESS}{}\n{store}\n", process::id());
        self.file.write_all_at(text.as_bytes(), 0)?;
        self.file.set_len(text.len() as u64)
    }
}

const LOCK_FILE: &str = "portcullis.lock";
const PROCESS: &str = "process ";
const STORE: &str = "store present";
