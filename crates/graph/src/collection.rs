//! The one handler behind every collection of the directory. A kind of object is a row: where its records are, what
//! they may be filtered and searched by, and how they look. What a list cannot do is refused, never ignored.

use std::sync::Arc;

use app::App;
use axum::{
    Json,
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use domain::{
    directory::Directory,
    id::{ObjectId, TenantId},
};
use serde_json::Value;

use crate::{
    call::Authenticated,
    error::GraphError,
    filter::{Field, Filter},
    page::ListQuery,
};

/// A kind of object that is listed.
pub(crate) trait Kind {
    type Record: 'static;
    /// Its collection in the address.
    const PATH: &'static str;
    /// Properties that `$filter` and `$search` may name.
    const PROPERTIES: &'static [&'static str];

    fn records(directory: &Directory) -> impl Iterator<Item = &Arc<Self::Record>>;
    fn key(record: &Self::Record) -> (TenantId, ObjectId);
    /// What stands in one of [`Self::PROPERTIES`].
    fn field(record: &Self::Record, property: &str) -> Field;
    fn render(record: &Self::Record) -> Value;
}

pub(crate) async fn list<K: Kind>(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Query(query): Query<ListQuery>,
) -> Result<Response, GraphError> {
    let after = query.after()?;
    let snapshot = app.snapshot();
    let mut found = matching::<K>(snapshot.directory(), caller.tenant, &query)?;
    let total = found.len();
    found.retain(|(id, _)| after.is_none_or(|after| *id > after));
    found.sort_unstable_by_key(|(id, _)| *id);
    let objects = found.into_iter().map(|(id, record)| (id, K::render(record)));
    Ok(Json(query.page(&app, K::PATH, Some(total), objects)?).into_response())
}

/// How many there are, as plain text.
pub(crate) async fn count<K: Kind>(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Query(query): Query<ListQuery>,
) -> Result<Response, GraphError> {
    let snapshot = app.snapshot();
    Ok(matching::<K>(snapshot.directory(), caller.tenant, &query)?.len().to_string().into_response())
}

fn matching<'a, K: Kind>(
    directory: &'a Directory,
    tenant: TenantId,
    query: &ListQuery,
) -> Result<Vec<(ObjectId, &'a K::Record)>, GraphError> {
    let filter = Filter::parse(query.filter.as_deref(), K::PROPERTIES)?;
    let search = query.search(K::PROPERTIES)?;
    let records = K::records(directory).map(|record| (K::key(record), &**record));
    Ok(records
        .filter(|((of, _), _)| *of == tenant)
        .filter(|(_, record)| {
            let field = |name: &str| K::field(record, name);
            filter.holds(&field) && search.as_ref().is_none_or(|search| search.finds(&field))
        })
        .map(|((_, id), record)| (id, record))
        .collect())
}
