//! Server addresses, and URLs at a server. Requests carry tokens, so URLs are built from parsed parts: no path or
//! name that a user gives can send a request to another server than the token's (same origin, RFC 6454 section 4).

use anyhow::{Context, bail, ensure};
use domain::scope::Scope;
use reqwest::Url;

/// The https address of a server, without a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server(Url);

impl Server {
    /// Reads `https://HOST[:PORT][/]`.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let url = Base::parse(text)?.0;
        ensure!(url.path() == "/", "\"{text}\": expected the address of a server, without a path");
        Ok(Self(url))
    }

    /// `https://HOST[:PORT]`, without a slash at the end, as in tokens and kubeconfigs.
    pub(crate) fn as_text(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The URL of a path with its query, such as `/subscriptions?api-version=2022-12-01`. Characters that a path or
    /// query cannot hold are encoded; a path with dot segments is refused.
    pub(crate) fn at(&self, path_and_query: &str) -> anyhow::Result<Url> {
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path_and_query, None),
        };
        check_path(path)
            .map_err(|problem| anyhow::anyhow!("\"{path}\" is no address at {}: {problem}", self.0))?;
        let mut url = self.0.clone();
        url.set_path(path);
        url.set_query(query);
        Ok(url)
    }

    /// The path and query of a link from the server, if it points to the same server.
    pub(crate) fn path_of(&self, link: &str) -> Option<String> {
        let url = Url::parse(link).ok().filter(|url| url.origin() == self.0.origin() && is_bare(url))?;
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Some(format!("{}{query}", url.path()))
    }
}

/// The https URL of an authority; it may have a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base(Url);

impl Base {
    /// Reads `https://HOST[:PORT][/PATH]`.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let expected = || format!("\"{text}\": expected an https address such as https://localhost:8443");
        let url = Url::parse(text).with_context(expected)?;
        let plain = url.scheme() == "https" && url.has_host() && is_bare(&url);
        ensure!(plain && url.query().is_none(), expected());
        Ok(Self(url))
    }

    /// The URL with these segments appended; each is encoded as one segment.
    pub(crate) fn below(&self, segments: &[&str]) -> anyhow::Result<Url> {
        for segment in segments {
            check_segment(segment).map_err(|problem| anyhow::anyhow!("\"{segment}\": {problem}"))?;
        }
        let mut url = self.0.clone();
        match url.path_segments_mut() {
            Ok(mut path) => drop(path.pop_if_empty().extend(segments)),
            Err(()) => bail!("{}: expected an https address", self.0),
        }
        Ok(url)
    }
}

/// A resource id or scope from the user, as a path.
pub(crate) fn resource_id(text: &str) -> anyhow::Result<String> {
    let bare = if text == "/" { text } else { text.trim_end_matches('/') };
    let scope = Scope::parse(bare)?;
    match scope.as_str().find(['?', '#', '%', '\\']) {
        None => Ok(scope.as_str().to_owned()),
        Some(at) => {
            let wrong = scope.as_str().get(at..).and_then(|rest| rest.chars().next()).unwrap_or_default();
            bail!("\"{text}\" is not a resource id: it holds the character {wrong}")
        }
    }
}

/// Whether the URL has no user info and no fragment.
fn is_bare(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none() && url.fragment().is_none()
}

fn check_path(path: &str) -> Result<(), &'static str> {
    let rest = path.strip_prefix('/').ok_or("it does not begin with a slash")?;
    if rest.is_empty() {
        return Ok(());
    }
    rest.split('/').try_for_each(check_segment)
}

fn check_segment(segment: &str) -> Result<(), &'static str> {
    // Dot segments, encoded or not (URL Standard, "double-dot URL path segment").
    let dots = segment.to_ascii_lowercase().replace("%2e", ".");
    if segment.is_empty() {
        return Err("a name in it is empty");
    }
    if dots == "." || dots == ".." {
        return Err("a name in it is \".\" or \"..\"");
    }
    if segment.contains(['\\', '#']) || segment.chars().any(char::is_control) {
        return Err("it holds a character that no address has");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stay_at_the_server() {
        let server = Server::parse("https://localhost:8443/").unwrap();
        let at = |path: &str| server.at(path).map(String::from).map_err(|error| error.to_string());
        assert_eq!(at("/v1.0/users?$top=1").unwrap(), "https://localhost:8443/v1.0/users?$top=1");
        assert_eq!(at("/v1.0/users/a b@x").unwrap(), "https://localhost:8443/v1.0/users/a%20b@x");
        for wrong in [
            "@localhost:28999/x",
            ".evil.example/x",
            ":1/x",
            "0/x",
            "//evil.example/x",
            "/\\evil.example/x",
            "/a/../b",
            "/a/%2e%2E/b",
            "/a/./b",
            "/a//b",
            "/a#b",
            "/a\u{0}b",
            "",
            "https://evil.example/",
        ] {
            assert!(at(wrong).unwrap_err().contains("is no address at https://localhost:8443"), "{wrong}");
        }
    }

    #[test]
    fn every_accepted_path_keeps_the_origin() {
        proptest::proptest!(|(path in "[/@:.\\\\?#%a2eE\u{0}-\u{ff}]{0,12}")| {
            let server = Server::parse("https://localhost:8443").unwrap();
            if let Ok(url) = server.at(&path) {
                assert_eq!(url.origin(), server.0.origin());
                assert!(is_bare(&url));
                assert_eq!(url.path().matches('/').count(), path.split('?').next().unwrap().matches('/').count());
            }
        });
    }

    #[test]
    fn links_are_followed_at_the_server_alone() {
        let server = Server::parse("https://localhost:8443").unwrap();
        assert_eq!(server.path_of("https://LOCALHOST:8443/a?b=c").as_deref(), Some("/a?b=c"));
        for wrong in [
            "https://localhost:8443@evil.example/a",
            "https://localhost:84431/a",
            "http://localhost:8443/a",
            "https://localhost:8443.evil.example/a",
            "https://me@localhost:8443/a",
            "/a",
        ] {
            assert_eq!(server.path_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn servers_are_https_addresses_without_more() {
        for wrong in [
            "localhost:8443",
            "http://localhost",
            "https://a@b",
            "https://a/b",
            "https://a?b",
            "https://",
            "https://a#b",
        ] {
            assert!(Server::parse(wrong).unwrap_err().to_string().contains(wrong), "{wrong}");
        }
        assert_eq!(Server::parse("https://Example.org:443/").unwrap().as_text(), "https://example.org");
    }

    #[test]
    fn a_tenant_is_one_name_below_its_authority() {
        let authority = Base::parse("https://localhost:8443/adfs/").unwrap();
        assert_eq!(
            authority.below(&["a/b?c", "token"]).unwrap().as_str(),
            "https://localhost:8443/adfs/a%2Fb%3Fc/token"
        );
        assert!(authority.below(&["..", "token"]).is_err());
    }

    #[test]
    fn resource_ids_are_paths() {
        assert_eq!(resource_id("/").unwrap(), "/");
        assert_eq!(resource_id("/subscriptions/x/").unwrap(), "/subscriptions/x");
        for wrong in ["@localhost:28999/x", "subscriptions/x", "/a?b", "/a/../b", "/a%2fb", "//a/b"] {
            assert!(resource_id(wrong).unwrap_err().to_string().contains(wrong), "{wrong}");
        }
    }
}
