//! HTTP Strict Transport Security (RFC 6797): after the first visit browsers use only TLS, and do not let users
//! bypass certificate errors.
//!
//! Not sent for `localhost`: it applies to all ports of a name, and would break other programs on that machine that
//! use plain HTTP, such as command lines that wait for an authorization code. Not sent for IP addresses, which
//! browsers ignore (§8.1.1). Without `includeSubDomains`: other hosts under the name are not ours to decide.

use http::{HeaderValue, Uri};

/// The header for responses at this URL, if it should have one.
pub(crate) fn strict(external_url: &str) -> Option<HeaderValue> {
    let uri: Uri = external_url.parse().ok()?;
    let host = uri.host()?.trim_end_matches('.').to_ascii_lowercase();
    let local = host == "localhost" || host.ends_with(".localhost");
    let address = host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
    (!local && !address).then_some(HeaderValue::from_static(YEAR))
}

const YEAR: &str = "max-age=31536000";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_strict_and_this_machine_and_addresses_are_not() {
        for url in
            ["https://access.example.org", "https://access.example.org:8443", "https://localhost.example.org"]
        {
            assert_eq!(strict(url).unwrap(), "max-age=31536000", "{url}");
        }
        for url in [
            "https://localhost:8443",
            "https://LOCALHOST.:8443",
            "https://a.localhost",
            "https://127.0.0.1:8443",
            "https://[::1]:8443",
            "https://10.0.0.1",
        ] {
            assert_eq!(strict(url), None, "{url}");
        }
    }
}
