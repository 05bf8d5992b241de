//! `/groups`: groups, their members and owners.

mod rendered;

use std::sync::Arc;

use app::{
    App,
    directory::{
        TenantDirectory,
        groups::{GroupUpdate, NewGroup},
        owners::Owned,
    },
};
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use domain::{group::Group, id::ObjectId};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    call::{Authenticated, Body},
    collection::Kind,
    directory_objects,
    error::GraphError,
    filter::{Field, Filter},
    page::{ListQuery, single},
    reference::{Reference, parse},
    users::{parse_display_name, required},
};

pub(crate) use rendered::render;

/// The collection `/groups`.
pub(crate) struct Groups;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupForm {
    display_name: Option<String>,
    mail_nickname: Option<String>,
    description: Option<String>,
}

pub(crate) async fn create(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Body(form): Body<GroupForm>,
) -> Result<Response, GraphError> {
    let name = form.display_name.as_deref().ok_or_else(|| required("displayName"))?;
    let display_name = parse_display_name(name)?;
    let mail_nickname =
        form.mail_nickname.unwrap_or_else(|| name.chars().filter(char::is_ascii_alphanumeric).collect());
    let new = NewGroup { display_name, mail_nickname, description: form.description };
    let group = app.directory().create_group(&caller, new).await?;
    Ok((StatusCode::CREATED, Json(single(&app, "groups", render(&group)))).into_response())
}

pub(crate) async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(group): Path<String>,
    query: ListQuery,
) -> Result<Response, GraphError> {
    let group = app.directory().find_group(&caller, parse(&group)?)?;
    Ok(Json(single(&app, "groups", query.one(render(&group))?)).into_response())
}

pub(crate) async fn update(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(group): Path<String>,
    Body(form): Body<GroupForm>,
) -> Result<Response, GraphError> {
    let update = GroupUpdate {
        display_name: form.display_name.as_deref().map(parse_display_name).transpose()?,
        mail_nickname: form.mail_nickname,
        description: form.description.map(Some),
    };
    app.directory().update_group(&caller, parse(&group)?, update).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn delete(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(group): Path<String>,
) -> Result<Response, GraphError> {
    app.directory().delete_group(&caller, parse(&group)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn members(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(group): Path<String>,
    query: ListQuery,
) -> Result<Response, GraphError> {
    let group = app.directory().find_group(&caller, parse(&group)?)?;
    query.refuse_conditions()?;
    let directory = app.directory().of(&caller);
    let members = directory.members(group.id, query.after()?);
    let objects = members.filter_map(|id| Some((id, directory_objects::render(&directory, id)?)));
    Ok(Json(query.page(&app, &format!("groups/{}/members", group.id), None, objects)?).into_response())
}

pub(crate) async fn transitive_members(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(group): Path<String>,
    query: ListQuery,
) -> Result<Response, GraphError> {
    let group = app.directory().find_group(&caller, parse(&group)?)?;
    query.refuse_conditions()?;
    let directory = app.directory().of(&caller);
    let mut found = std::collections::BTreeSet::new();
    let mut open = vec![group.id];
    while let Some(each) = open.pop() {
        open.extend(directory.members(each, None).filter(|member| found.insert(*member)));
    }
    let after = query.after()?;
    let members = found.into_iter().filter(|id| after.is_none_or(|after| *id > after));
    let objects = members.filter_map(|id| Some((id, directory_objects::render(&directory, id)?)));
    Ok(Json(query.page(&app, &format!("groups/{}/transitiveMembers", group.id), None, objects)?)
        .into_response())
}

pub(crate) async fn add_member(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(group): Path<String>,
    Body(reference): Body<Reference>,
) -> Result<Response, GraphError> {
    app.directory().add_member(&caller, parse(&group)?, reference.target()?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn remove_member(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path((group, member)): Path<(String, String)>,
) -> Result<Response, GraphError> {
    app.directory().remove_member(&caller, parse(&group)?, parse(&member)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn owners(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(group): Path<String>,
    query: ListQuery,
) -> Result<Response, GraphError> {
    let group = app.directory().find_group(&caller, parse(&group)?)?;
    let directory = app.directory().of(&caller);
    let path = format!("groups/{}/owners", group.id);
    Ok(Json(directory_objects::page(&app, &directory, &query, &path, &group.owners)?).into_response())
}

pub(crate) async fn add_owner(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(group): Path<String>,
    Body(reference): Body<Reference>,
) -> Result<Response, GraphError> {
    app.directory().add_owner(&caller, Owned::Group(parse(&group)?), reference.target()?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn remove_owner(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path((group, owner)): Path<(String, String)>,
) -> Result<Response, GraphError> {
    app.directory().remove_owner(&caller, Owned::Group(parse(&group)?), parse(&owner)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl Kind for Groups {
    type Record = Group;
    const PATH: &'static str = "groups";
    const PROPERTIES: &'static [&'static str] = &["id", "displayName", "mailNickname", "securityEnabled"];

    fn records(directory: &TenantDirectory, after: Option<ObjectId>) -> impl Iterator<Item = &Arc<Group>> {
        directory.groups(after)
    }

    fn only<'a>(directory: &'a TenantDirectory, filter: &Filter) -> Option<Option<&'a Arc<Group>>> {
        Some(ObjectId::parse(filter.required("id")?).ok().and_then(|id| directory.group(id)))
    }

    fn id(group: &Group) -> ObjectId {
        group.id
    }

    fn field(group: &Group, name: &str) -> Field {
        match name {
            "id" => Field::Text(group.id.to_string()),
            "displayName" => Field::Text(group.display_name.to_string()),
            "mailNickname" => Field::Text(group.mail_nickname.clone()),
            "securityEnabled" => Field::Bool(true),
            _ => Field::Null,
        }
    }

    fn render(group: &Group) -> Value {
        render(group)
    }
}
