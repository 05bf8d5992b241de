//! A person at a browser without scripts: follows links within the installation, fills in its forms by their field
//! names and keeps its cookies. For tests that need somebody to sign in but are not about the pages themselves; those
//! are tried in a real browser elsewhere.

use std::{collections::BTreeMap, time::Duration};

use reqwest::{Client, Method, Response, Url, header};

use crate::running::Journey;

/// Somebody with a name and a password.
pub(crate) struct Person<'a> {
    journey: &'a Journey,
    user_name: &'a str,
    password: &'a str,
}

struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
    host: Url,
    /// Where no request is sent any more.
    stop_at: Option<String>,
}

struct Page {
    url: Url,
    text: String,
}

impl<'a> Person<'a> {
    pub(crate) fn new(journey: &'a Journey, user_name: &'a str, password: &'a str) -> Self {
        Self { journey, user_name, password }
    }

    /// Opens a client's sign-in address, signs in, goes on, and carries the answer to the client.
    #[track_caller]
    pub(crate) fn authorize(&self, address: &str) {
        self.at_the_browser(async |browser| {
            let page = browser.open(address).await;
            let page = self.sign_in(browser, page).await;
            let page = browser.submit(&page, &[("answer", "allow")]).await;
            if page.text.contains("name=\"code\"") {
                browser.submit(&page, &[]).await;
            }
        });
    }

    /// The same for a client whose own address, `redirect`, nobody listens at: gives the whole address that the browser
    /// was sent back to.
    #[track_caller]
    pub(crate) fn authorize_until(&self, address: &str, redirect: &str) -> String {
        self.at_the_browser(async |browser| {
            browser.stop_at = Some(redirect.to_owned());
            let page = browser.open(address).await;
            let page = self.sign_in(browser, page).await;
            browser.submit(&page, &[("answer", "allow")]).await.url.to_string()
        })
    }

    /// Approves the code that a device shows.
    #[track_caller]
    pub(crate) fn approve(&self, user_code: &str) {
        self.at_the_browser(async |browser| {
            let page = browser.open(&format!("{}/devicelogin", self.journey.url)).await;
            let page = browser.submit(&page, &[("user_code", user_code)]).await;
            let page = self.sign_in(browser, page).await;
            let page = browser.submit(&page, &[("answer", "allow")]).await;
            assert!(page.text.contains("signed in"), "{}", page.text);
        });
    }

    async fn sign_in(&self, browser: &mut Browser, page: Page) -> Page {
        assert!(page.url.path().starts_with("/portal/sign-in"), "{}: {}", page.url, page.text);
        browser.submit(&page, &[("user_name", self.user_name), ("password", self.password)]).await
    }

    #[track_caller]
    fn at_the_browser<T>(&self, visit: impl AsyncFnOnce(&mut Browser) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut browser = Browser {
                client: self.journey.http(),
                cookies: BTreeMap::new(),
                host: Url::parse(&self.journey.url).unwrap(),
                stop_at: None,
            };
            visit(&mut browser).await
        })
    }
}

impl Browser {
    async fn open(&mut self, address: &str) -> Page {
        self.go(Method::GET, Url::parse(address).unwrap(), &[]).await
    }

    /// Posts the only form of a page: what it holds already, and what the person fills in.
    async fn submit(&mut self, page: &Page, filled: &[(&str, &str)]) -> Page {
        let form = page.text.split("<form").nth(1).unwrap_or_else(|| panic!("no form in {}", page.text));
        let form = form.split("</form>").next().unwrap();
        let target = page.url.join(&attribute(form, "action").unwrap()).unwrap();
        let hidden = form.split("<input").filter(|input| input.contains("type=\"hidden\""));
        let mut fields: Vec<(String, String)> = hidden
            .map(|input| (attribute(input, "name").unwrap(), attribute(input, "value").unwrap_or_default()))
            .collect();
        fields.extend(filled.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.go(Method::POST, target, &fields).await
    }

    /// Sends one request, and follows redirects as long as they stay at our host or end at a loopback client.
    async fn go(&mut self, method: Method, url: Url, fields: &[(String, String)]) -> Page {
        let (mut method, mut url) = (method, url);
        for _ in 0..10 {
            let home = url.origin() == self.host.origin();
            let mut request =
                self.client.request(method.clone(), url.clone()).timeout(Duration::from_secs(30));
            if home {
                let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
                request = request.header(header::COOKIE, cookies.collect::<Vec<_>>().join("; "));
            }
            if method == Method::POST {
                request = request.form(fields);
            }
            let response = request.send().await.unwrap();
            if home {
                self.keep_cookies(&response);
            }
            match response.headers().get(header::LOCATION) {
                Some(target) if response.status().is_redirection() => {
                    url = url.join(target.to_str().unwrap()).unwrap();
                    method = Method::GET;
                    if self.stop_at.as_ref().is_some_and(|stop| url.as_str().starts_with(stop)) {
                        return Page { url, text: String::new() };
                    }
                }
                _ => return Page { url, text: response.text().await.unwrap() },
            }
        }
        panic!("too many redirects, at last to {url}");
    }

    fn keep_cookies(&mut self, response: &Response) {
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// The value of an attribute of a tag as our templates write it.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?;
    let entities =
        [("&#39;", "'"), ("&#34;", "\""), ("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&#38;", "&")];
    let plain = entities.iter().fold(value.to_owned(), |text, (entity, letter)| text.replace(entity, letter));
    Some(plain.replace("&amp;", "&"))
}
