//! HTTP Strict Transport Security (RFC 6797): browsers that have been here once come over TLS only, and do not let their
//! person wave a wrong certificate through.
//!
//! Not for `localhost`: the header holds for a name with all its ports, and would cut off every other program of that
//! machine that is developed or signed in to over plain HTTP, command lines that wait for their code among them. Nor for
//! addresses, which browsers do not keep (§8.1.1). Without `includeSubDomains`: what runs beside us under our name is not
//! ours to decide.

use http::{HeaderValue, Uri};

/// The header for everything that is served at this address, if it should have one.
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
