//! Which claims a token carries, in the shapes of Entra's version 1 and 2
//! (learn.microsoft.com, "Access token claims reference" and "ID token claims reference").

use crypto::jwt::Claims;
use domain::{
    application::ServicePrincipalKind,
    directory::Principal,
    id::{AppId, ObjectId, TenantId},
    snapshot::Snapshot,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use state::Kind;

use directory::audience::{Audience, Resource};
use state::principal_status::{is_enabled, session_stamp};

use super::{client_name, issuer};
use state::{Error, well_known::CLUSTER_AUDIENCE};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

/// How the client proved itself (`azpacr`, `appidacr`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientProof {
    None = 0,
    Secret = 1,
    Assertion = 2,
}

/// An access token to be issued.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    pub tenant: TenantId,
    pub subject: ObjectId,
    pub client: AppId,
    pub client_proof: ClientProof,
    pub resource: Resource,
    pub version: Version,
    /// The stamp of the session that it is issued in. Nothing is issued once the principal has another one: they were
    /// signed out everywhere while the request was under way.
    pub session: i64,
    /// How the person signed in (`pwd`, ...); empty for applications.
    pub methods: Vec<String>,
}

/// An id token to be issued.
#[derive(Clone, Debug)]
pub struct IdTokenRequest {
    pub tenant: TenantId,
    pub user: ObjectId,
    pub client: AppId,
    pub version: Version,
    pub nonce: Option<String>,
}

pub(super) fn access(
    snapshot: &Snapshot,
    external_url: &str,
    request: &TokenRequest,
    now: Timestamp,
    uti: String,
) -> Result<Claims, Error> {
    let mut claims = common(snapshot, external_url, request.tenant, request.subject, request.version, now)?;
    let audience = match &request.resource {
        Resource::Management(audience) => audience.clone(),
        Resource::Cluster => CLUSTER_AUDIENCE.to_owned(),
        Resource::Application { app_id, name, .. } => match request.version {
            Version::V1 => name.clone(),
            Version::V2 => app_id.to_string(),
        },
        Resource::UserInfo => Audience::new(external_url).user_info(),
    };
    put(&mut claims, "aud", audience);
    if let Resource::Application { app_id, .. } = &request.resource {
        put(&mut claims, RESOURCE, app_id.to_string());
    }
    put(&mut claims, "uti", uti);
    let (client, proof) = match request.version {
        Version::V1 => ("appid", "appidacr"),
        Version::V2 => ("azp", "azpacr"),
    };
    put(&mut claims, client, request.client.to_string());
    put(&mut claims, proof, (request.client_proof as u8).to_string());
    if let Some(principal) = snapshot.directory().service_principal_by_app_id(request.tenant, request.client)
    {
        put(&mut claims, CLIENT, principal.id.to_string());
    }
    if let Some(tenant) = snapshot.directory().tenant(request.tenant) {
        put(&mut claims, "xms_tcdt", tenant.created.as_second());
    }
    if let Some(name) = client_name(snapshot, request.client) {
        put(&mut claims, "app_displayname", name);
    }
    match snapshot.directory().principal(request.subject) {
        Some(Principal::User(_)) => {
            put(&mut claims, "idtyp", "user");
            let permission =
                if request.resource == Resource::UserInfo { "openid profile" } else { IMPERSONATION };
            put(&mut claims, "scp", permission);
            put(&mut claims, "amr", request.methods.clone());
            put(&mut claims, "acr", "1");
        }
        Some(Principal::ServicePrincipal(principal)) => {
            put(&mut claims, "idtyp", "app");
            // By this a client knows which managed identity it is.
            if let ServicePrincipalKind::ManagedIdentity(resource) = &principal.kind {
                put(&mut claims, "xms_mirid", resource.as_str());
            }
        }
        Some(Principal::Group(_)) => return Err(Error::not_found(Kind::Principal, request.subject)),
        None => return Err(Error::not_found(Kind::Principal, request.subject)),
    }
    put_groups(&mut claims, snapshot, external_url, request.subject);
    let same = session_stamp(snapshot, request.subject) == Some(request.session);
    if !same || !is_enabled(snapshot, request.subject) {
        return Err(Error::Unauthenticated(format!(
            "{} was signed out or disabled meanwhile",
            request.subject
        )));
    }
    put(&mut claims, STAMP, request.session);
    Ok(claims)
}

pub(super) fn id(
    snapshot: &Snapshot,
    external_url: &str,
    request: &IdTokenRequest,
    now: Timestamp,
    uti: String,
) -> Result<Claims, Error> {
    let mut claims = common(snapshot, external_url, request.tenant, request.user, request.version, now)?;
    put(&mut claims, "aud", request.client.to_string());
    put(&mut claims, "uti", uti);
    if let Some(nonce) = &request.nonce {
        put(&mut claims, "nonce", nonce.clone());
    }
    Ok(claims)
}

fn common(
    snapshot: &Snapshot,
    external_url: &str,
    tenant: TenantId,
    subject: ObjectId,
    version: Version,
    now: Timestamp,
) -> Result<Claims, Error> {
    let seconds = now.as_second();
    let mut claims = Claims::new();
    put(&mut claims, "iss", issuer(external_url, tenant, version));
    put(&mut claims, "iat", seconds);
    put(&mut claims, "nbf", seconds);
    put(&mut claims, "exp", seconds + ACCESS_LIFE.as_secs());
    put(&mut claims, "tid", tenant.to_string());
    put(&mut claims, "oid", subject.to_string());
    put(&mut claims, "sub", subject.to_string());
    put(&mut claims, "ver", if version == Version::V1 { "1.0" } else { "2.0" });
    if let Some(user) = snapshot.directory().user(subject) {
        put(&mut claims, "name", user.display_name.as_str());
        put(&mut claims, "upn", user.upn.as_str());
        match version {
            Version::V1 => put(&mut claims, "unique_name", user.upn.as_str()),
            Version::V2 => put(&mut claims, "preferred_username", user.upn.as_str()),
        }
        if let Some(given) = &user.given_name {
            put(&mut claims, "given_name", given.as_str());
        }
        if let Some(surname) = &user.surname {
            put(&mut claims, "family_name", surname.as_str());
        }
    }
    Ok(claims)
}

/// Groups by object id; of more than 200 only where to ask for them, as Entra does.
fn put_groups(claims: &mut Claims, snapshot: &Snapshot, external_url: &str, subject: ObjectId) {
    let groups = snapshot.directory().transitive_groups(subject);
    if groups.len() <= MOST_GROUPS {
        put(claims, "groups", groups.iter().map(ToString::to_string).collect::<Vec<_>>());
        return;
    }
    put(claims, "_claim_names", json!({"groups": "src1"}));
    let endpoint = format!("{external_url}/v1.0/users/{subject}/getMemberObjects");
    put(claims, "_claim_sources", json!({"src1": {"endpoint": endpoint}}));
}

fn put(claims: &mut Claims, name: &str, value: impl Into<Value>) {
    claims.insert(name.to_owned(), value.into());
}

/// Of access tokens and id tokens. Clients take less than five minutes for ended.
pub const ACCESS_LIFE: SignedDuration = SignedDuration::from_hours(1);
const IMPERSONATION: &str = "user_impersonation";
/// The session stamp: nanoseconds of the principal's `tokens_valid_after`.
pub(super) const STAMP: &str = "xms_stamp";
/// The application that the token is for. Version 1 writes a name as audience, which another may have later.
const RESOURCE: &str = "xms_resource";
/// What the client is in the tenant. It may be deleted and made again; the token counts no more then.
const CLIENT: &str = "xms_client";
const MOST_GROUPS: usize = 200;
