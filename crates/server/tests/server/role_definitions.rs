//! Custom roles: what one may say, where it may be assignable, and what keeps it.

use reqwest::Method;
use serde_json::{Value, json};

use super::arm::{Arm, CONTRIBUTOR, GROUPS, OWNER, READER, assigning, assignment, names};

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
    let look_alikes = ["Оwner", "0wner", "Ｏwner", "Managed ldentity Operator", "Rеаder"];
    for name in ["TILL reader", "owner"].into_iter().chain(look_alikes) {
        let refused =
            arm.refusal(&arm.admin, Method::PUT, &path(here, OTHER), role(name, &[here], &["*/read"])).await;
        assert_eq!(refused, (409, "RoleDefinitionWithSameNameExists".into()), "{name}");
    }
    for name in ["Till reader ", " Owner", "Till  reader", "Till\u{200b} reader", "Owner\u{a0}"] {
        let refused =
            arm.refusal(&arm.admin, Method::PUT, &path(here, OTHER), role(name, &[here], &["*/read"])).await;
        assert_eq!(refused, (400, "BadRequest".into()), "{name:?}");
    }
    let ada = arm.someone("ada").await;
    let given = arm.assign(ada.id, ONE, here).await;
    let refused = arm.refusal(&arm.admin, Method::DELETE, &path(here, ONE), Value::Null).await;
    assert_eq!(refused, (400, "RoleDefinitionHasAssignments".into()));
    arm.ok(Method::DELETE, &given, Value::Null).await;
    arm.ok(Method::DELETE, &path(here, ONE), Value::Null).await;
}

/// Somebody without a right is told the same whether a name is taken, a role is there, or nothing is.
#[tokio::test]
async fn who_may_not_write_roles_does_not_learn_which_there_are() {
    let arm = Arm::start().await;
    let here = arm.subscription.as_str();
    let (own, foreign) = (arm.resource_group("own").await, arm.resource_group("foreign").await);
    arm.ok(Method::PUT, &path(&foreign, ONE), role("Secret project", &[&foreign], &["*/read"])).await;
    let ada = arm.someone("ada").await;
    let bob = arm.someone("bob").await;
    arm.assign(ada.id, READER, here).await;
    arm.assign(bob.id, OWNER, &own).await;
    let said = async |who: &str, method: Method, path: &str, body: Value| {
        let (status, answer) = arm.ask(who, method, path, body).await;
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        (status.as_u16(), message.replace(ONE, "ID").replace(OTHER, "ID"))
    };
    for who in [&ada, &bob] {
        for scopes in [&[here][..], &[], &[&foreign]] {
            let mut told = Vec::new();
            for name in ["Secret project", "Owner", "Free"] {
                for id in [ONE, OTHER] {
                    told.push(
                        said(&who.token, Method::PUT, &path(here, id), role(name, scopes, &["*/read"])).await,
                    );
                }
            }
            assert_eq!(told[0].0, 403, "{told:?}");
            assert!(told.iter().all(|each| *each == told[0]), "{told:?}");
        }
        for scope in [here, &foreign] {
            let one = said(&who.token, Method::DELETE, &path(scope, ONE), Value::Null).await;
            assert_eq!(one.0, 403);
            assert_eq!(one, said(&who.token, Method::DELETE, &path(scope, OTHER), Value::Null).await);
        }
    }
    // Nor where one may delete what is one's own.
    let one = said(&bob.token, Method::DELETE, &path(&own, ONE), Value::Null).await;
    assert_eq!(one, said(&bob.token, Method::DELETE, &path(&own, OTHER), Value::Null).await);
    assert_eq!(arm.get(&path(&foreign, ONE)).await["name"], ONE);
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

/// Clients compare these texts: `az role assignment delete --role GUID` looks for the id of its subscription.
#[tokio::test]
async fn ids_of_roles_carry_the_scope_they_were_asked_at() {
    let arm = Arm::start().await;
    let here = arm.subscription.as_str();
    let group = arm.resource_group("rg").await;
    let company = arm.management_group("company", None).await;
    let unknown = format!("{group}/providers/Microsoft.Network/virtualNetworks/v");
    let bare = path("", READER);
    let own = path(here, READER);
    for (scope, expected) in [
        ("", &bare),
        (company.as_str(), &bare),
        (here, &own),
        (&here.to_uppercase(), &own),
        (&group, &own),
        (&unknown, &own),
    ] {
        let list =
            format!("{scope}/providers/Microsoft.Authorization/roleDefinitions?$filter=roleName eq 'Reader'");
        assert_eq!(arm.get(&list).await["value"][0]["id"], **expected, "{list}");
        assert_eq!(arm.get(&path(scope, READER)).await["id"], **expected, "{scope}");
    }
    let made = arm.ok(Method::PUT, &path(&group, ONE), role("Till reader", &[&group], &["*/read"])).await;
    assert_eq!(made["id"], path(here, ONE));
    assert_eq!(arm.ok(Method::DELETE, &path(&group, ONE), Value::Null).await["id"], path(here, ONE));
    let ada = arm.someone("ada").await;
    let mut given = Vec::new();
    for (scope, expected) in [("/", &bare), (&company, &bare), (here, &own), (&group, &own)] {
        let at = arm.assign(ada.id, READER, scope).await;
        let answers = [
            arm.ok(Method::PUT, &at, assigning(ada.id, READER)).await,
            arm.get(&at).await,
            arm.ok(Method::DELETE, &at, Value::Null).await,
            arm.ok(Method::PUT, &at, assigning(ada.id, READER)).await,
        ];
        for answer in answers {
            assert_eq!(answer["properties"]["roleDefinitionId"], **expected, "{at}");
        }
        given.push(at);
    }
    let ids = |list: Value| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let all = list["value"].as_array().unwrap().iter();
        all.map(|each| (text(&each["id"]), text(&each["properties"]["roleDefinitionId"]))).collect()
    };
    let list = |scope: &str| {
        format!(
            "{scope}/providers/Microsoft.Authorization/roleAssignments?$filter=principalId eq '{}'",
            ada.id
        )
    };
    // What is inherited carries the scope that was asked; what is below carries its own.
    for (id, role) in ids(arm.get(&list(here)).await) {
        assert_eq!(role, own, "{id}");
    }
    let at_root = ids(arm.get(&list("")).await);
    assert_eq!(at_root.len(), given.len());
    for (id, role) in at_root {
        assert_eq!(role, if id.starts_with("/subscriptions/") { own.clone() } else { bare.clone() }, "{id}");
    }
    let asked = json!({"Subject": {"Attributes": {"ObjectId": ada.id}},
        "Actions": [{"Id": "Microsoft.Network/virtualNetworks/read", "IsDataAction": false}], "Resource": {"Id": group}});
    let check = format!("{group}/providers/Microsoft.Authorization/checkAccess");
    let answer = arm.ok(Method::POST, &check, asked).await;
    assert_eq!(answer[0]["roleAssignment"]["roleDefinitionId"], own, "{answer}");
}

#[tokio::test]
async fn a_role_is_named_by_every_form_of_its_id_and_by_nothing_else() {
    let arm = Arm::start().await;
    let here = arm.subscription.as_str();
    let ada = arm.someone("ada").await;
    let foreign = "/subscriptions/11111111-2222-3333-4444-555555555555";
    let group = format!("{GROUPS}/any");
    let at = arm.assign(ada.id, READER, here).await;
    let body = |role: &str| json!({"properties": {"principalId": ada.id, "roleDefinitionId": role}});
    for form in
        [READER.to_owned(), path("", READER), path(here, READER), path(foreign, READER), path(&group, READER)]
    {
        for form in [form.clone(), form.to_uppercase(), format!("{form}/")] {
            let (status, answer) = arm.ask(&arm.admin, Method::PUT, &at, body(&form)).await;
            assert_eq!(status, 200, "{form}: {answer}");
            assert_eq!(answer["properties"]["roleDefinitionId"], path(here, READER), "{form}");
        }
    }
    for form in [
        "",
        "Reader",
        &format!("x/{READER}"),
        &path("/evil", READER),
        &path("https://evil", READER),
        &path("/subscriptions", READER),
        &path("/subscriptions/x/../y", READER),
        &format!("/providers/Microsoft.Authorization/roleAssignments/{READER}"),
        &format!("{}//", path("", READER)),
        &format!("{}/x", path("", READER)),
    ] {
        let refused = arm.refusal(&arm.admin, Method::PUT, &at, body(form)).await;
        assert_eq!(refused, (400, "InvalidRoleDefinitionId".into()), "{form}");
    }
}

#[tokio::test]
async fn whoever_may_list_roles_may_read_each_by_the_id_that_the_list_gave() {
    let arm = Arm::start().await;
    let company = arm.management_group("company", None).await;
    let group = arm.resource_group("rg").await;
    let other = arm.resource_group("other").await;
    arm.ok(Method::PUT, &path(&company, ONE), role("Company's", &[&company], &["*/read"])).await;
    arm.ok(Method::PUT, &path(&other, OTHER), role("Other's", &[&other], &["*/read"])).await;
    let ask = async |who: &str, path: &str| arm.ask(who, Method::GET, path, Value::Null).await;
    for (place, scope) in [&company, &group].into_iter().enumerate() {
        let ada = arm.someone(&format!("ada{place}")).await;
        for id in [path("", READER), path("", ONE), path(scope, READER)] {
            assert_eq!(ask(&ada.token, &id).await.0, 403, "{id}");
        }
        arm.assign(ada.id, READER, scope).await;
        let list = format!("{scope}/providers/Microsoft.Authorization/roleDefinitions");
        let (status, listed) = ask(&ada.token, &list).await;
        assert_eq!(status, 200, "{list}");
        for role in listed["value"].as_array().unwrap() {
            // As `get_by_id` of a library asks: at the id itself.
            let id = role["id"].as_str().unwrap();
            for id in [id, &path("", role["name"].as_str().unwrap())] {
                let (status, answer) = ask(&ada.token, id).await;
                assert_eq!(status, 200, "{id}: {answer}");
            }
        }
        // A role of a place that one may not see is told nowhere.
        for id in [path("", OTHER), path(scope, OTHER)] {
            let (status, _) = ask(&ada.token, &id).await;
            assert!(status == 403 || status == 404, "{id}: {status}");
        }
    }
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

#[tokio::test]
async fn what_bounds_a_role_counts_in_any_case_and_is_never_passed_over() {
    let arm = Arm::start().await;
    let here = arm.subscription.as_str();
    let body = |permissions: Value| json!({"properties": {"roleName": "r", "assignableScopes": [here], "permissions": [permissions]}});
    let all = "Microsoft.ContainerService/managedClusters/*";
    let secrets = "Microsoft.ContainerService/managedClusters/secrets/read";
    let cased = json!({"Properties": {"ROLENAME": "r", "AssignableScopes": [here],
        "Permissions": [{"DataActions": [all], "NotDataActions": [secrets], "notdataaction": null}]}});
    let made = arm.ok(Method::PUT, &path(here, ONE), cased).await;
    let expected =
        json!([{"actions": [], "notActions": [], "dataActions": [all], "notDataActions": [secrets]}]);
    assert_eq!(made["properties"]["permissions"], expected);
    // What a client was given can be sent back.
    let again = arm.ok(Method::PUT, &path(here, ONE), made).await;
    assert_eq!(again["properties"]["permissions"], expected);
    for (body, named) in [
        (
            body(json!({"dataActions": [all], "notDataAction": [secrets]})),
            "properties.permissions[0].notDataAction",
        ),
        (
            body(json!({"dataActions": [all], "not_data_actions": [secrets]})),
            "properties.permissions[0].not_data_actions",
        ),
        (
            body(json!({"dataActions": [all], "condition": "@Request[a] StringEquals 'b'"})),
            "properties.permissions.condition",
        ),
        (
            body(json!({"dataActions": [all], "NotDataActions": [secrets], "notDataActions": []})),
            "stands more than once",
        ),
        (
            json!({"properties": {"roleName": "r", "assignableScopes": [here], "permissions": [], "dataActions": [all]}}),
            "properties.dataActions",
        ),
        (
            json!({"assignableScopes": [here], "properties": {"roleName": "r", "assignableScopes": [here], "permissions": []}}),
            "'assignableScopes': expected 'properties.assignableScopes'",
        ),
    ] {
        let (status, answer) = arm.ask(&arm.admin, Method::PUT, &path(here, OTHER), body.clone()).await;
        let said = answer["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(
            (status.as_u16(), &answer["error"]["code"]),
            (400, &json!("InvalidRequestContent")),
            "{body}"
        );
        assert!(said.contains(named), "{body}: {said}");
    }
}

#[tokio::test]
async fn what_bounds_an_assignment_a_lock_or_a_credential_is_never_passed_over() {
    let arm = Arm::start().await;
    let group = arm.resource_group("rg").await;
    let identity = format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i");
    arm.ok(Method::PUT, &identity, json!({"location": "local"})).await;
    let ada = arm.someone("ada").await;
    let given = assignment(ada.id, READER, &group);
    let lock = format!("{group}/providers/Microsoft.Authorization/locks/l");
    let credential = format!("{identity}/federatedIdentityCredentials/one");
    let properties = |path: &str, name: &str, value: &str| {
        let mut body = if path == given {
            assigning(ada.id, READER)
        } else if path == lock {
            json!({"properties": {"level": "CanNotDelete"}})
        } else {
            json!({"properties": {"issuer": "https://i.example", "subject": "s", "audiences": ["a"]}})
        };
        body["properties"][name] = json!(value);
        body
    };
    let condition = "@Request[a] StringEquals 'b'";
    for (path, name, value) in [
        (&given, "conditon", condition),
        (&given, "principal_type", "User"),
        (&lock, "lvl", "ReadOnly"),
        (&credential, "claimsMatchingExpression", "x"),
    ] {
        let refused = arm.refusal(&arm.admin, Method::PUT, path, properties(path, name, value)).await;
        assert_eq!(refused, (400, "InvalidRequestContent".into()), "{name}");
        assert_eq!(arm.ask(&arm.admin, Method::GET, path, Value::Null).await.0, 404, "{name}");
    }
    let mut top = assigning(ada.id, READER);
    top["condition"] = json!(condition);
    let refused = arm.refusal(&arm.admin, Method::PUT, &given, top).await;
    assert_eq!(refused, (400, "InvalidRequestContent".into()));
    let made = arm.ok(Method::PUT, &given, properties(&given, "CONDITION", condition)).await;
    assert_eq!(made["properties"]["condition"], condition);
    arm.ok(Method::PUT, &given, made).await;
    arm.ok(Method::PUT, &lock, properties(&lock, "NOTES", "n")).await;
    arm.ok(Method::DELETE, &lock, Value::Null).await;
    // A credential is named in any case, and is one.
    arm.ok(Method::PUT, &credential, properties(&credential, "subject", "s2")).await;
    arm.ok(Method::PUT, &credential.replace("/one", "/ONE"), properties(&credential, "subject", "s3")).await;
    let listed = arm.get(&format!("{identity}/federatedIdentityCredentials")).await;
    assert_eq!(listed["value"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed["value"][0]["properties"]["subject"], "s3");
    let (status, _) =
        arm.ask(&arm.admin, Method::DELETE, &credential.replace("/one", "/ONE"), Value::Null).await;
    assert_eq!(status, 200);
}
