//! Lists: `$filter`, `$top`, `$select`, and pages that follow each other by `@odata.nextLink`.

use app::App;
use domain::id::ObjectId;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::GraphError;

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct ListQuery {
    #[serde(rename = "$filter")]
    pub(crate) filter: Option<String>,
    #[serde(rename = "$top")]
    top: Option<usize>,
    #[serde(rename = "$select")]
    select: Option<String>,
    #[serde(rename = "$skiptoken")]
    skip_token: Option<String>,
    #[serde(rename = "$count")]
    count: Option<bool>,
}

impl ListQuery {
    /// Objects after this id are wanted.
    pub(crate) fn after(&self) -> Result<Option<ObjectId>, GraphError> {
        let token = self.skip_token.as_deref();
        token
            .map(|token| {
                ObjectId::parse(token).map_err(|_| GraphError::bad("The $skiptoken is not one of ours."))
            })
            .transpose()
    }

    /// Renders a page of objects that come in order of their id.
    pub(crate) fn page(
        &self,
        app: &App,
        path: &str,
        objects: impl Iterator<Item = (ObjectId, Value)>,
    ) -> Result<Value, GraphError> {
        let top = self.top.unwrap_or(100);
        if top == 0 || top > MOST_ON_A_PAGE {
            return Err(GraphError::bad(format!("$top is {top}, expected 1 to {MOST_ON_A_PAGE}.")));
        }
        let mut page: Vec<(ObjectId, Value)> = objects.take(top + 1).collect();
        let more = page.len() > top;
        page.truncate(top);
        let base = &app.settings().external_url;
        let mut answer = Map::new();
        answer.insert("@odata.context".into(), format!("{base}/v1.0/$metadata#{path}").into());
        if self.count == Some(true) && !more && self.skip_token.is_none() {
            answer.insert("@odata.count".into(), page.len().into());
        }
        if let Some((last, _)) = page.last().filter(|_| more) {
            answer.insert("@odata.nextLink".into(), self.next(base, path, *last).into());
        }
        let values: Vec<Value> = page.into_iter().map(|(_, object)| self.selected(object)).collect();
        answer.insert("value".into(), values.into());
        Ok(Value::Object(answer))
    }

    /// The members of an object that are wanted; its id and type always.
    pub(crate) fn selected(&self, object: Value) -> Value {
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
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let mut link = format!("{base}/v1.0/{path}?$skiptoken={last}");
        if let Some(top) = self.top {
            link.push_str(&format!("&$top={top}"));
        }
        for (name, value) in [("$filter", &self.filter), ("$select", &self.select)] {
            if let Some(value) = value {
                link.push_str(&format!("&{name}={}", encode(value)));
            }
        }
        link
    }
}

/// A single object with its context.
pub(crate) fn single(app: &App, path: &str, object: Value) -> Value {
    let mut object = object;
    if let Value::Object(members) = &mut object {
        let context = format!("{}/v1.0/$metadata#{path}/$entity", app.settings().external_url);
        members.insert("@odata.context".into(), json!(context));
    }
    object
}

const MOST_ON_A_PAGE: usize = 999;
