//! `/directoryObjects`: any principal by its id.

use std::collections::BTreeSet;

use app::App;
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use domain::{directory::Principal, id::ObjectId, snapshot::Snapshot};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    applications,
    call::{Authenticated, Body},
    error::GraphError,
    groups::{self, parse},
    page::ListQuery,
    service_principals, users,
};

#[derive(Deserialize)]
pub(crate) struct Ids {
    ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupIds {
    group_ids: Vec<ObjectId>,
}

/// Those of the ids that exist; the others are left out.
pub(crate) async fn get_by_ids(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Body(form): Body<Ids>,
) -> Result<Response, GraphError> {
    if form.ids.len() > MOST_IDS {
        return Err(GraphError::bad(format!("{} ids, expected at most {MOST_IDS}.", form.ids.len())));
    }
    let snapshot = app.snapshot();
    let ids = form.ids.iter().filter_map(|id| ObjectId::parse(id).ok());
    let own = ids.filter(|id| belongs(&snapshot, *id, caller.tenant));
    let value: Vec<Value> = own.filter_map(|id| render(&snapshot, id)).collect();
    Ok(Json(json!({"value": value})).into_response())
}

pub(crate) async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(object): Path<String>,
) -> Result<Response, GraphError> {
    let id = parse(&object)?;
    let snapshot = app.snapshot();
    let found = render(&snapshot, id).filter(|_| belongs(&snapshot, id, caller.tenant));
    Ok(Json(found.ok_or_else(|| GraphError::not_found(&object))?).into_response())
}

pub(crate) async fn get_member_groups(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(object): Path<String>,
) -> Result<Response, GraphError> {
    let id = parse(&object)?;
    let snapshot = app.snapshot();
    if !belongs(&snapshot, id, caller.tenant) {
        return Err(GraphError::not_found(&object));
    }
    Ok(Json(json!({"value": &*snapshot.directory().transitive_groups(id)})).into_response())
}

pub(crate) async fn check_member_groups(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(object): Path<String>,
    Body(form): Body<GroupIds>,
) -> Result<Response, GraphError> {
    let id = parse(&object)?;
    let snapshot = app.snapshot();
    if !belongs(&snapshot, id, caller.tenant) {
        return Err(GraphError::not_found(&object));
    }
    let groups = snapshot.directory().transitive_groups(id);
    let held: Vec<ObjectId> =
        form.group_ids.into_iter().filter(|group| groups.binary_search(group).is_ok()).collect();
    Ok(Json(json!({"value": held})).into_response())
}

/// A page of objects that are named by their ids.
pub(crate) fn page(
    app: &App,
    snapshot: &Snapshot,
    query: &ListQuery,
    path: &str,
    ids: &BTreeSet<ObjectId>,
) -> Result<Value, GraphError> {
    let after = query.after()?;
    let left = ids.iter().copied().filter(|id| after.is_none_or(|after| *id > after));
    let objects = left.filter_map(|id| Some((id, render(snapshot, id)?)));
    query.page(app, path, Some(ids.len()), objects)
}

pub(crate) fn render(snapshot: &Snapshot, id: ObjectId) -> Option<Value> {
    match snapshot.directory().principal(id) {
        Some(Principal::User(user)) => Some(users::render(&user)),
        Some(Principal::Group(group)) => Some(groups::render(&group)),
        Some(Principal::ServicePrincipal(principal)) => Some(service_principals::render(&principal)),
        None => snapshot.directory().application(id).map(|application| applications::render(application)),
    }
}

fn belongs(snapshot: &Snapshot, id: ObjectId, tenant: domain::id::TenantId) -> bool {
    let directory = snapshot.directory();
    let of_principal = directory.principal(id).map(|principal| principal.tenant());
    of_principal.or_else(|| directory.application(id).map(|each| each.tenant)) == Some(tenant)
}

const MOST_IDS: usize = 1000;
