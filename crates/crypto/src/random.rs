//! Random bytes, and their text encodings.

use std::fmt::Debug;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::CryptoError;

/// A source of random bytes; tests may use a predictable one.
pub trait Random: Send + Sync + Debug {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), CryptoError>;
}

/// The operating system's generator.
#[derive(Debug, Default)]
pub struct System(SystemRandom);

impl Random for System {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), CryptoError> {
        self.0.fill(bytes).map_err(|error| CryptoError::new("the system gives no random bytes", error))
    }
}

/// Base64url without padding: four characters for three bytes.
pub fn url_safe(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A device login code of eight letters and digits, without look-alikes, and without vowels so that it spells no
/// word. 28^8 codes: 38 bits. Bytes outside a multiple of 28 are skipped to avoid bias; with 16 bytes fewer than one
/// code in a million would be too short.
pub fn user_code(bytes: &[u8; 32]) -> Option<String> {
    let limit = 256 - 256 % USER_CODE_LETTERS.len();
    let fitting = bytes.iter().map(|byte| usize::from(*byte)).filter(|value| *value < limit);
    let letters = fitting.filter_map(|value| USER_CODE_LETTERS.get(value % USER_CODE_LETTERS.len()));
    let code: String = letters.take(8).map(|letter| char::from(*letter)).collect();
    (code.len() == 8).then_some(code)
}

const USER_CODE_LETTERS: &[u8; 28] = b"BCDFGHJKLMNPQRSTVWXYZ2345679";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_codes_have_eight_letters_that_cannot_be_mistaken() {
        let mut bytes = [0; 32];
        System::default().fill(&mut bytes).unwrap();
        let code = user_code(&bytes).unwrap();
        assert_eq!(code.len(), 8);
        assert!(!code.contains(['0', 'O', '1', 'I', '8', 'A']));
        assert_eq!(user_code(&[255; 32]), None);
    }
}
