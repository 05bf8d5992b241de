//! Ends the session of a browser (OpenID Connect RP-Initiated Logout 1.0). Tokens that clients hold stay valid until
//! they expire or are revoked, as with Entra.
//!
//! A link on any page can lead a browser here, so the user must confirm, unless the client sends an id token hint for
//! the user of this session (§2, §6).

use std::marker::PhantomData;

use app::{
    App,
    sign_in::{
        login::session::{LiveSession, form_token, is_form_token},
        tokens::IdTokenHint,
    },
};
use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse, Redirect, Response},
};
use domain::id::AppId;
use http::{HeaderMap, HeaderName, Uri, header};
use web::{
    body::{Form, FormFields},
    cookie,
    escapes::encode,
    page::Page,
};

use crate::{
    error::Failure,
    html::{escape, page},
    token::parse_client_id,
};

/// A sign-out request.
struct LogoutRequest<'a> {
    headers: &'a HeaderMap,
    fields: &'a FormFields,
    /// The parsed `id_token_hint`.
    hint: Option<IdTokenHint>,
}

pub(crate) async fn get(
    State(app): State<App>,
    here: Uri,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let fields = FormFields::parse(query.unwrap_or_default().as_bytes())?;
    let logout = LogoutRequest::new(&app, &headers, &fields)?;
    match logout.session(&app).await? {
        Some(session) if !logout.is_of(&session) => logout.ask(&app, here.path(), &session),
        Some(_) => logout.end(&app).await,
        None => logout.redirect_after_logout(&app),
    }
}

/// The submitted confirmation page, or a client's form with the parameters of [`get`].
pub(crate) async fn post(
    State(app): State<App>,
    here: Uri,
    headers: HeaderMap,
    Form(fields, PhantomData): Form<Failure>,
) -> Result<Response, Failure> {
    let logout = LogoutRequest::new(&app, &headers, &fields)?;
    if logout.is_answer()? {
        return logout.end(&app).await;
    }
    if headers.get(SEC_FETCH_SITE).is_some_and(|site| site == "cross-site") {
        // Browsers omit SameSite=Lax cookies from a cross-site POST, but send them with the redirected GET.
        return Ok(Redirect::to(&format!("{}?{}", here.path(), logout.query())).into_response());
    }
    match logout.session(&app).await? {
        Some(session) if !logout.is_of(&session) => logout.ask(&app, here.path(), &session),
        Some(_) => logout.end(&app).await,
        None => logout.redirect_after_logout(&app),
    }
}

impl<'a> LogoutRequest<'a> {
    fn new(app: &App, headers: &'a HeaderMap, fields: &'a FormFields) -> Result<Self, Failure> {
        let hint = fields.find("id_token_hint")?.and_then(|token| app.sign_in().read_id_token_hint(token));
        Ok(Self { headers, fields, hint })
    }

    async fn session(&self, app: &App) -> Result<Option<LiveSession>, Failure> {
        match cookie::find(self.headers, cookie::SESSION) {
            Some(session) => Ok(app.sign_in().find_session(session).await?),
            None => Ok(None),
        }
    }

    fn is_of(&self, session: &LiveSession) -> bool {
        self.hint.is_some_and(|hint| hint.user == session.signed_in.user)
    }

    /// Whether this is the confirmation form, submitted by the browser that it was rendered for.
    fn is_answer(&self) -> Result<bool, Failure> {
        let browser = cookie::find(self.headers, cookie::BROWSER);
        let shown = self.fields.find("form")?.unwrap_or_default();
        Ok(browser.is_some_and(|browser| is_form_token(browser, shown)))
    }

    fn ask(&self, app: &App, here: &str, session: &LiveSession) -> Result<Response, Failure> {
        let known = cookie::find(self.headers, cookie::BROWSER).map(str::to_owned);
        let is_new = known.is_none();
        let browser = known.map_or_else(|| app.sign_in().new_browser(), Ok)?;
        let kept = self.parameters().map(|(name, value)| {
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value))
        });
        let html = page(
            "Sign out?",
            &format!(
                "<p>You are signed in as <strong>{}</strong>.</p>\
                 <form method=\"post\" action=\"{}\"><input type=\"hidden\" name=\"form\" value=\"{}\">{}\
                 <button type=\"submit\">Sign out</button></form>\
                 <p><a href=\"/portal/\">Stay signed in</a></p>",
                escape(&session.caller.name),
                escape(here),
                form_token(&browser),
                kept.collect::<String>()
            ),
        );
        let mut answer = Page::new(html);
        if let Some(target) = self.target(app)? {
            answer = answer.with_form_target(&target);
        }
        let mut response = answer.into_response();
        if is_new {
            let header = cookie::set(cookie::BROWSER, &browser);
            response.headers_mut().extend(header.map(|value| (header::SET_COOKIE, value)));
        }
        Ok(response)
    }

    async fn end(&self, app: &App) -> Result<Response, Failure> {
        if let Some(session) = cookie::find(self.headers, cookie::SESSION) {
            app.sign_in().end_session(session).await?;
        }
        let mut response = self.redirect_after_logout(app)?;
        response
            .headers_mut()
            .extend(cookie::clear(cookie::SESSION).map(|value| (header::SET_COOKIE, value)));
        Ok(response)
    }

    fn redirect_after_logout(&self, app: &App) -> Result<Response, Failure> {
        let target = self.target(app)?.unwrap_or_else(|| "/portal/signed-out".to_owned());
        Ok(Redirect::to(&target).into_response())
    }

    /// The URL to redirect to: only a registered redirect URI of the client, because otherwise this would be an open
    /// redirect.
    fn target(&self, app: &App) -> Result<Option<String>, Failure> {
        let Some(address) = self.fields.find("post_logout_redirect_uri")? else { return Ok(None) };
        let named = self.fields.find("client_id")?.map(parse_client_id).transpose().ok().flatten();
        let hinted = self.hint.map(|hint| hint.client);
        let client: Option<AppId> = match (named, hinted) {
            (Some(named), Some(hinted)) => (named == hinted).then_some(named),
            (named, hinted) => named.or(hinted),
        };
        let found = client.and_then(|id| app.sign_in().find_client(id).ok());
        if !found.is_some_and(|client| client.may_redirect_to(address)) {
            return Ok(None);
        }
        let Some(state) = self.fields.find("state")? else { return Ok(Some(address.to_owned())) };
        let separator = if address.contains('?') { '&' } else { '?' };
        Ok(Some(format!("{address}{separator}state={}", encode(state))))
    }

    /// The parameters of the request that are used.
    fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().filter(|(name, _)| PARAMETERS.contains(name))
    }

    fn query(&self) -> String {
        let pairs = self.parameters().map(|(name, value)| format!("{name}={}", encode(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

const PARAMETERS: [&str; 4] = ["post_logout_redirect_uri", "client_id", "id_token_hint", "state"];
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
