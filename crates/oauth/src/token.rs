//! The token endpoint (RFC 6749 §3.2), version 1 and 2: authenticates the client, dispatches to the file of the grant
//! type, and writes the response.

mod client_credentials;
mod code;
mod device;
mod on_behalf_of;
mod password;
mod refresh;
mod response;

use std::{marker::PhantomData, net::IpAddr};

use app::{
    App,
    directory::audience::{Resource, WrongScope},
    sign_in::{
        grants::client::{Client, ClientCredentials, ClientError},
        login::{Secret, failures},
        tokens::{Version, claims::ClientProof},
    },
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use domain::id::{AppId, TenantId};
use http::HeaderMap;
use web::{
    bearer::Credentials,
    body::{Form, FormFields},
    trace::RequestContext,
};

use crate::{
    authority::Authority,
    error::{Failure, codes},
};

/// A token request of an authenticated client.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    pub(crate) app: &'a App,
    pub(crate) authority: Authority,
    pub(crate) version: Version,
    pub(crate) fields: &'a FormFields,
    pub(crate) client: Client,
    pub(crate) proof: ClientProof,
    pub(crate) address: IpAddr,
}

/// The requested scope.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// The text that the client sent; in version 1 built from `resource`.
    pub(crate) text: String,
    pub(crate) resource: Resource,
}

pub(crate) async fn version_2(
    State(app): State<App>,
    Path(tenant): Path<String>,
    context: RequestContext,
    headers: HeaderMap,
    Form(fields, PhantomData): Form<Failure>,
) -> Result<Response, Failure> {
    answer(&app, &tenant, &context, &headers, &fields, Version::V2).await
}

pub(crate) async fn version_1(
    State(app): State<App>,
    Path(tenant): Path<String>,
    context: RequestContext,
    headers: HeaderMap,
    Form(fields, PhantomData): Form<Failure>,
) -> Result<Response, Failure> {
    answer(&app, &tenant, &context, &headers, &fields, Version::V1).await
}

async fn answer(
    app: &App,
    tenant: &str,
    context: &RequestContext,
    headers: &HeaderMap,
    fields: &FormFields,
    version: Version,
) -> Result<Response, Failure> {
    let authority = Authority::parse(app, tenant)?;
    let grant = Grant::parse(fields)?;
    let shown = credentials(app, &authority, headers, fields)?;
    let address = context.peer.address.ip();
    let failed = |reason: &dyn std::fmt::Display| {
        failures::report(&format!("application {}", shown.client), Some(address), reason);
    };
    let client = find_client(app, &authority, shown.client)
        .inspect_err(|_| failed(&"no such application exists in this tenant"))?;
    let home = authority.tenant().or_else(|| client.tenant());
    let proof = app
        .sign_in()
        .check_client(home, &client, &shown.credentials)
        .await
        .inspect_err(|error| failed(error))?;
    app.sign_in().require_client_in(home, &client).inspect_err(|error| failed(error))?;
    let exchange = Exchange { app, authority, version, fields, client, proof, address };
    let answered = match grant {
        Grant::DeviceCode => device::exchange(&exchange).await,
        Grant::AuthorizationCode => code::exchange(&exchange).await,
        Grant::RefreshToken => refresh::exchange(&exchange).await,
        Grant::ClientCredentials => client_credentials::exchange(&exchange).await,
        // The password grant logs its own failures, with the user.
        Grant::Password => return password::exchange(&exchange).await,
        Grant::OnBehalfOf => on_behalf_of::exchange(&exchange).await,
    };
    // A device that polls for approval has not failed.
    let waits =
        |failure: &Failure| [codes::PENDING.number, codes::SLOW_DOWN.number].contains(&failure.code.number);
    answered.inspect_err(|failure| {
        if !waits(failure) {
            failed(&failure.description());
        }
    })
}

impl Exchange<'_> {
    /// A required parameter of the grant.
    pub(crate) fn require(&self, name: &str) -> Result<&str, Failure> {
        self.fields.find(name)?.ok_or_else(|| Failure::missing(name))
    }

    /// The tenant that the exchange is limited to, if any.
    pub(crate) fn tenant(&self) -> Option<TenantId> {
        self.authority.tenant().or_else(|| self.client.tenant())
    }

    /// The requested scope; if absent, the scope that was granted at the start.
    pub(crate) fn scope_or(&self, granted: &str) -> Result<Scope, Failure> {
        let asked = read_scope(self.app, self.tenant(), self.fields)?;
        if asked.text.is_empty() { scope_of(self.app, self.tenant(), granted) } else { Ok(asked) }
    }
}

/// The supported grant types (RFC 6749 §4, RFC 8628 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grant {
    DeviceCode,
    AuthorizationCode,
    RefreshToken,
    ClientCredentials,
    Password,
    /// RFC 7523 §2.1, with a user's token as the assertion.
    OnBehalfOf,
}

impl Grant {
    fn parse(fields: &FormFields) -> Result<Self, Failure> {
        let name = fields.find("grant_type")?.ok_or_else(|| Failure::missing("grant_type"))?;
        Ok(match name {
            // MSAL for Node and for Go use the short name.
            "urn:ietf:params:oauth:grant-type:device_code" | "device_code" => Self::DeviceCode,
            "authorization_code" => Self::AuthorizationCode,
            "refresh_token" => Self::RefreshToken,
            "client_credentials" => Self::ClientCredentials,
            "password" => Self::Password,
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => Self::OnBehalfOf,
            _ => return Err(Failure::new(&codes::UNSUPPORTED_GRANT, "")),
        })
    }
}

/// The client id and credentials of a request.
#[derive(Debug)]
struct PresentedCredentials {
    client: AppId,
    credentials: ClientCredentials,
}

/// Client authentication (RFC 6749 §2.3.1, RFC 7523 §2.2); a request may use only one method.
fn credentials(
    app: &App,
    authority: &Authority,
    headers: &HeaderMap,
    fields: &FormFields,
) -> Result<PresentedCredentials, Failure> {
    let basic = basic(headers)?;
    let secret = fields.find("client_secret")?;
    let assertion = fields.find("client_assertion")?;
    let ways =
        usize::from(basic.is_some()) + usize::from(secret.is_some()) + usize::from(assertion.is_some());
    if ways > 1 {
        return Err(Failure::new(&codes::MALFORMED, "The client proves itself in more than one way."));
    }
    if let Some((client, secret)) = basic {
        let named = fields.find("client_id")?.is_none_or(|named| named.eq_ignore_ascii_case(&client));
        if !named {
            return Err(Failure::new(&codes::MALFORMED, "The header and the form name two clients."));
        }
        let credentials = ClientCredentials::Secret(Secret::new(secret));
        return Ok(PresentedCredentials { client: parse_client_id(&client)?, credentials });
    }
    let client = client_id(fields)?;
    let credentials = match (secret, assertion) {
        (Some(secret), _) => ClientCredentials::Secret(Secret::new(secret.to_owned())),
        (None, Some(token)) => {
            if fields.find("client_assertion_type")? != Some(ASSERTION_TYPE) {
                return Err(Failure::new(&codes::MALFORMED, "The client_assertion_type is not jwt-bearer."));
            }
            let audiences = authority.token_endpoints(&app.settings().external_url);
            ClientCredentials::Assertion { token: token.to_owned(), audiences }
        }
        (None, None) => ClientCredentials::None,
    };
    Ok(PresentedCredentials { client, credentials })
}

/// Client id and secret of a Basic `Authorization` header.
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Failure> {
    match web::bearer::credentials(headers) {
        Credentials::None => Ok(None),
        Credentials::Basic { name, secret } => Ok(Some((name, secret))),
        Credentials::Bearer(_) | Credentials::Unusable => {
            Err(Failure::new(&codes::MALFORMED, "The authorization header is not one of the scheme Basic."))
        }
    }
}

pub(crate) fn client_id(fields: &FormFields) -> Result<AppId, Failure> {
    parse_client_id(fields.find("client_id")?.ok_or_else(|| Failure::missing("client_id"))?)
}

pub(crate) fn parse_client_id(text: &str) -> Result<AppId, Failure> {
    let shown: String = text.chars().take(100).flat_map(char::escape_debug).collect();
    AppId::parse(text).map_err(|_| Failure::new(&codes::UNKNOWN_CLIENT, format!("\"{shown}\" is none.")))
}

/// The client, if it may act for users in the tenant of the URL.
pub(crate) fn live_client(app: &App, authority: &Authority, id: AppId) -> Result<Client, Failure> {
    let client = find_client(app, authority, id)?;
    app.sign_in().require_client_in(authority.tenant(), &client).map_err(|error| match error {
        ClientError::NoServicePrincipal => {
            Failure::new(&codes::UNKNOWN_CLIENT, format!("\"{id}\" has no service principal."))
        }
        other => other.into(),
    })?;
    Ok(client)
}

/// The client, if it belongs to the tenant of the URL.
fn find_client(app: &App, authority: &Authority, id: AppId) -> Result<Client, Failure> {
    let client = app.sign_in().find_client(id)?;
    match (client.tenant(), authority.tenant()) {
        (Some(home), Some(tenant)) if home != tenant => {
            Err(Failure::new(&codes::UNKNOWN_CLIENT, format!("\"{id}\" is none.")))
        }
        _ => Ok(client),
    }
}

/// The requested scope, or the `resource` of version 1. An empty text if neither was sent.
pub(crate) fn read_scope(app: &App, tenant: Option<TenantId>, fields: &FormFields) -> Result<Scope, Failure> {
    match (fields.find("scope")?, fields.find("resource")?) {
        (_, Some(resource)) if resource.len() > LONGEST_SCOPE || resource.contains(char::is_whitespace) => {
            Err(Failure::new(&codes::UNKNOWN_RESOURCE, quoted(resource)))
        }
        (_, Some(resource)) => {
            let found = app.sign_in().resource_of_name(tenant, resource);
            let found = found.ok_or_else(|| Failure::new(&codes::UNKNOWN_RESOURCE, quoted(resource)))?;
            // Converted to a scope, so that a refresh finds the resource again.
            Ok(Scope { text: format!("{resource}/.default openid offline_access"), resource: found })
        }
        (Some(scope), None) => scope_of(app, tenant, scope),
        (None, None) => Ok(Scope { text: String::new(), resource: Resource::UserInfo }),
    }
}

fn scope_of(app: &App, tenant: Option<TenantId>, text: &str) -> Result<Scope, Failure> {
    if text.len() > LONGEST_SCOPE {
        return Err(Failure::new(
            &codes::INVALID_SCOPE,
            format!("It is longer than {LONGEST_SCOPE} characters."),
        ));
    }
    let scopes: Vec<&str> = text.split_ascii_whitespace().collect();
    let resource = app.sign_in().resource_of_scopes(tenant, &scopes).map_err(|wrong| match wrong {
        WrongScope::Resource(scope) => Failure::new(&codes::UNKNOWN_RESOURCE, quoted(&scope)),
        WrongScope::Permission(name) => Failure::new(&codes::UNKNOWN_PERMISSION, quoted(&name)),
        WrongScope::Second(scope) => Failure::new(&codes::SEVERAL_RESOURCES, quoted(&scope)),
    })?;
    Ok(Scope { text: scopes.join(" "), resource })
}

fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(200).flat_map(char::escape_debug).collect();
    format!("It is \"{shown}\".")
}

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const LONGEST_SCOPE: usize = 4096;
