//! The portal: pages for whoever is at the browser. Forms count only in the browser that they were made for, and what
//! is somebody's own asks for their session.

use reqwest::RequestBuilder;

use super::{Asked, Body, Differences, Values, check_complete, stage};
use testserver::Site;

/// A route: its query or form, and what a browser without a session, with one that does not count, and of somebody
/// without rights is answered. Forms are posted with the value that the browser's own pages have.
struct Row(&'static str, &'static str, &'static str, &'static str, &'static str);

const OLD_FORM: &str = "400";
const SIGN_IN: &str = "303 /portal/sign-in";

const ROWS: &[Row] = &[
    Row("GET", "/", "", "303 /portal/", "303 /portal/"),
    Row("GET", "/portal", "", "303 /portal/", "303 /portal/"),
    Row("GET", "/portal/", "", SIGN_IN, "200"),
    Row("GET", "/portal/sign-in", "", "200", "200"),
    Row("POST", "/portal/sign-in", WRONG_PASSWORD, "401", "401"),
    Row("GET", "/portal/password", "", "200", "200"),
    Row("POST", "/portal/password", WRONG_OLD_PASSWORD, "400", "400"),
    Row("GET", "/portal/authorize", "request=x", "404", "404"),
    Row("POST", "/portal/authorize", "request=x&answer=allow", "400", "404"),
    Row("POST", "/portal/sign-out", "", "303 /portal/signed-out", "303 /portal/signed-out"),
    Row("GET", "/portal/signed-out", "", "200", "200"),
    Row("GET", "/devicelogin", "", "200", "200"),
    Row("POST", "/devicelogin", "user_code=ABCD", "303 /devicelogin/confirm", "303 /devicelogin/confirm"),
    Row("GET", "/common/oauth2/deviceauth", "", "200", "200"),
    Row(
        "POST",
        "/common/oauth2/deviceauth",
        "user_code=ABCD",
        "303 /devicelogin/confirm",
        "303 /devicelogin/confirm",
    ),
    Row("GET", "/devicelogin/confirm", "code=ABCD", SIGN_IN, "400"),
    Row("POST", "/devicelogin/confirm", "code=ABCD&answer=allow", "400", "400"),
    Row("GET", "/portal/assets/portal.css", "", "200", "200"),
];

const WRONG_PASSWORD: &str = "user_name=victim@portcullis.local&password=wrong";
const WRONG_OLD_PASSWORD: &str = "user_name=victim@portcullis.local&password=wrong&\
     new_password=another horse battery&repeated_password=another horse battery";

/// A browser: its cookies, and the value that its forms carry.
struct Browser {
    name: &'static str,
    id: &'static str,
    session: Option<String>,
}

impl Browser {
    fn ask(&self, site: &Site, row: &Row, form: Option<&str>) -> (Asked, RequestBuilder) {
        let (path, body) = match row.0 {
            "GET" => (format!("{}?{}", row.1, row.2), Body::None),
            _ => (row.1.to_owned(), Body::None),
        };
        let asked = Asked { method: row.0, path, body };
        let mut request = asked.request(site, &Values::default());
        let session = self.session.iter().map(|session| format!("; __Host-portcullis-session={session}"));
        let cookies = format!("__Host-portcullis-browser={}{}", self.id, session.collect::<String>());
        request = request.header("cookie", cookies);
        if row.0 == "POST" {
            let token = form.map(|form| format!("&form={form}")).unwrap_or_default();
            request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(format!("{}{token}", row.2));
        }
        (asked, request)
    }

    /// Signs in by the page, as people do.
    async fn sign_in(site: &Site, name: &'static str, user_name: &str) -> Self {
        let mut browser = Self { name, id: ID, session: None };
        let row = Row("POST", "/portal/sign-in", "", "", "");
        let (_, request) = browser.ask(site, &row, None);
        let form = app::sign_in::login::session::form_token(ID);
        let text = format!("user_name={user_name}&password=correct horse battery&form={form}");
        let answer = request.body(text).send().await.unwrap();
        let cookie = answer.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
        let session = cookie.filter_map(|text| text.strip_prefix("__Host-portcullis-session=")).next();
        browser.session = Some(session.unwrap().split(';').next().unwrap().to_owned());
        browser
    }
}

const ID: &str = "browser-of-this-test-0000000000000000000000";

#[tokio::test]
async fn every_page_of_the_portal_is_for_the_browser_and_person_that_it_is_about() {
    check_complete(::portal::surface(), ROWS.iter().map(|row| (row.0, row.1.to_owned())));
    let mut site = Site::start(|_| {}).await;
    site.http = stage::browser(&site);
    stage::directory(&site).await;
    let gone = site.user("gone@portcullis.local").await;
    let disabled = Browser::sign_in(&site, "somebody disabled", "gone@portcullis.local").await;
    let disable = app::directory::users::UserUpdate { enabled: Some(false), ..Default::default() };
    site.running.app.directory().update_user(&site.admin, gone, disable).await.unwrap();
    let nobody = Browser { name: "nobody", id: ID, session: None };
    let made_up = Browser { name: "a made-up session", id: ID, session: Some("x".repeat(43)) };
    let before = stage::revision(&site).await;
    let mut differences = Differences::default();
    let form = app::sign_in::login::session::form_token(ID);
    let other = app::sign_in::login::session::form_token("another-browser");
    for row in ROWS {
        for browser in [&nobody, &made_up, &disabled] {
            let (asked, request) = browser.ask(&site, row, Some(&form));
            differences.check(&asked, browser.name, &super::answer(request).await, row.3);
        }
        // Each time anew: one of the rows ends the session.
        let person = Browser::sign_in(&site, "somebody without rights", "spare@portcullis.local").await;
        let (asked, request) = person.ask(&site, row, Some(&form));
        differences.check(&asked, person.name, &super::answer(request).await, row.4);
        if row.0 == "POST" {
            for (name, form) in [("a form without a value", None), ("another browser's form", Some(&*other))]
            {
                let (asked, request) = person.ask(&site, row, form);
                differences.check(&asked, name, &super::answer(request).await, OLD_FORM);
            }
            let (asked, request) = person.ask(&site, row, Some(&form));
            let request = request.header("sec-fetch-site", "cross-site");
            differences.check(&asked, "a foreign page", &super::answer(request).await, OLD_FORM);
        }
    }
    stage::check_access_unchanged(&site, before);
    differences.finish();
}
