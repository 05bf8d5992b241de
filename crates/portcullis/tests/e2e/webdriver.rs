//! A real browser, driven over WebDriver (W3C Recommendation, 2018): just what a person does on a sign-in page. Ends
//! with its driver when dropped.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use reqwest::{Client, Method};
use serde_json::{Value, json};

pub(crate) struct Browser {
    driver: Child,
    session: String,
    http: Client,
    runtime: tokio::runtime::Runtime,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// A browser with an empty profile. It takes the server's certificate unseen: trust is not what is tried here.
    pub(crate) fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is missing: run `make tools`");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port =
            lines.find_map(|line| line.split_once("successfully on port ").map(|(_, port)| port.to_owned()));
        let port = port.expect("chromedriver says where it listens");
        let address = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Self {
            driver,
            session: address,
            http: Client::builder().no_proxy().build().unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            _profile: profile,
        };
        let folder = format!("--user-data-dir={}", browser._profile.path().display());
        let flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &folder,
        ];
        let options = json!({"args": flags});
        let wanted = json!({"capabilities": {"alwaysMatch": {"browserName": "chrome", "acceptInsecureCerts": true,
            "timeouts": {"implicit": 10_000, "pageLoad": 30_000}, "goog:chromeOptions": options}}});
        let made = browser.ask(Method::POST, "/session", &wanted);
        browser.session = format!("{}/session/{}", browser.session, made["sessionId"].as_str().unwrap());
        browser
    }

    pub(crate) fn open(&self, address: &str) {
        self.ask(Method::POST, "/url", &json!({"url": address}));
    }

    /// Types into the field that a CSS selector finds.
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.ask(Method::POST, &format!("/element/{element}/value"), &json!({"text": text}));
    }

    pub(crate) fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.ask(Method::POST, &format!("/element/{element}/click"), &json!({}));
    }

    /// Waits until the page shows this text in one element, as long as the session's implicit timeout.
    pub(crate) fn wait_for(&self, text: &str) {
        self.element("xpath", &format!("//*[contains(text(), '{text}')]"));
    }

    fn find(&self, selector: &str) -> String {
        self.element("css selector", selector)
    }

    fn element(&self, using: &str, value: &str) -> String {
        let found = self.ask(Method::POST, "/element", &json!({"using": using, "value": value}));
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    fn ask(&self, method: Method, path: &str, body: &Value) -> Value {
        let address = format!("{}{path}", self.session);
        let mut request = self.http.request(method, &address).timeout(Duration::from_secs(60));
        if !body.is_null() {
            request = request.json(body);
        }
        self.runtime.block_on(async {
            let response = request.send().await.unwrap();
            let success = response.status().is_success();
            let answer: Value = response.json().await.unwrap();
            assert!(success, "{path}: {answer}");
            answer["value"].clone()
        })
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let end = self.http.delete(&self.session).timeout(Duration::from_secs(10));
        let _ = self.runtime.block_on(async { end.send().await });
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
