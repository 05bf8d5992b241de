//! Queries of Graph as no client writes them: understood or refused, in time and in words.

use fuzzing::{says_something, text};

use crate::{
    filter::{Field, Filter},
    reference,
};

#[test]
fn filters() {
    let known = ["displayName", "id", "accountEnabled", "identifierUris", "description"];
    let examples = [
        "startswith(displayName,'a') and not (id eq '1' or accountEnabled ne true)",
        "identifierUris/any(c:c eq 'api://x') or displayName in ('a', 'b''c') and description eq null",
    ];
    text(&examples, &["not(", "/any(c:", "endswith(", " in (", "''"], |text| {
        match Filter::parse(Some(text), &known) {
            Ok(filter) => {
                let _ = filter.holds(&|_: &str| Field::Text("a".to_owned()));
                let _ = filter.required("id");
            }
            Err(error) => says_something(format!("{error:?}")),
        }
    });
}

#[test]
fn references() {
    text(
        &["https://graph.microsoft.com/v1.0/users/11111111-1111-1111-1111-111111111111"],
        &["/", "//"],
        |text| {
            if let Err(error) = reference::parse(text) {
                says_something(format!("{error:?}"));
            }
        },
    );
}
