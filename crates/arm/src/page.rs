//! Lists in pages that follow each other by `nextLink`. Where a page ended is a key of the list's order, not a
//! number, so whoever comes or goes between two pages neither hides nor doubles another.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::{call::Call, error::ArmError};

/// One page of the items, in the order of their keys, which are distinct.
pub(crate) fn respond<T>(
    call: &Call<'_>,
    items: Vec<T>,
    key: impl Fn(&T) -> String,
    render: impl Fn(&T) -> Value,
) -> Result<Response, ArmError> {
    let size = size(call)?;
    let after = call.parameter(TOKEN).map(read).transpose()?;
    let mut keyed: Vec<(String, T)> = items.into_iter().map(|item| (key(&item), item)).collect();
    if let Some(after) = after {
        keyed.retain(|(key, _)| *key > after);
    }
    let goes_on = keyed.len() > size;
    if goes_on {
        // Only the page itself is put in order.
        keyed.select_nth_unstable_by(size, |(one, _), (other, _)| one.cmp(other));
        keyed.truncate(size);
    }
    keyed.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let mut answer = Map::new();
    let value: Vec<Value> = keyed.iter().map(|(_, item)| render(item)).collect();
    answer.insert("value".into(), value.into());
    if let Some((last, _)) = keyed.last().filter(|_| goes_on) {
        answer.insert("nextLink".into(), call.link_with(TOKEN, &write(last)).into());
    }
    Ok(Json(answer).into_response())
}

fn size(call: &Call<'_>) -> Result<usize, ArmError> {
    let Some(top) = call.parameter("$top") else { return Ok(MOST) };
    match top.parse::<usize>() {
        Ok(size) if size > 0 => Ok(size.min(MOST)),
        _ => {
            let top: String = top.chars().take(40).collect();
            let text = format!("The value '{top}' of '$top' is invalid. Expected a positive number.");
            Err(ArmError::bad("InvalidQueryParameterValue", text))
        }
    }
}

fn write(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{FORM}{key}"))
}

fn read(token: &str) -> Result<String, ArmError> {
    let decoded = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let key = decoded.as_deref().and_then(|text| text.strip_prefix(FORM));
    key.map(str::to_owned).ok_or_else(|| {
        ArmError::bad(
            "InvalidSkipToken",
            "The '$skiptoken' is not one that a 'nextLink' of this list has given.",
        )
    })
}

const TOKEN: &str = "$skiptoken";
/// The form of the tokens; another one is refused.
const FORM: &str = "1:";
const MOST: usize = 1000;
