//! Passwords: Argon2id with 19 MiB and two passes (RFC 9106; the first choice of OWASP's list), kept as PHC
//! strings. One computation takes about 35 ms by design; callers run it off the async threads.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};

use crate::{CryptoError, secret::Secret};

/// Hashes a password with a fresh random salt.
pub fn hash(password: &Secret<String>, salt: &[u8; 16]) -> Result<String, CryptoError> {
    let hash = argon2()?.hash_password_with_salt(password.expose().as_bytes(), salt);
    hash.map(|hash| hash.to_string()).map_err(|error| CryptoError::new("hash of a password", error))
}

/// Whether the password matches the hash. Without a hash the same work is done and the result is false, so that an
/// unknown account takes as long as a known one.
pub fn verify(password: &Secret<String>, hash: Option<&str>) -> bool {
    let Ok(argon2) = argon2() else { return false };
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(NOBODY)) else { return false };
    argon2.verify_password(password.expose().as_bytes(), &parsed).is_ok() && hash.is_some()
}

fn argon2() -> Result<Argon2<'static>, CryptoError> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(|error| CryptoError::new("argon2", error))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The hash to compute against when the account is unknown; no account has its password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$\
                      QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_verifies() {
        let right = Secret::new("correct horse".to_owned());
        let hashed = hash(&right, &[7; 16]).unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert!(verify(&right, Some(&hashed)));
        assert!(!verify(&Secret::new("wrong".to_owned()), Some(&hashed)));
        assert!(!verify(&right, None));
        assert!(!verify(&right, Some("")));
        assert!(PasswordHash::new(NOBODY).is_ok());
    }
}
