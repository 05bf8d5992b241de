//! List queries: `$filter`, `$search`, `$top`, `$select`, `$count`, and paging by `@odata.nextLink`.

use app::App;
use axum::extract::{FromRequestParts, Query};
use domain::id::ObjectId;
use http::request::Parts;
use serde_json::{Map, Value, json};

use crate::{error::GraphError, filter::Field};

/// The query options of a request for a list or an object. Repeated and unknown options are refused.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListQuery {
    pub(crate) filter: Option<String>,
    top: Option<usize>,
    select: Option<String>,
    skip_token: Option<String>,
    count: Option<bool>,
    search: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for ListQuery {
    type Rejection = GraphError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, GraphError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| GraphError::bad("The query of the request cannot be read."))?;
        let mut query = Self::default();
        for (name, value) in pairs {
            let twice = match name.to_ascii_lowercase().as_str() {
                "$filter" => query.filter.replace(value).is_some(),
                "$select" => query.select.replace(value).is_some(),
                "$search" => query.search.replace(value).is_some(),
                "$skiptoken" => query.skip_token.replace(value).is_some(),
                "$top" => {
                    let number = value.parse().ok().filter(|number| (1..=MOST_ON_A_PAGE).contains(number));
                    let number = number.ok_or_else(|| {
                        GraphError::bad(format!("$top is '{}', expected 1 to {MOST_ON_A_PAGE}.", cut(&value)))
                    })?;
                    query.top.replace(number).is_some()
                }
                "$count" => {
                    let counted = value.to_ascii_lowercase().parse().map_err(|_| {
                        GraphError::bad(format!("$count is '{}', expected true or false.", cut(&value)))
                    })?;
                    query.count.replace(counted).is_some()
                }
                other if other.starts_with('$') => {
                    let (name, value) = (cut(&name), cut(&value));
                    return Err(GraphError::bad(format!("{name} is '{value}', and is not supported here.")));
                }
                _ => false,
            };
            if twice {
                return Err(GraphError::bad(format!("{} stands more than once.", cut(&name))));
            }
        }
        Ok(query)
    }
}

/// A clause of `$search`: a property must contain a word with this prefix.
#[derive(Debug)]
pub(crate) struct Search {
    property: String,
    text: String,
}

impl Search {
    pub(crate) fn finds(&self, field: &impl Fn(&str) -> Field) -> bool {
        let Field::Text(value) = field(&self.property) else { return false };
        let value = value.to_lowercase();
        let begins = |(place, _): (usize, &str)| {
            !value
                .get(..place)
                .and_then(|before| before.chars().next_back())
                .is_some_and(char::is_alphanumeric)
        };
        value.match_indices(&self.text).any(begins)
    }
}

impl ListQuery {
    /// The id after which the page begins, from `$skiptoken`.
    pub(crate) fn after(&self) -> Result<Option<ObjectId>, GraphError> {
        let token = self.skip_token.as_deref();
        token
            .map(|token| {
                ObjectId::parse(token).map_err(|_| GraphError::bad("The $skiptoken is not one of ours."))
            })
            .transpose()
    }

    /// Parses `$search="property:text"`; `known` are the allowed properties.
    pub(crate) fn search(&self, known: &[&str]) -> Result<Option<Search>, GraphError> {
        let Some(text) = &self.search else { return Ok(None) };
        let clause = text.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let parts = clause.and_then(|clause| clause.split_once(':')).filter(|(_, text)| !text.is_empty());
        let (name, wanted) = parts.filter(|(_, text)| !text.contains('"')).ok_or_else(|| {
            GraphError::bad(format!("$search is '{}', expected '\"property:text\"'.", cut(text)))
        })?;
        let property = known.iter().find(|known| known.eq_ignore_ascii_case(name)).ok_or_else(|| {
            GraphError::bad(format!("$search: '{}' is not a property that can be searched.", cut(name)))
        })?;
        Ok(Some(Search { property: (*property).to_owned(), text: wanted.to_lowercase() }))
    }

    /// Whether the response includes the total count.
    pub(crate) fn is_counted(&self) -> bool {
        self.count == Some(true)
    }

    /// Refuses `$filter` and `$search`, for lists of mixed object types.
    pub(crate) fn refuse_conditions(&self) -> Result<(), GraphError> {
        match (&self.filter, &self.search) {
            (None, None) => Ok(()),
            _ => Err(GraphError::bad("$filter and $search are not supported for this list.")),
        }
    }

    /// Renders a single object, for which only `$select` is allowed.
    pub(crate) fn one(&self, object: Value) -> Result<Value, GraphError> {
        self.refuse_conditions()?;
        if self.top.is_some() || self.skip_token.is_some() {
            return Err(GraphError::bad("$top and $skiptoken are for lists, and this is one object."));
        }
        Ok(self.selected(object))
    }

    /// Renders a page of objects, ordered by id. `total` is the number on all pages, if known.
    pub(crate) fn page(
        &self,
        app: &App,
        path: &str,
        total: Option<usize>,
        objects: impl Iterator<Item = (ObjectId, Value)>,
    ) -> Result<Value, GraphError> {
        let top = self.top.unwrap_or(100);
        let mut page: Vec<(ObjectId, Value)> = Vec::new();
        let (mut more, mut bytes) = (false, 0);
        for (id, object) in objects {
            // Large objects shorten the page.
            if page.len() >= top || bytes >= MOST_BYTES {
                more = true;
                break;
            }
            let object = self.selected(object);
            bytes += weight(&object);
            page.push((id, object));
        }
        let base = &app.settings().external_url;
        let mut answer = Map::new();
        answer.insert("@odata.context".into(), format!("{base}/v1.0/$metadata#{path}").into());
        let total = total.or_else(|| (!more && self.skip_token.is_none()).then_some(page.len()));
        if let Some(total) = total.filter(|_| self.is_counted()) {
            answer.insert("@odata.count".into(), total.into());
        }
        if let Some((last, _)) = page.last().filter(|_| more) {
            answer.insert("@odata.nextLink".into(), self.next(base, path, *last).into());
        }
        let values: Vec<Value> = page.into_iter().map(|(_, object)| object).collect();
        answer.insert("value".into(), values.into());
        Ok(Value::Object(answer))
    }

    /// The members of an object chosen by `$select`; always with id and type.
    fn selected(&self, object: Value) -> Value {
        let (Some(select), Value::Object(members)) = (&self.select, &object) else { return object };
        let wanted: Vec<&str> = select.split(',').map(str::trim).collect();
        let keep = |name: &str| {
            name == "id"
                || name.starts_with("@odata.")
                || wanted.iter().any(|each| each.eq_ignore_ascii_case(name))
        };
        members
            .iter()
            .filter(|(name, _)| keep(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    fn next(&self, base: &str, path: &str, last: ObjectId) -> String {
        let mut link = format!("{base}/v1.0/{path}?$skiptoken={last}");
        if let Some(top) = self.top {
            link.push_str(&format!("&$top={top}"));
        }
        let kept = [("$filter", &self.filter), ("$select", &self.select), ("$search", &self.search)];
        for (name, value) in kept {
            if let Some(value) = value {
                link.push_str(&format!("&{name}={}", web::escapes::encode(value)));
            }
        }
        if self.is_counted() {
            link.push_str("&$count=true");
        }
        link
    }
}

/// The approximate size of a value as JSON, in bytes.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(list) => list.iter().map(weight).sum::<usize>() + 2,
        Value::Object(members) => {
            members.iter().map(|(name, value)| name.len() + 4 + weight(value)).sum::<usize>() + 2
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 4,
    }
}

/// The beginning of a text, for error messages.
fn cut(text: &str) -> String {
    text.chars().take(120).collect()
}

/// A single object with its `@odata.context`.
pub(crate) fn single(app: &App, path: &str, object: Value) -> Value {
    let mut object = object;
    if let Value::Object(members) = &mut object {
        let context = format!("{}/v1.0/$metadata#{path}/$entity", app.settings().external_url);
        members.insert("@odata.context".into(), json!(context));
    }
    object
}

const MOST_ON_A_PAGE: usize = 999;
/// The page ends at the first object after this many bytes.
const MOST_BYTES: usize = 1024 * 1024;
