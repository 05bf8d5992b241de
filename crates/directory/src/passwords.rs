//! New passwords: the rule that they must meet, and hashing them without stalling other work.

use crypto::secret::Secret;
use domain::credential::PasswordHash;

use crate::Directory;
use state::Error;

impl Directory {
    /// Hashes a new password, if there is one. Argon2id takes tens of milliseconds, so it runs on the
    /// blocking threads, and only a few at a time.
    pub async fn hash_new_password(
        &self,
        password: Option<&Secret<String>>,
    ) -> Result<Option<PasswordHash>, Error> {
        let Some(password) = password else { return Ok(None) };
        check(password.expose())?;
        let salt = self.state.random_bytes::<16>()?;
        let password = password.clone();
        let hash = self.on_hash_thread(move || crypto::password::hash(&password, &salt)).await?;
        Ok(Some(PasswordHash(hash.map_err(Error::internal)?)))
    }

    /// Runs a password computation on the blocking threads; at most as many at once as there are permits.
    pub async fn on_hash_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let permit = self.hashing.clone().acquire_owned().await.map_err(Error::internal)?;
        let result = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        result.await.map_err(Error::internal)
    }
}

fn check(password: &str) -> Result<(), Error> {
    let length = password.chars().count();
    if (SHORTEST..=LONGEST).contains(&length) {
        return Ok(());
    }
    let message = format!("the password has {length} characters, expected {SHORTEST} to {LONGEST}");
    Err(Error::invalid("passwordProfile.password", message))
}

/// NIST SP 800-63B asks for eight at least, and for no rules about kinds of characters.
const SHORTEST: usize = 8;
const LONGEST: usize = 256;
