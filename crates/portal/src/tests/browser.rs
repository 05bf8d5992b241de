//! A browser as far as our pages need one, and the installation that it visits.

use std::collections::BTreeMap;

use axum::body::Body;
use domain::{id::ObjectId, name::DisplayName};
use http::{HeaderMap, Request, StatusCode, header};
use serde_json::Value;
pub(super) use testkit::{PASSWORD, clients::AZURE_CLI as AZ};
use web::escapes::encode;

pub(super) const REDIRECT: &str = "http://localhost:50123";
const SCOPE: &str = "https://localhost:8443/.default openid profile offline_access";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(super) struct World {
    kit: testkit::World,
    client: testkit::Client,
    pub(super) alice: ObjectId,
}

impl std::ops::Deref for World {
    type Target = testkit::World;
    fn deref(&self) -> &testkit::World {
        &self.kit
    }
}

#[derive(Default)]
pub(super) struct Browser {
    cookies: BTreeMap<String, String>,
    /// What it says of who started its requests; nothing if empty.
    pub(super) site: &'static str,
}

/// A page, or the answer that leaves our host.
pub(super) struct Page {
    pub(super) path: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl World {
    pub(super) async fn new() -> Self {
        let kit = testkit::World::new().await;
        let named = |new: &mut app::directory::users::NewUser| {
            new.display_name = DisplayName::parse("Alice Liddell").unwrap();
        };
        let alice = kit.home.user_with("alice@example.org", named).await;
        let routes = crate::routes().merge(oauth::routes());
        let client = testkit::Client::new(routes.with_state(kit.app.clone()));
        Self { kit, client, alice }
    }

    pub(super) fn authorize_path(&self, client: &str, redirect: &str, more: &str) -> String {
        format!(
            "/organizations/oauth2/v2.0/authorize?client_id={client}&response_type=code&state=xyz&scope={}\
             &redirect_uri={}&code_challenge={CHALLENGE}&code_challenge_method=S256{more}",
            encode(SCOPE),
            encode(redirect)
        )
    }

    pub(super) async fn redeem(&self, client: &str, redirect: &str, code: &str) -> Value {
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", VERIFIER),
            ("scope", SCOPE),
        ];
        let tokens = self.token(&fields).await;
        assert!(tokens["access_token"].is_string(), "{tokens}");
        tokens
    }

    pub(super) async fn start_device(&self, client: &str) -> Value {
        self.start_device_for(client, SCOPE).await
    }

    pub(super) async fn start_device_for(&self, client: &str, scope: &str) -> Value {
        let fields = [("client_id", client), ("scope", scope)];
        let request = form("/organizations/oauth2/v2.0/devicecode", &fields);
        serde_json::from_str(&self.send(request).await.text).unwrap()
    }

    pub(super) async fn poll(&self, started: &Value) -> Value {
        let device_code = started["device_code"].as_str().unwrap();
        self.token(&[("grant_type", "device_code"), ("client_id", AZ), ("device_code", device_code)]).await
    }

    async fn token(&self, fields: &[(&str, &str)]) -> Value {
        let answer = self.send(form("/organizations/oauth2/v2.0/token", fields)).await;
        serde_json::from_str(&answer.text).unwrap()
    }

    async fn send(&self, request: Request<Body>) -> Page {
        let path = request.uri().path().to_owned();
        let testkit::Answer { status, headers, text } = self.client.send(request).await;
        Page { path, status, headers, text }
    }
}

impl Browser {
    pub(super) async fn go(&mut self, world: &World, path: &str) -> Page {
        self.follow(world, Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post(&mut self, world: &World, path: &str, fields: &[(&str, &str)]) -> Page {
        self.follow(world, form(path, fields)).await
    }

    /// Posts the first form of a page: its hidden fields, and what the person types or presses.
    pub(super) async fn submit(&mut self, world: &World, page: &Page, typed: &[(&str, &str)]) -> Page {
        let action = page.attribute("<form method=\"post\" action=\"").unwrap();
        let hidden = page.all_hidden();
        let mut fields: Vec<(&str, &str)> =
            hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fields.extend(typed);
        self.post(world, &action, &fields).await
    }

    pub(super) fn has_session(&self) -> bool {
        self.cookies.contains_key("__Host-portcullis-session")
    }

    /// Sends a request and follows redirects as long as they stay on our host.
    async fn follow(&mut self, world: &World, mut request: Request<Body>) -> Page {
        for _ in 0..10 {
            let cookies: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            if !cookies.is_empty() {
                request.headers_mut().insert(header::COOKIE, cookies.join("; ").parse().unwrap());
            }
            if !self.site.is_empty() {
                request.headers_mut().insert("sec-fetch-site", self.site.parse().unwrap());
            }
            let page = world.send(request).await;
            self.keep_cookies(&page);
            let location = page.headers.get(header::LOCATION).map(|value| value.to_str().unwrap().to_owned());
            match location {
                Some(location) if location.starts_with('/') => {
                    request = Request::get(location).body(Body::empty()).unwrap();
                }
                _ => return page,
            }
        }
        panic!("redirects without an end");
    }

    fn keep_cookies(&mut self, page: &Page) {
        for value in page.headers.get_all(header::SET_COOKIE) {
            let text = value.to_str().unwrap();
            for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
                assert!(text.contains(attribute), "{text}");
            }
            let (name, rest) = text.split_once('=').unwrap();
            match text.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), rest.split(';').next().unwrap().to_owned()),
            };
        }
    }
}

impl Page {
    pub(super) fn hidden(&self, name: &str) -> Option<String> {
        self.all_hidden().into_iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    pub(super) fn location(&self) -> &str {
        self.headers[header::LOCATION].to_str().unwrap()
    }

    /// A parameter of the address that the answer leads to.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.location().split_once('?')?;
        let fields = web::body::FormFields::parse(query.as_bytes()).unwrap();
        fields.find(name).unwrap().map(str::to_owned)
    }

    pub(super) fn policy(&self) -> &str {
        self.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap()
    }

    /// What the page says went wrong.
    pub(super) fn alert(&self) -> String {
        let text = self.text.split("role=\"alert\"").nth(1).and_then(|rest| rest.split("</p>").next());
        text.unwrap_or_default().to_owned()
    }

    fn all_hidden(&self) -> Vec<(String, String)> {
        let inputs = self.text.split("<input type=\"hidden\" name=\"").skip(1);
        inputs
            .map(|input| {
                let (name, rest) = input.split_once('"').unwrap();
                let value = rest.split("value=\"").nth(1).unwrap().split('"').next().unwrap();
                (name.to_owned(), value.replace("&amp;", "&").replace("&#38;", "&"))
            })
            .collect()
    }

    fn attribute(&self, before: &str) -> Option<String> {
        self.text.split(before).nth(1)?.split('"').next().map(str::to_owned)
    }
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let location = self.headers.get(header::LOCATION);
        write!(f, "{} {} {location:?}\n{}", self.status, self.path, self.text)
    }
}

fn form(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    request.body(testkit::form(fields).into()).unwrap()
}
