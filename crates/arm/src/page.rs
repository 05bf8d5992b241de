//! Paged lists with `nextLink`. The continuation token is the sort key of the last item, not an offset, so items that
//! are added or removed between two pages neither hide nor repeat others.

use axum::response::Response;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::Value;

use crate::{call::Call, error::ArmError};

/// One page of the items, ordered by their distinct keys.
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
    let mut goes_on = keyed.len() > size;
    if goes_on {
        // Only the items of the page are sorted.
        keyed.select_nth_unstable_by(size, |(one, _), (other, _)| one.cmp(other));
        keyed.truncate(size);
    }
    keyed.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let mut text = b"{\"value\":[".to_vec();
    let mut last = None;
    for (key, item) in &keyed {
        // Large items shorten the page.
        if last.is_some() && text.len() >= MOST_BYTES {
            goes_on = true;
            break;
        }
        if last.replace(key).is_some() {
            text.push(b',');
        }
        write_json(&render(item), &mut text)?;
    }
    text.push(b']');
    if let Some(last) = last.filter(|_| goes_on) {
        text.extend_from_slice(b",\"nextLink\":");
        write_json(&call.link_with(TOKEN, &write(last)), &mut text)?;
    }
    text.push(b'}');
    call.answer(text)
}

fn write_json(value: &impl Serialize, to: &mut Vec<u8>) -> Result<(), ArmError> {
    serde_json::to_writer(to, value).map_err(|error| ArmError::App(app::Error::internal(error)))
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
/// The format version of tokens; others are refused.
const FORM: &str = "1:";
const MOST: usize = 1000;
/// The page ends at the first item after this many bytes.
const MOST_BYTES: usize = 1024 * 1024;
