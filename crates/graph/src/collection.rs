//! The generic handler of every collection of the directory. A kind of object defines its records, the properties for
//! filter and search, and its rendering. Unsupported query options are refused, never ignored.

use std::{marker::PhantomData, sync::Arc};

use app::{App, directory::TenantDirectory};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use domain::id::ObjectId;
use serde_json::Value;

use crate::{
    call::Authenticated,
    error::GraphError,
    filter::{Field, Filter},
    page::{ListQuery, Search},
};

/// A kind of object with a collection.
pub(crate) trait Kind {
    type Record: 'static;
    /// The collection's path segment.
    const PATH: &'static str;
    /// Properties that `$filter` and `$search` may use.
    const PROPERTIES: &'static [&'static str];

    /// Those after `after`, in order of id; to begin in the middle costs no more than at the start.
    fn records(
        directory: &TenantDirectory,
        after: Option<ObjectId>,
    ) -> impl Iterator<Item = &Arc<Self::Record>>;
    /// The one record that a filter can hold for, where an index tells; none where one must look.
    fn only<'a>(directory: &'a TenantDirectory, filter: &Filter) -> Option<Option<&'a Arc<Self::Record>>>;
    fn id(record: &Self::Record) -> ObjectId;
    /// What stands in one of [`Self::PROPERTIES`].
    fn field(record: &Self::Record, property: &str) -> Field;
    fn render(record: &Self::Record) -> Value;
}

pub(crate) async fn list<K: Kind>(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    query: ListQuery,
) -> Result<Response, GraphError> {
    let wanted = Wanted::<K>::read(&query)?;
    let directory = app.directory().of(&caller);
    let records = |after| wanted.records(&directory, after);
    let total = query.is_counted().then(|| records(None).count());
    let objects = records(query.after()?).map(|record| (K::id(record), K::render(record)));
    Ok(Json(query.page(&app, K::PATH, total, objects)?).into_response())
}

/// The number of objects, as plain text.
pub(crate) async fn count<K: Kind>(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    query: ListQuery,
) -> Result<Response, GraphError> {
    let wanted = Wanted::<K>::read(&query)?;
    let directory = app.directory().of(&caller);
    Ok(wanted.records(&directory, None).count().to_string().into_response())
}

/// The conditions of a query.
struct Wanted<K> {
    filter: Filter,
    search: Option<Search>,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> Wanted<K> {
    fn read(query: &ListQuery) -> Result<Self, GraphError> {
        let filter = Filter::parse(query.filter.as_deref(), K::PROPERTIES)?;
        Ok(Self { filter, search: query.search(K::PROPERTIES)?, kind: PhantomData })
    }

    fn records<'a>(
        &'a self,
        directory: &'a TenantDirectory,
        after: Option<ObjectId>,
    ) -> impl Iterator<Item = &'a Arc<K::Record>> {
        let only = K::only(directory, &self.filter);
        let all = only.is_none().then(|| K::records(directory, after));
        let only = only.flatten().filter(|record| after.is_none_or(|after| K::id(record) > after));
        only.into_iter().chain(all.into_iter().flatten()).filter(|record| self.has(record))
    }

    fn has(&self, record: &K::Record) -> bool {
        let field = |name: &str| K::field(record, name);
        self.filter.holds(&field) && self.search.as_ref().is_none_or(|search| search.finds(&field))
    }
}
