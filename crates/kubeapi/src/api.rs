//! The API server of embedded clusters: turns a request into a use case, and its result into a response.
//!
//! ```text
//!   path, query ─► RequestInfo ─┐
//!   certificate, token, impersonation ─► caller ─► 401
//!                               └► the use case authorizes ─► 403, or its result
//! ```
//!
//! The use case authorizes the request before anything else, for any path: a caller without permission gets 403 even
//! for a resource that does not exist; only an authorized caller gets 404.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use app::{
    App,
    kubernetes::objects::{
        Impersonation, KubeCaller, ObjectError, Presented, RequestedAccess, Target, Token,
    },
    sign_in::login::failures,
};
use axum::{
    body::Body,
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use domain::cluster::Cluster;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use web::{
    bearer::{self, Credentials},
    body::{BodyError, BudgetedBody},
    memory_budget::Reservation,
    serve::ClientIdentity,
    stream::{self, Counted},
    trace::{Peer, RequestContext},
};

use crate::{
    kinds::{self, Kind, Role},
    render::{View, is_large},
    request::{self, Form, Query, RequestInfo, accepted, include_object},
    status::Status,
    table::IncludeObject,
};

mod objects;
mod paths;
mod reviews;
mod subresources;
mod watch;
mod writes;

/// A parsed and authenticated request.
pub(crate) struct Call {
    app: App,
    caller: KubeCaller,
    access: RequestedAccess,
    query: Query,
    headers: HeaderMap,
    peer: Arc<Peer>,
    /// The memory reservation for a large body and the response to it.
    place: Mutex<Option<Reservation>>,
}

/// A served resource and the object that the path names.
pub(crate) struct Named {
    kind: &'static Kind,
    namespace: String,
    name: String,
    subresource: String,
}

pub(crate) async fn handle(
    State(app): State<App>,
    Path(parameters): Path<Vec<(String, String)>>,
    request: Request,
) -> Response {
    let named = parameters.into_iter().find(|(name, _)| name == "cluster").map(|(_, value)| value);
    let Some(cluster) = named.and_then(|name| app.kubernetes().find_embedded(&name)) else {
        return not_found();
    };
    match answer(app, &cluster, request).await {
        Ok(response) => response,
        Err(status) => status.into_response(),
    }
}

async fn answer(app: App, cluster: &Arc<Cluster>, request: Request) -> Result<Response, Status> {
    let (parts, body) = request.into_parts();
    let presented = presented(&parts.extensions, &parts.headers);
    let Some(path) = path_within(parts.uri.path()) else { return Ok(not_found()) };
    let query = Query::parse(parts.uri.query().unwrap_or_default())
        .ok_or_else(|| Status::bad_request("the query of the request cannot be read"))?;
    let info = RequestInfo::parse(&parts.method, path, &query)
        .ok_or_else(|| Status::bad_request("the path of the request cannot be read"))?;
    if let Some(token) = presented.bearer()
        && let Err(reason) = app.sign_in().recognize_external(token).await
    {
        tracing::info!(%reason, "a token of a foreign authority was refused");
    }
    // Bad credentials are refused before any other check, also on paths that need no authorization.
    app.kubernetes().check_credentials(cluster.id, &presented).map_err(|because| {
        let source = parts.extensions.get::<RequestContext>().map(|context| context.peer.address.ip());
        failures::report(&format!("credentials for cluster {}", cluster.id), source, &because);
        Status::from(ObjectError::Unauthenticated)
    })?;
    let impersonation = match impersonation(&parts.headers) {
        Ok(impersonation) => impersonation,
        Err(text) => return Ok((StatusCode::INTERNAL_SERVER_ERROR, text).into_response()),
    };
    let caller = app.kubernetes().kube_caller(cluster.id, presented, impersonation).map_err(Status::from)?;
    let access = RequestedAccess { verb: info.verb.to_owned(), target: target(&info.place) };
    let context = parts.extensions.get::<RequestContext>();
    let peer = context.map_or_else(|| Arc::new(Peer::in_process()), |context| context.peer.clone());
    let mut call = Call { app, caller, access, query, headers: parts.headers, peer, place: Mutex::default() };
    match info.place {
        request::RequestTarget::Path(path) => paths::answer(&call, &parts.method, &path),
        request::RequestTarget::Resource { group, version, resource, subresource, namespace, name } => {
            let Some(kind) = kinds::find(&group, &version, &resource) else {
                call.allow()?;
                let known = kinds::group_version_exists(&group, Some(&version));
                return if known { Err(Status::no_such_resource()) } else { Ok(not_found()) };
            };
            let named = Named { kind, namespace, name, subresource };
            dispatch(&mut call, named, &parts.method, body).await
        }
    }
}

async fn dispatch(call: &mut Call, named: Named, method: &Method, body: Body) -> Result<Response, Status> {
    let kind = named.kind;
    // Without a namespace, a namespaced kind can only be listed and watched; a cluster-wide kind has no namespace.
    let nowhere = named.namespace.is_empty();
    let misplaced = match kind.namespaced {
        true => nowhere && !named.name.is_empty() && call.is_named(),
        false => !nowhere && !kind.is_namespace(),
    };
    if misplaced {
        call.allow()?;
        return Err(Status::no_such_resource());
    }
    if !named.subresource.is_empty() {
        return subresources::answer(call, &named, body).await;
    }
    let verb = call.access.verb.clone();
    if !kind.verbs.contains(&verb.as_str())
        || (kind.namespaced && named.namespace.is_empty() && writes(&verb))
    {
        call.allow()?;
        return Err(Status::method_not_allowed());
    }
    if let Role::Review(review) = kind.role {
        return reviews::answer(call, &named, review, body).await;
    }
    match verb.as_str() {
        "get" => objects::get(call, &named),
        "list" => objects::list(call, &named).await,
        "watch" => watch::answer(call, &named),
        "create" => writes::create(call, &named, body).await,
        "update" => writes::update(call, &named, body).await,
        "patch" => writes::patch(call, &named, body).await,
        "delete" => writes::delete(call, &named, body).await,
        "deletecollection" => writes::delete_collection(call, &named, body).await,
        _ => {
            tracing::debug!(%method, verb, "a verb without a handler");
            Err(Status::method_not_allowed())
        }
    }
}

impl Call {
    /// Authorizes a request that no use case handles.
    fn allow(&self) -> Result<(), Status> {
        self.app.kubernetes().allow(&self.caller, &self.access).map_err(Status::from)
    }

    /// Whether the path names the object; a list or watch may name one by a field selector.
    fn is_named(&self) -> bool {
        !matches!(self.access.verb.as_str(), "list" | "watch")
    }

    /// Reads a body of at most [`MOST_BODY_BYTES`]; a large one needs a memory reservation.
    async fn body(&self, body: Body) -> Result<bytes::Bytes, Status> {
        let read = web::body::read_in_room(body, MOST_BODY_BYTES, self.peer.room(), || self.account());
        match read.await {
            Ok((body, place)) => {
                let mut held = self.held();
                if held.is_none() {
                    *held = place;
                }
                Ok(body)
            }
            Err(BudgetedBody::BudgetExhausted(full)) => Err(full.into()),
            Err(BudgetedBody::Body(error)) => Err(body_status(&error)),
        }
    }

    /// The format of the objects in the response.
    fn view(&self, kind: &'static Kind) -> Result<View, Status> {
        let form = accepted(&self.headers)?;
        let include = if form == Form::Table { include_object(&self.query)? } else { IncludeObject::None };
        Ok(View { kind, form, include, now: self.app.now() })
    }

    /// The account that memory reservations of this request count for.
    fn account(&self) -> String {
        self.app.kubernetes().account_of(&self.caller)
    }

    fn held(&self) -> MutexGuard<'_, Option<Reservation>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves memory for the response before the change is made.
    fn hold(&self, bytes: usize) -> Result<(), Status> {
        *self.held() = Some(self.peer.room().take(&self.account(), bytes)?);
        Ok(())
    }

    /// As [`Call::hold`], if the stored object is large. The caller must already be authorized to write it.
    fn hold_for(&self, named: &Named) -> Result<(), Status> {
        match self.app.kubernetes().is_stored(&self.caller, &named.place(), is_large) {
            true => self.hold(stream::WINDOW),
            false => Ok(()),
        }
    }

    /// The body of a complete response. With a reservation it is never refused: the change is already made.
    fn answer(&self, text: Vec<u8>) -> Result<Body, Status> {
        let room = self.peer.room();
        let held = self.held().take();
        match held {
            Some(place) => Ok(stream::placed(room, place, text)),
            None if text.len() > stream::SLICE && writes(&self.access.verb) => {
                let place = room.take_anyway(&self.account(), text.len());
                Ok(stream::placed(room, place, text))
            }
            None => Ok(stream::whole(room, || self.account(), text)?),
        }
    }
}

impl Named {
    fn place(&self) -> app::kubernetes::objects::ObjectReference<'_> {
        app::kubernetes::objects::ObjectReference {
            resource: self.kind.resource(),
            namespace: &self.namespace,
            name: &self.name,
        }
    }
}

/// A JSON response with the warnings of the decoded request body.
pub(crate) fn respond(status: StatusCode, value: &Value, warnings: &[String]) -> Response {
    json(status, value.to_string().into(), warnings)
}

/// A response whose body already has a memory reservation.
fn sent(status: StatusCode, body: Body, warnings: &[String]) -> Response {
    let mut response = json(status, body, warnings);
    response.extensions_mut().insert(Counted);
    response
}

fn json(status: StatusCode, body: Body, warnings: &[String]) -> Response {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    for warning in warnings {
        if let Ok(value) = HeaderValue::from_str(&format!("299 - {}", Value::String(warning.clone()))) {
            headers.append(header::WARNING, value);
        }
    }
    response
}

pub(crate) fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}

pub(crate) fn body_status(error: &BodyError) -> Status {
    match error {
        BodyError::TooLarge { limit } => Status::too_large(*limit),
        error => Status::bad_request(error.to_string()),
    }
}

/// The path after `/clusters/{cluster}`.
fn path_within(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/clusters/")?;
    Some(rest.find('/').and_then(|place| rest.get(place..)).unwrap_or("/"))
}

fn presented(extensions: &http::Extensions, headers: &HeaderMap) -> Presented {
    let token = match bearer::credentials(headers) {
        Credentials::None => Token::None,
        Credentials::Bearer(token) => Token::Bearer(token.into()),
        Credentials::Basic { .. } | Credentials::Unusable => Token::Unusable,
    };
    let certificate = presented_certificate(extensions.get::<RequestContext>());
    Presented { certificate, token }
}

/// The client certificate of the connection. An unverified one becomes an empty one, which is refused: presenting a
/// wrong certificate is not the same as presenting none.
fn presented_certificate(context: Option<&RequestContext>) -> Option<Arc<[u8]>> {
    match &context?.peer.identity {
        ClientIdentity::Verified(verified) => Some(verified.certificate.as_slice().into()),
        ClientIdentity::Unverified => Some(Arc::default()),
        ClientIdentity::None => None,
    }
}

/// The headers `Impersonate-*`. The error is kube-apiserver's for impersonated groups without a user.
fn impersonation(headers: &HeaderMap) -> Result<Option<Impersonation>, String> {
    let text = |value: &HeaderValue| {
        value.to_str().map(str::to_owned).map_err(|_| "a header is not text".to_owned())
    };
    let mut impersonation = Impersonation::default();
    let mut count = 0;
    for (name, value) in headers {
        let Some(part) = name.as_str().strip_prefix("impersonate-") else { continue };
        count += 1;
        if count > MOST_IMPERSONATED {
            return Err(format!("more than {MOST_IMPERSONATED} impersonation headers"));
        }
        let value = text(value)?;
        match part {
            "user" => impersonation.user = value,
            "group" => impersonation.groups.push(value),
            "uid" => impersonation.uid = value,
            part => {
                let Some(key) = part.strip_prefix("extra-") else { continue };
                // As in `Impersonate-Extra-acme.com%2Fproject`.
                let key = web::escapes::decode(key.as_bytes());
                let key = key.map_err(|_| "a header is not text".to_owned())?.into_owned();
                impersonation.extra.entry(key).or_default().push(value);
            }
        }
    }
    if !impersonation.user.is_empty() {
        return Ok(Some(impersonation));
    }
    if count == 0 {
        return Ok(None);
    }
    let asked: Vec<_> = impersonation.groups.iter().map(|group| format!("{{Group  {group}    }}")).collect();
    Err(format!("requested [{}] without impersonating a user", asked.join(" ")))
}

fn target(place: &request::RequestTarget) -> Target {
    match place.clone() {
        request::RequestTarget::Path(path) => Target::Path(path),
        request::RequestTarget::Resource { group, version, resource, subresource, namespace, name } => {
            Target::Resource { group, version, resource, subresource, namespace, name }
        }
    }
}

fn writes(verb: &str) -> bool {
    !matches!(verb, "get" | "list" | "watch")
}

pub(crate) const MOST_BODY_BYTES: usize = 3 * 1024 * 1024;
const MOST_IMPERSONATED: usize = 256;
