//! `/directoryObjects`: principals of any kind, by id.

use std::collections::BTreeSet;

use app::{
    App,
    directory::{DirectoryObject, TenantDirectory},
};
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use domain::id::ObjectId;
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
    let directory = app.directory().of(&caller);
    let ids = form.ids.iter().filter_map(|id| ObjectId::parse(id).ok());
    let objects = ids.filter_map(|id| render(&directory, id));
    let value: Vec<Value> = objects.filter(|object| is_of(object, form.types.as_deref())).collect();
    Ok(Json(json!({"value": value})).into_response())
}

pub(crate) async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(object): Path<String>,
    query: ListQuery,
) -> Result<Response, GraphError> {
    let found = render(&app.directory().of(&caller), parse(&object)?);
    Ok(Json(query.one(found.ok_or_else(|| GraphError::not_found(&object))?)?).into_response())
}

/// A page of objects, given by their ids.
pub(crate) fn page(
    app: &App,
    directory: &TenantDirectory,
    query: &ListQuery,
    path: &str,
    ids: &BTreeSet<ObjectId>,
) -> Result<Value, GraphError> {
    use std::ops::Bound;
    query.refuse_conditions()?;
    let start = query.after()?.map_or(Bound::Unbounded, Bound::Excluded);
    let left = ids.range((start, Bound::Unbounded)).copied();
    let objects = left.filter_map(|id| Some((id, render(directory, id)?)));
    query.page(app, path, Some(ids.len()), objects)
}

pub(crate) fn render(directory: &TenantDirectory, id: ObjectId) -> Option<Value> {
    Some(match directory.object(id)? {
        DirectoryObject::User(user) => users::render(user),
        DirectoryObject::Group(group) => groups::render(group),
        DirectoryObject::ServicePrincipal(principal) => service_principals::render(principal),
        DirectoryObject::Application(application) => applications::render(application),
    })
}

/// Whether an object is of one of these types.
fn is_of(object: &Value, types: Option<&[String]>) -> bool {
    let known = object.get("@odata.type").and_then(Value::as_str).and_then(|name| name.rsplit('.').next());
    types.is_none_or(|types| {
        types.iter().any(|each| each == "directoryObject" || Some(each.as_str()) == known)
    })
}

const MOST_IDS: usize = 1000;
