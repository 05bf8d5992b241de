//! Custom roles: what one may say, where it may be assignable, and what keeps it.

use reqwest::Method;
use serde_json::{Value, json};

use super::arm::{Arm, CONTRIBUTOR, GROUPS, OWNER, READER, names};

const ONE: &str = "11111111-2222-3333-4444-555555555555";
const OTHER: &str = "11111111-2222-3333-4444-666666666666";

fn path(scope: &str, id: &str) -> String {
    format!("{scope}/providers/Microsoft.Authorization/roleDefinitions/{id}")
}

fn role(name: &str, scopes: &[&str], actions: &[&str]) -> Value {
    json!({"properties": {"roleName": name, "assignableScopes": scopes, "permissions": [{"actions": actions}]}})
}

#[tokio::test]
async fn roles_that_say_what_nobody_knows_or_reach_too_far_are_refused() {
    let arm = Arm::start().await;
    let here = arm.subscription.as_str();
    let foreign = "/subscriptions/11111111-2222-3333-4444-555555555555";
    let unknown_group = format!("{GROUPS}/none");
    let no_group = format!("{here}/resourceGroups/none");
    let action = "InvalidActionOrNotAction";
    let scope = "RoleDefinitionAssignableScopesInvalid";
    for (role, code) in [
        (role("r", &[here], &["Contoso.Shop/tills/read"]), action),
        (role("r", &[here], &["Microsoft.Shop/tills/read"]), action),
        (role("r", &[here], &["Microsoft.Compute/*/read", "read"]), action),
        (role("r", &["/"], &["*/read"]), scope),
        (role("r", &[foreign], &["*/read"]), scope),
        (role("r", &[here, &unknown_group], &["*/read"]), scope),
        (role("r", &[&no_group], &["*/read"]), scope),
        (role("r", &[], &["*/read"]), "BadRequest"),
        (role("", &[here], &["*/read"]), "BadRequest"),
        (role("r", &[here], &["a//b"]), "InvalidRequestContent"),
        (role("r", &["somewhere"], &["*/read"]), "InvalidRequestContent"),
    ] {
        let refused = arm.refusal(&arm.admin, Method::PUT, &path(here, ONE), role.clone()).await;
        assert_eq!(refused, (400, code.to_owned()), "{role}");
    }
    let actions =
        ["*", "*/read", "microsoft.compute/*", "Microsoft.*/read", "Microsoft.KeyVault/vaults/read"];
    arm.ok(Method::PUT, &path(here, ONE), role("r", &[here], &actions)).await;
    let whole = format!("{GROUPS}/{}", arm.tenant);
    arm.ok(Method::PUT, &path(&whole, ONE), role("r", &[&whole], &["*/read"])).await;
}

#[tokio::test]
async fn a_name_is_given_once_and_a_role_in_use_stays() {
    let arm = Arm::start().await;
    let here = arm.subscription.as_str();
    arm.ok(Method::PUT, &path(here, ONE), role("Till reader", &[here], &["*/read"])).await;
    for name in ["TILL reader", "owner"] {
        let refused =
            arm.refusal(&arm.admin, Method::PUT, &path(here, OTHER), role(name, &[here], &["*/read"])).await;
        assert_eq!(refused, (409, "RoleDefinitionWithSameNameExists".into()));
    }
    let ada = arm.someone("ada").await;
    let given = arm.assign(ada.id, ONE, here).await;
    let refused = arm.refusal(&arm.admin, Method::DELETE, &path(here, ONE), Value::Null).await;
    assert_eq!(refused, (400, "RoleDefinitionHasAssignments".into()));
    arm.ok(Method::DELETE, &given, Value::Null).await;
    arm.ok(Method::DELETE, &path(here, ONE), Value::Null).await;
}

#[tokio::test]
async fn a_built_in_role_is_neither_changed_nor_deleted() {
    let arm = Arm::start().await;
    let here = arm.subscription.as_str();
    let refused = arm.refusal(&arm.admin, Method::PUT, &path(here, READER), role("x", &[here], &["*"])).await;
    assert_eq!(refused, (409, "RoleDefinitionIsBuiltIn".into()));
    let refused = arm.refusal(&arm.admin, Method::DELETE, &path(here, READER), Value::Null).await;
    assert_eq!(refused, (409, "RoleDefinitionIsBuiltIn".into()));
    let ada = arm.someone("ada").await;
    arm.assign(ada.id, CONTRIBUTOR, here).await;
    let refused = arm.refusal(&ada.token, Method::PUT, &path(here, ONE), role("x", &[here], &["*"])).await;
    assert_eq!(refused, (403, "AuthorizationFailed".into()));
}

#[tokio::test]
async fn roles_and_assignments_are_found_by_what_filters_say() {
    let arm = Arm::start().await;
    let here = arm.subscription.as_str();
    arm.ok(Method::PUT, &path(here, ONE), role("O'Neil's", &[here], &["*/read"])).await;
    let list =
        |filter: &str| format!("{here}/providers/Microsoft.Authorization/roleDefinitions?$filter={filter}");
    for (filter, expected) in [
        ("type eq 'CustomRole'", ONE),
        ("roleName eq 'o''neil''s'", ONE),
        ("atScope() and roleName eq 'Owner'", OWNER),
        ("roleName eq 'Reader' and type eq 'BuiltInRole'", READER),
    ] {
        assert_eq!(names(&arm.get(&list(filter)).await), [expected], "{filter}");
    }
    let ada = arm.someone("ada").await;
    let crew = arm.site.nested_groups(1, ada.id).await;
    let own = arm.assign(ada.id, READER, here).await;
    arm.assign(crew[0], CONTRIBUTOR, here).await;
    let group = arm.resource_group("rg").await;
    arm.assign(ada.id, READER, &group).await;
    assert_eq!(arm.get(&own).await["id"], own);
    let list =
        |filter: &str| format!("{here}/providers/Microsoft.Authorization/roleAssignments?$filter={filter}");
    for (filter, expected) in [
        (format!("principalId eq '{}'", ada.id), 2),
        (format!("atScope() and principalId eq '{}'", ada.id), 1),
        (format!("atScope() and assignedTo('{}')", ada.id), 2),
        (format!("assignedTo('{}')", ada.id), 3),
    ] {
        assert_eq!(names(&arm.get(&list(&filter)).await).len(), expected, "{filter}");
    }
    for filter in ["principalId eq 'x'", "roleName eq 'x'", "atScope() or atScope()", "assignedTo()"] {
        let refused = arm.refusal(&arm.admin, Method::GET, &list(filter), Value::Null).await;
        assert_eq!(refused, (400, "InvalidFilter".into()), "{filter}");
    }
}
