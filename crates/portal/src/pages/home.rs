//! The account page: the signed-in user and their groups.

use app::App;
use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};

use super::render;
use crate::{browser::Browser, problem::Problem};

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage<'a> {
    form: String,
    display_name: &'a str,
    name: &'a str,
    object_id: String,
    tenant: String,
    tenant_id: String,
    administrator: bool,
    groups: Vec<GroupRow>,
    more_groups: usize,
}

struct GroupRow {
    name: String,
    id: String,
}

pub(crate) async fn get(State(app): State<App>, browser: Browser) -> Result<Response, Problem> {
    let Some(session) = browser.session(&app).await? else {
        return Ok(Redirect::to("/portal/sign-in").into_response());
    };
    let directory = app.sign_in().directory_of(&session.signed_in);
    let Some(user) = directory.user(session.signed_in.user) else {
        return Ok(Redirect::to("/portal/sign-in").into_response());
    };
    let tenant = directory.tenant();
    let groups = directory.transitive_groups(user.id);
    let mut rows: Vec<GroupRow> = groups
        .iter()
        .filter_map(|id| directory.group(*id))
        .map(|group| GroupRow { name: group.display_name.to_string(), id: group.id.to_string() })
        .collect();
    rows.sort_by(|one, other| one.name.cmp(&other.name).then(one.id.cmp(&other.id)));
    let more_groups = rows.len().saturating_sub(MOST_GROUPS);
    rows.truncate(MOST_GROUPS);
    let page = render(&HomePage {
        form: browser.form_token(),
        display_name: user.display_name.as_str(),
        name: user.upn.as_str(),
        object_id: user.id.to_string(),
        tenant: tenant.map(|tenant| tenant.display_name.to_string()).unwrap_or_default(),
        tenant_id: user.tenant.to_string(),
        administrator: tenant.is_some_and(|tenant| tenant.administrators.contains(&user.id)),
        groups: rows,
        more_groups,
    })?;
    Ok(browser.show(page))
}

const MOST_GROUPS: usize = 200;
