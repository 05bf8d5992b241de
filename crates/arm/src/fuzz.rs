//! Addresses and filters of Resource Manager as no client writes them: understood or refused, in time and in words.

use fuzzing::{says_something, text};

use crate::{filter, path::Segments};

#[test]
fn filters() {
    text(
        &["atScope() and principalId eq 'x''y'", "assignedTo('1') and roleName eq a"],
        &["() and ", "''"],
        |text| {
            // Why is said by the list that is asked, which knows what it expected.
            let _ = filter::parse(text);
        },
    );
}

#[test]
fn resource_ids() {
    let examples = [
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c/providers/\
         Microsoft.Authorization/roleAssignments/r",
        "/providers/Microsoft.Management//managementGroups/m",
    ];
    text(&examples, &["//", "..", "%2F", "/providers/"], |text| match Segments::parse(text) {
        Ok(segments) => {
            let rest = "/providers/Microsoft.Authorization/roleAssignments/{name}";
            let _ =
                (segments.matching("{scope}", rest), segments.matching("", "/subscriptions/{subscription}"));
        }
        Err(error) => says_something(format!("{error:?}")),
    });
}
