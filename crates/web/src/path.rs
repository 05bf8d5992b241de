//! Checks request paths before routing.
//!
//! A path is refused when two parsers could read a segment differently after percent-decoding: a segment that
//! contains a slash, a backslash or a control character, is `.` or `..`, or is not UTF-8. Handlers may therefore
//! trust that a decoded segment is one name. Decoding happens exactly once; `%252e` means the three characters `%2e`.

use std::borrow::Cow;

use crate::escapes::{self, EscapeError};

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("the path must begin with a slash")]
    NotAbsolute,
    #[error("the path has a percent sign that no two hexadecimal digits follow")]
    BadEscape,
    #[error("the path has an escaped slash, a backslash or a control character in a segment")]
    ForbiddenCharacter,
    #[error("the path has a segment \".\" or \"..\"")]
    DotSegment,
    #[error("the path is not UTF-8")]
    NotUtf8,
}

/// Checks the raw path of a request, as it is in the request line.
pub fn check(path: &str) -> Result<(), PathError> {
    let Some(rest) = path.strip_prefix('/') else { return Err(PathError::NotAbsolute) };
    if plain(rest.as_bytes()) {
        return Ok(());
    }
    rest.split('/').try_for_each(|raw| segment(raw).map(drop))
}

/// Fast path: whether the path has no escapes, dots, backslashes, control or non-ASCII characters to check.
fn plain(rest: &[u8]) -> bool {
    !rest.iter().any(|byte| matches!(byte, b'%' | b'.' | b'\\' | 0..=0x1f | 0x7f..))
}

/// Decodes one segment and checks that it cannot be read as several segments or as `.` or `..`.
pub fn segment(raw: &str) -> Result<Cow<'_, str>, PathError> {
    let decoded = escapes::decode(raw.as_bytes())?;
    if matches!(&*decoded, "." | "..") {
        return Err(PathError::DotSegment);
    }
    if decoded.bytes().any(|byte| matches!(byte, b'/' | b'\\' | 0..=0x1f | 0x7f)) {
        return Err(PathError::ForbiddenCharacter);
    }
    Ok(decoded)
}

impl From<EscapeError> for PathError {
    fn from(error: EscapeError) -> Self {
        match error {
            EscapeError::BadEscape => Self::BadEscape,
            EscapeError::NotUtf8 => Self::NotUtf8,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(path: &str, expected: PathError) {
        assert_eq!(check(path), Err(expected), "{path}");
    }

    #[test]
    fn ordinary_paths_pass() {
        for path in [
            "/",
            "/common/v2.0/.well-known/openid-configuration",
            "/v1.0/users/ann%40example.test",
            "/v1.0/users/guest%23EXT%23@example.test",
            "/subscriptions/0/resourceGroups/a b/providers/Microsoft.ContainerService",
            "/clusters/c/api/v1/namespaces/default/pods/...",
            "/v1.0/groups/gr%C3%BCn",
            "/a/%252e%252e/b",
            "//a//b",
        ] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        refused("", PathError::NotAbsolute);
        refused("*", PathError::NotAbsolute);
        refused("/a/../b", PathError::DotSegment);
        refused("/a/%2e%2E/b", PathError::DotSegment);
        refused("/a/.", PathError::DotSegment);
        refused("/a/.%2e", PathError::DotSegment);
        refused("/a%2fb", PathError::ForbiddenCharacter);
        refused("/a%5Cb", PathError::ForbiddenCharacter);
        refused("/a\\b", PathError::ForbiddenCharacter);
        refused("/a%00", PathError::ForbiddenCharacter);
        refused("/a%0d%0ab", PathError::ForbiddenCharacter);
        refused("/a%7f", PathError::ForbiddenCharacter);
        refused("/a%", PathError::BadEscape);
        refused("/a%2", PathError::BadEscape);
        refused("/a%zz", PathError::BadEscape);
        refused("/a%ff", PathError::NotUtf8);
        refused("/a%c0%af", PathError::NotUtf8);
    }

    proptest! {
        /// The quick look and the close look agree.
        #[test]
        fn a_plain_path_passes_the_close_look(path in "/[ -~]{0,40}") {
            let rest = &path[1..];
            if plain(rest.as_bytes()) {
                prop_assert!(rest.split('/').all(|raw| segment(raw).is_ok()));
            }
        }
    }
}
