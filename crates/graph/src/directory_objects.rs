//! `/directoryObjects`: principals of any kind, by id.

use std::collections::BTreeSet;

use app::App;
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use domain::{
    directory::Principal,
    id::{ObjectId, TenantId},
    snapshot::Snapshot,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    applications,
    call::{Authenticated, Body},
    error::GraphError,
    groups,
    page::ListQuery,
    reference::parse,
    service_principals, users,
};

#[derive(Deserialize)]
pub(crate) struct Ids {
    ids: Vec<String>,
    /// Object types to return; all if absent.
    types: Option<Vec<String>>,
}

/// The objects with these ids; unknown ids are omitted.
pub(crate) async fn get_by_ids(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Body(form): Body<Ids>,
) -> Result<Response, GraphError> {
    if form.ids.len() > MOST_IDS {
        return Err(GraphError::bad(format!("{} ids, expected at most {MOST_IDS}.", form.ids.len())));
    }
    let snapshot = app.state().snapshot();
    let ids = form.ids.iter().filter_map(|id| ObjectId::parse(id).ok());
    let own = ids.filter(|id| belongs(&snapshot, *id, caller.tenant));
    let objects = own.filter_map(|id| render(&snapshot, id));
    let value: Vec<Value> = objects.filter(|object| is_of(object, form.types.as_deref())).collect();
    Ok(Json(json!({"value": value})).into_response())
}

pub(crate) async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(object): Path<String>,
    query: ListQuery,
) -> Result<Response, GraphError> {
    let id = parse(&object)?;
    let snapshot = app.state().snapshot();
    let found = render(&snapshot, id).filter(|_| belongs(&snapshot, id, caller.tenant));
    Ok(Json(query.one(found.ok_or_else(|| GraphError::not_found(&object))?)?).into_response())
}

/// A page of objects, given by their ids.
pub(crate) fn page(
    app: &App,
    snapshot: &Snapshot,
    query: &ListQuery,
    path: &str,
    ids: &BTreeSet<ObjectId>,
) -> Result<Value, GraphError> {
    use std::ops::Bound;
    query.refuse_conditions()?;
    let start = query.after()?.map_or(Bound::Unbounded, Bound::Excluded);
    let left = ids.range((start, Bound::Unbounded)).copied();
    let objects = left.filter_map(|id| Some((id, render(snapshot, id)?)));
    query.page(app, path, Some(ids.len()), objects)
}

pub(crate) fn render(snapshot: &Snapshot, id: ObjectId) -> Option<Value> {
    match snapshot.directory().principal(id) {
        Some(Principal::User(user)) => Some(users::render(user)),
        Some(Principal::Group(group)) => Some(groups::render(group)),
        Some(Principal::ServicePrincipal(principal)) => Some(service_principals::render(principal)),
        None => snapshot.directory().application(id).map(|application| applications::render(application)),
    }
}

/// Whether an object is of one of these types.
fn is_of(object: &Value, types: Option<&[String]>) -> bool {
    let known = object.get("@odata.type").and_then(Value::as_str).and_then(|name| name.rsplit('.').next());
    types.is_none_or(|types| {
        types.iter().any(|each| each == "directoryObject" || Some(each.as_str()) == known)
    })
}

pub(crate) fn belongs(snapshot: &Snapshot, id: ObjectId, tenant: TenantId) -> bool {
    let directory = snapshot.directory();
    let of_principal = directory.principal(id).map(|principal| principal.tenant());
    of_principal.or_else(|| directory.application(id).map(|each| each.tenant)) == Some(tenant)
}

const MOST_IDS: usize = 1000;
