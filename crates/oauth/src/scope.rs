//! What a client asks to reach: a list of scopes in version 2, a resource in version 1.

use app::{App, tokens::{Audience, Version, audience::Resource}};

use crate::{error::OAuthError, form::Form};

/// The resource that a request names. A version 1 client that names none wants Graph.
pub(crate) fn resource(app: &App, form: &Form, version: Version, fallback: &str) -> Result<Resource, OAuthError> {
    let audience = Audience::new(&app.settings().external_url);
    if version == Version::V1 && let Some(resource) = form.find("resource") {
        return audience.of_resource(resource).ok_or_else(|| OAuthError::invalid_scope(resource));
    }
    let scope = form.find("scope").unwrap_or(fallback);
    let scopes: Vec<&str> = scope.split_ascii_whitespace().collect();
    if version == Version::V1 && scopes.is_empty() {
        return Ok(Resource::Management(app.settings().external_url.clone()));
    }
    audience.of_scopes(&scopes).map_err(|scope| OAuthError::invalid_scope(&scope))
}

/// The scope that a grant keeps: as asked, with a version 1 resource as a scope.
pub(crate) fn asked(form: &Form) -> String {
    match (form.find("scope"), form.find("resource")) {
        (Some(scope), _) => scope.to_owned(),
        (None, Some(resource)) => format!("{resource}/.default openid offline_access"),
        (None, None) => String::new(),
    }
}

pub(crate) fn holds(scope: &str, wanted: &str) -> bool {
    scope.split_ascii_whitespace().any(|each| each.eq_ignore_ascii_case(wanted))
}
