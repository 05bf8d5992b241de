//! The host of a request (RFC 9112 §3.2, RFC 9113 §8.3.1). A request that names several hosts, or whose `Host` header
//! and target disagree, is refused: a proxy in front of this server could read it differently.

use http::{HeaderMap, Uri, Version, header::HOST, uri::Authority};

/// Why the host of a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HostError {
    #[error("the request has no Host header: expected one")]
    Missing,
    #[error("the request has several Host headers: expected one")]
    Several,
    #[error("the Host header is not a host with or without a port")]
    Malformed,
    #[error("the Host header and the request's address name different hosts")]
    Different,
}

/// Checks that the request names one host; HTTP/1.0 requests may name none.
pub(crate) fn check(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<(), HostError> {
    let mut named = headers.get_all(HOST).iter();
    let host = match (named.next(), named.next()) {
        (None, _) if version == Version::HTTP_11 => return Err(HostError::Missing),
        (None, _) => return Ok(()),
        (Some(host), None) => host,
        (Some(_), Some(_)) => return Err(HostError::Several),
    };
    // Only the syntax is checked, not which host is named.
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:".contains(byte);
    let bytes = host.as_bytes();
    if bytes.is_empty() || !(bytes.iter().all(plain) || is_authority(bytes)) {
        return Err(HostError::Malformed);
    }
    match uri.authority() {
        Some(authority) if !authority.as_str().as_bytes().eq_ignore_ascii_case(bytes) => {
            Err(HostError::Different)
        }
        _ => Ok(()),
    }
}

fn is_authority(bytes: &[u8]) -> bool {
    Authority::try_from(bytes).is_ok_and(|authority| !authority.as_str().contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(version: Version, uri: &str, hosts: &[&str]) -> Result<(), HostError> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, host.parse().unwrap());
        }
        check(version, &uri.parse().unwrap(), &headers)
    }

    #[test]
    fn a_request_names_one_host() {
        for (version, uri, hosts) in [
            (Version::HTTP_11, "/", &["localhost:8443"][..]),
            (Version::HTTP_11, "/", &["[::1]:8443"]),
            (Version::HTTP_11, "https://LocalHost:8443/x", &["localhost:8443"]),
            (Version::HTTP_10, "/", &[]),
            (Version::HTTP_2, "https://localhost:8443/", &[]),
            (Version::HTTP_2, "https://localhost:8443/", &["localhost:8443"]),
        ] {
            assert_eq!(asked(version, uri, hosts), Ok(()), "{version:?} {uri} {hosts:?}");
        }
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for (version, uri, hosts, expected) in [
            (Version::HTTP_11, "/", &[][..], HostError::Missing),
            (Version::HTTP_11, "/", &["a", "b"], HostError::Several),
            (Version::HTTP_11, "/", &["a", "a"], HostError::Several),
            (Version::HTTP_2, "https://a/", &["a", "a"], HostError::Several),
            (Version::HTTP_11, "/", &[""], HostError::Malformed),
            (Version::HTTP_11, "/", &["a/b"], HostError::Malformed),
            (Version::HTTP_11, "/", &["a, b"], HostError::Malformed),
            (Version::HTTP_11, "/", &["me@a"], HostError::Malformed),
            (Version::HTTP_11, "https://a/", &["b"], HostError::Different),
            (Version::HTTP_2, "https://a/", &["b"], HostError::Different),
        ] {
            assert_eq!(asked(version, uri, hosts), Err(expected), "{version:?} {uri} {hosts:?}");
        }
    }
}
