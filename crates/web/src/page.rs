//! Responses for people: HTML pages with headers against framing, script injection and caching, and plain text.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};

/// An HTML page rendered by this server; its template has escaped all values.
///
/// Its headers allow no content from other origins, no script, no framing, no caching, and no `Referer` on links.
#[derive(Clone, Debug)]
pub struct Page {
    html: String,
    status: StatusCode,
    form_targets: Vec<String>,
    script_digest: Option<String>,
}

impl Page {
    pub fn new(html: String) -> Self {
        Self { html, status: StatusCode::OK, form_targets: Vec::new(), script_digest: None }
    }

    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Allows a form of this page to be sent to `url` too, directly or by the redirect that answers it: browsers
    /// apply `form-action` to a form's redirects as well. Only scheme, host and port count.
    #[must_use]
    pub fn with_form_target(mut self, url: &str) -> Self {
        self.form_targets.extend(origin(url));
        self
    }

    /// Allows the one inline script whose SHA-256 digest in base64 is `digest`.
    #[must_use]
    pub fn with_script(mut self, digest: &str) -> Self {
        self.script_digest = Some(digest.to_owned());
        self
    }

    fn policy(&self) -> String {
        let mut policy = String::from(
            "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
        );
        for target in &self.form_targets {
            policy.push(' ');
            policy.push_str(target);
        }
        if let Some(digest) = &self.script_digest {
            policy.push_str("; script-src 'sha256-");
            policy.push_str(digest);
            policy.push('\'');
        }
        policy
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let policy = HeaderValue::try_from(self.policy()).unwrap_or(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'; form-action 'none'",
        ));
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (header::CONTENT_SECURITY_POLICY, policy),
            (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        (self.status, headers, self.html).into_response()
    }
}

/// A response of one line of plain text.
pub fn plain(status: StatusCode, text: impl Into<String>) -> Response {
    let mut text = text.into();
    text.push('\n');
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Scheme, host and port of `url` as a source of a Content-Security-Policy. The scheme alone where the host is an
/// IPv6 address in brackets, which browsers do not accept there, or where the scheme is an application's own and has
/// no host. None if other characters could change the policy.
fn origin(url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let is_safe_in_policy =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
    if !is_safe_in_policy(scheme) || !is_safe_in_policy(authority.as_str()) {
        return None;
    }
    if !matches!(scheme, "http" | "https") || authority.host().starts_with('[') {
        return Some(format!("{scheme}:"));
    }
    Some(format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(page: Page) -> String {
        let response = page.into_response();
        response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_page_runs_nothing_and_cannot_be_framed() {
        let policy = policy(Page::new("<p>hello</p>".into()));
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("script-src"), "{policy}");
        assert!(policy.ends_with("form-action 'self'"), "{policy}");
    }

    #[test]
    fn a_form_may_lead_to_the_origin_of_its_target_only() {
        let policy =
            policy(Page::new(String::new()).with_form_target("http://localhost:4711/callback?state=a;b"));
        assert!(policy.ends_with("form-action 'self' http://localhost:4711"), "{policy}");
    }

    #[test]
    fn a_target_cannot_add_to_the_policy() {
        for url in
            ["https://a.test;script-src *", "https://a.test, b", "not a url", "https://user:x;y@a.test/", "*"]
        {
            let policy = policy(Page::new(String::new()).with_form_target(url));
            assert!(policy.ends_with("form-action 'self'"), "{url}: {policy}");
        }
    }

    #[test]
    fn what_has_no_plain_origin_is_given_by_its_scheme() {
        for (url, source) in [("http://[::1]:80/cb", "http:"), ("msal4711://auth", "msal4711:")] {
            let policy = policy(Page::new(String::new()).with_form_target(url));
            assert!(policy.ends_with(&format!("form-action 'self' {source}")), "{policy}");
        }
    }

    #[test]
    fn a_script_is_named_by_its_digest() {
        let policy = policy(Page::new(String::new()).with_script("abc="));
        assert!(policy.ends_with("; script-src 'sha256-abc='"), "{policy}");
    }
}
