//! Cached tokens of the credential plugin, in the user's cache directory. The file name is derived from the fields of
//! the cache key, and the file contains the key, so that two keys never share a token.

use std::path::PathBuf;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::files::{self, Replacement};

/// Identifies a cached token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CacheKey {
    pub(crate) authority: String,
    pub(crate) tenant: String,
    pub(crate) client: String,
    pub(crate) server: String,
    pub(crate) mode: String,
    pub(crate) user: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct CachedToken {
    key: CacheKey,
    pub(crate) access_token: String,
    pub(crate) expires: Timestamp,
    pub(crate) refresh_token: Option<String>,
}

/// The cache file of one token, locked until dropped.
#[derive(Debug)]
pub(crate) struct CacheEntry {
    key: CacheKey,
    path: PathBuf,
    _lock: std::fs::File,
}

impl CacheEntry {
    /// Opens and locks the entry: of concurrent processes one signs in or renews, and the others then read the result.
    pub(crate) fn open(key: CacheKey, directory: Option<PathBuf>) -> anyhow::Result<Self> {
        let directory = match directory {
            Some(directory) => directory,
            None => default_directory()?,
        };
        files::private_directory(&directory)?;
        let path = directory.join(format!("{}.json", key.file_name()));
        let lock = files::lock(&path.with_extension("lock"))?;
        Ok(Self { key, path, _lock: lock })
    }

    /// The cached token, if it is still fresh or can be renewed.
    pub(crate) fn read(&self) -> Option<CachedToken> {
        let bytes = std::fs::read(&self.path).ok()?;
        let token: CachedToken = serde_json::from_slice(&bytes).ok()?;
        (token.key == self.key).then_some(token)
    }

    /// Checks that a token can be stored, before one is requested.
    pub(crate) fn prepare(&self) -> anyhow::Result<Replacement> {
        Replacement::prepare(&self.path)
    }

    pub(crate) fn write(
        &self,
        place: Replacement,
        access_token: &str,
        expires: Timestamp,
        refresh_token: Option<String>,
    ) -> anyhow::Result<()> {
        let access_token = access_token.to_owned();
        let token = CachedToken { key: self.key.clone(), access_token, expires, refresh_token };
        place.commit(&serde_json::to_vec(&token)?)
    }
}

/// Deletes all tokens in `directory` or the default one; returns their number. Lock files stay, as another process
/// may hold one.
pub(crate) fn remove(directory: Option<PathBuf>) -> anyhow::Result<usize> {
    // Without the directory there are no tokens.
    let Some(directory) = directory.or_else(|| default_directory().ok()) else { return Ok(0) };
    let entries = match std::fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error).with_context(|| format!("reading {}", directory.display())),
    };
    let mut removed = 0;
    for entry in entries {
        let path = entry.with_context(|| format!("reading {}", directory.display()))?.path();
        let own =
            path.file_stem().and_then(|name| name.to_str()).is_some_and(|name| Uuid::parse_str(name).is_ok());
        if own && path.extension().is_some_and(|kind| kind == "json") {
            std::fs::remove_file(&path).with_context(|| format!("deleting {}", path.display()))?;
            removed += 1;
        }
    }
    Ok(removed)
}

impl CachedToken {
    pub(crate) fn is_fresh(&self) -> bool {
        Timestamp::now().saturating_add(MARGIN).is_ok_and(|soon| soon < self.expires)
    }
}

impl CacheKey {
    fn file_name(&self) -> Uuid {
        let fields = [&self.authority, &self.tenant, &self.client, &self.server, &self.mode, &self.user];
        let mut bytes = Vec::new();
        for field in fields {
            bytes.extend_from_slice(&(field.len() as u64).to_be_bytes());
            bytes.extend_from_slice(field.as_bytes());
        }
        Uuid::new_v5(&Uuid::NAMESPACE_URL, &bytes)
    }
}

fn default_directory() -> anyhow::Result<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = from("XDG_CACHE_HOME").or_else(|| from("HOME").map(|home| home.join(".cache")));
    Ok(base.context("no place for the token cache: give --token-cache-dir")?.join("portcullis/tokens"))
}

const MARGIN: SignedDuration = SignedDuration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn key(authority: &str, tenant: &str) -> CacheKey {
        let empty = String::new;
        CacheKey {
            authority: authority.into(),
            tenant: tenant.into(),
            client: empty(),
            server: empty(),
            mode: empty(),
            user: empty(),
        }
    }

    #[test]
    fn fields_that_run_together_are_different_keys() {
        assert_ne!(key("ab", "c").file_name(), key("a", "bc").file_name());
        assert_eq!(key("ab", "c").file_name(), key("ab", "c").file_name());
    }

    #[test]
    fn of_twenty_at_once_one_does_the_work() {
        let directory = tempfile::tempdir().unwrap();
        let worked = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    let entry = CacheEntry::open(key("a", "b"), Some(directory.path().to_owned())).unwrap();
                    if !entry.read().is_some_and(|token| token.is_fresh()) {
                        worked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        let end = Timestamp::now() + SignedDuration::from_hours(1);
                        entry.write(entry.prepare().unwrap(), "token", end, None).unwrap();
                    }
                });
            }
        });
        assert_eq!(worked.into_inner(), 1);
    }

    #[test]
    fn cached_tokens_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("tokens");
        let entry = CacheEntry::open(key("a", "b"), Some(place.clone())).unwrap();
        entry.write(entry.prepare().unwrap(), "token", Timestamp::now(), None).unwrap();
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&place), 0o700);
        assert_eq!(mode(&entry.path), 0o600);
        assert!(!entry.read().unwrap().is_fresh());
    }

    #[test]
    fn what_cannot_be_read_or_is_of_somebody_else_counts_as_nothing_and_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let place = Some(directory.path().to_owned());
        let path = {
            let entry = CacheEntry::open(key("a", "b"), place.clone()).unwrap();
            entry.write(entry.prepare().unwrap(), "token", Timestamp::now(), None).unwrap();
            entry.path.clone()
        };
        let of_other =
            std::fs::read_to_string(&path).unwrap().replace("\"tenant\":\"b\"", "\"tenant\":\"c\"");
        for content in [&b""[..], b"{", b"\xff\xfe", b"[]", of_other.as_bytes()] {
            std::fs::write(&path, content).unwrap();
            let entry = CacheEntry::open(key("a", "b"), place.clone()).unwrap();
            assert!(entry.read().is_none(), "{content:?}");
            entry.write(entry.prepare().unwrap(), "again", Timestamp::now(), None).unwrap();
            assert_eq!(entry.read().unwrap().access_token, "again");
        }
        assert_eq!(remove(place).unwrap(), 1);
        assert!(!path.exists());
    }
}
