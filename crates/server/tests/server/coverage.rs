//! Every route of every surface, asked by nobody, with credentials that do not count, and by somebody without rights.
//!
//! A surface tells its routes; each must stand in the table of expectations beside this file, so that nothing is served
//! without having been looked at. What is refused must leave the state as it was. Where a table says what an
//! administrator gets, that shows that the others were refused for who they are and not for what they sent.

mod arm;
mod graph;
mod kube;
mod oauth;
mod portal;
mod stage;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use testserver::Site;

pub(super) use arm::writes as arm_writes;
pub(super) use graph::writes as graph_writes;

/// A request as a table writes it: `{names}` in path and body stand for values of the stage.
#[derive(Clone, Debug)]
struct Asked {
    method: &'static str,
    path: String,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    None,
    Json(&'static str),
    Form(&'static str),
}

impl Asked {
    fn request(&self, site: &Site, values: &Values) -> RequestBuilder {
        let method = Method::from_bytes(self.method.as_bytes()).unwrap();
        let request = site.http.request(method, site.url(&values.fill(&self.path)));
        match self.body {
            Body::None => request,
            Body::Json(text) => request.header("content-type", "application/json").body(values.fill(text)),
            Body::Form(text) => {
                request.header("content-type", "application/x-www-form-urlencoded").body(values.fill(text))
            }
        }
    }
}

/// What names in templates stand for.
#[derive(Clone, Debug, Default)]
struct Values(BTreeMap<&'static str, String>);

impl Values {
    fn set(&mut self, name: &'static str, value: impl ToString) {
        self.0.insert(name, value.to_string());
    }

    /// JSON has braces of its own: only a lower-case word within a pair of them is a name.
    fn fill(&self, template: &str) -> String {
        let mut filled = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let end = after.find(|letter: char| !letter.is_ascii_alphabetic() && letter != '*').unwrap_or(0);
            let (name, tail) = after.split_at(end);
            match tail.strip_prefix('}') {
                Some(tail) if !name.is_empty() => {
                    filled.push_str(self.0.get(name).unwrap_or_else(|| panic!("no value for {{{name}}}")));
                    rest = tail;
                }
                _ => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled + rest
    }
}

/// An answer in a word or two: `200`, `403 Authorization_RequestDenied`, `303 /portal/sign-in`.
async fn answer(request: RequestBuilder) -> String {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
    let location = location.map(|text| text.split('?').next().unwrap_or_default().to_owned());
    let body = if status < 300 { String::new() } else { response.text().await.unwrap() };
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let code =
        text(&body["error"]["code"]).or_else(|| text(&body["error"])).or_else(|| text(&body["reason"]));
    let number = body["error_codes"][0].as_u64().map(|number| number.to_string());
    let parts = [Some(status.to_string()), code.or(location), number];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Fails unless the routes that are served are those that a table knows.
fn check_complete(
    served: impl IntoIterator<Item = (&'static str, String)>,
    known: impl IntoIterator<Item = (&'static str, String)>,
) {
    let served: BTreeSet<_> = served.into_iter().collect();
    let known: BTreeSet<_> = known.into_iter().collect();
    let unknown: Vec<_> = served.difference(&known).collect();
    assert!(unknown.is_empty(), "routes that the table does not know: {unknown:#?}");
    let gone: Vec<_> = known.difference(&served).collect();
    assert!(gone.is_empty(), "rows of the table that are not served: {gone:#?}");
}

/// What went otherwise than the tables say, told all at once.
#[derive(Debug, Default)]
struct Differences(Vec<String>);

impl Differences {
    fn check(&mut self, asked: &Asked, who: &str, found: &str, expected: &str) {
        if found != expected {
            let Asked { method, path, .. } = asked;
            self.0.push(format!("{method} {path} by {who}: {found}, expected {expected}"));
        }
    }

    /// A request that is refused, after which everything is as it was.
    async fn refused(&mut self, site: &Site, values: &Values, asked: &Asked, who: &Who, expected: &str) {
        let before = stage::revision(site).await;
        let found = answer(who.sign(asked.request(site, values))).await;
        self.check(asked, who.name, &found, expected);
        if stage::revision(site).await != before {
            let Asked { method, path, .. } = asked;
            self.0.push(format!("{method} {path} by {} was refused and has changed something", who.name));
        }
    }

    fn finish(self) {
        assert!(self.0.is_empty(), "{} cells differ:\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// What somebody shows of themselves.
#[derive(Clone, Debug)]
struct Who {
    name: &'static str,
    header: Option<String>,
}

impl Who {
    fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.header {
            Some(header) => request.header("authorization", header),
            None => request,
        }
    }
}

/// Two of them, others for the next number.
fn in_turn(all: &[Who], number: usize) -> impl Iterator<Item = &Who> {
    all.iter().cycle().skip(number * 2 % all.len()).take(2)
}

#[test]
fn a_route_that_no_table_knows_is_found_out() {
    let row = |method: &'static str, path: &str| (method, path.to_owned());
    let found = |served: &[(&'static str, String)], known: &[(&'static str, String)]| {
        let (served, known) = (served.to_vec(), known.to_vec());
        std::panic::catch_unwind(|| check_complete(served, known)).is_err()
    };
    assert!(!found(&[row("GET", "/a")], &[row("GET", "/a")]));
    assert!(found(&[row("GET", "/a"), row("POST", "/a")], &[row("GET", "/a")]));
    assert!(found(&[row("GET", "/a")], &[row("GET", "/a"), row("GET", "/b")]));
}
