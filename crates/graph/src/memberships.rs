//! Group memberships of users, groups, service principals and `/me`: direct, transitive, all ids at once, or a check
//! of given ids.

use app::{App, Caller, directory::TenantDirectory};
use axum::{
    Json,
    extract::{FromRequestParts, RawPathParams, State},
    response::{IntoResponse, Response},
};
use domain::id::ObjectId;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    call::{Authenticated, Body},
    directory_objects, directory_roles,
    error::GraphError,
    me,
    page::ListQuery,
    reference::parse,
    service_principals,
};

/// The object of the path, checked to be in the caller's tenant.
#[derive(Debug)]
pub(crate) struct Subject {
    id: ObjectId,
    /// Its path in Graph, such as `users/ID`.
    place: String,
    caller: Caller,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupIds {
    group_ids: Vec<ObjectId>,
}

impl FromRequestParts<App> for Subject {
    type Rejection = GraphError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, GraphError> {
        let Authenticated(caller) = Authenticated::from_request_parts(parts, app).await?;
        let named = RawPathParams::from_request_parts(parts, app).await;
        let named = named.map_err(|_| GraphError::not_found(parts.uri.path()))?;
        let directory = app.directory().of(&caller);
        let place = |collection: &str, id: ObjectId| (id, format!("{collection}/{id}"));
        let (id, place) = match named.iter().next() {
            None => {
                me::require_person(&caller)?;
                (caller.object_id, "me".into())
            }
            Some(("user", name)) => place("users", app.directory().find_user(&caller, name)?.id),
            Some(("group", name)) => place("groups", app.directory().find_group(&caller, parse(name)?)?.id),
            Some(("principal", name)) => {
                place("servicePrincipals", service_principals::find(&directory, name)?.id)
            }
            Some((_, name)) => {
                let id = parse(name)?;
                directory.object(id).ok_or_else(|| GraphError::not_found(name))?;
                place("directoryObjects", id)
            }
        };
        Ok(Self { id, place, caller })
    }
}

/// The groups that the object is a direct member of.
pub(crate) async fn direct(
    State(app): State<App>,
    subject: Subject,
    query: ListQuery,
) -> Result<Response, GraphError> {
    query.refuse_conditions()?;
    let directory = app.directory().of(&subject.caller);
    let after = query.after()?;
    let groups = directory.direct_groups(subject.id, after);
    let groups = groups.filter_map(|id| Some((id, directory_objects::render(&directory, id)?)));
    let path = format!("{}/memberOf", subject.place);
    let objects = with_roles(&directory, subject.id, after, groups);
    Ok(Json(query.page(&app, &path, None, objects)?).into_response())
}

pub(crate) async fn transitive(
    State(app): State<App>,
    subject: Subject,
    query: ListQuery,
) -> Result<Response, GraphError> {
    query.refuse_conditions()?;
    let directory = app.directory().of(&subject.caller);
    let groups = directory.transitive_groups(subject.id);
    let after = query.after()?;
    let start = groups.partition_point(|id| after.is_some_and(|after| *id <= after));
    let left = groups.iter().skip(start).copied();
    let left = left.filter_map(|id| Some((id, directory_objects::render(&directory, id)?)));
    let path = format!("{}/transitiveMemberOf", subject.place);
    let total = groups.len() + directory_roles::held(&directory, subject.id).count();
    let objects = with_roles(&directory, subject.id, after, left);
    Ok(Json(query.page(&app, &path, Some(total), objects)?).into_response())
}

/// Merges the object's directory roles into its groups, ordered by id, as in Entra.
fn with_roles(
    directory: &TenantDirectory,
    id: ObjectId,
    after: Option<ObjectId>,
    groups: impl Iterator<Item = (ObjectId, Value)>,
) -> impl Iterator<Item = (ObjectId, Value)> {
    let roles = directory_roles::held(directory, id);
    let mut roles = roles.filter(move |(id, _)| after.is_none_or(|after| *id > after)).peekable();
    let mut groups = groups.peekable();
    std::iter::from_fn(move || match (groups.peek(), roles.peek()) {
        (Some((group, _)), Some((role, _))) if role < group => roles.next(),
        (None, _) => roles.next(),
        (Some(_), _) => groups.next(),
    })
}

/// The ids of all groups, transitively.
pub(crate) async fn list(State(app): State<App>, subject: Subject) -> Result<Response, GraphError> {
    let groups = app.directory().of(&subject.caller).transitive_groups(subject.id);
    Ok(Json(json!({"value": &*groups})).into_response())
}

/// Those of the given groups that the object is a transitive member of.
pub(crate) async fn check(
    State(app): State<App>,
    subject: Subject,
    Body(form): Body<GroupIds>,
) -> Result<Response, GraphError> {
    let asked = form.group_ids;
    if asked.len() > MOST_IDS {
        return Err(GraphError::bad(format!("{} groupIds, expected at most {MOST_IDS}.", asked.len())));
    }
    let groups = app.directory().of(&subject.caller).transitive_groups(subject.id);
    let held: Vec<ObjectId> = asked.into_iter().filter(|group| groups.binary_search(group).is_ok()).collect();
    Ok(Json(json!({"value": held})).into_response())
}

const MOST_IDS: usize = 1000;
