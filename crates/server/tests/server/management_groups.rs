//! Management groups: what they look like, who may change the tree, and that nobody gains by it.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::arm::{Arm, CONTRIBUTOR, GROUPS, OWNER, READER, assigning, assignment, names};

/// Management Group Contributor.
const GROUP_CONTRIBUTOR: &str = "5d58bcaf-24a5-4b20-bdb6-eed9f69fbe4c";

/// A custom role that may write the tree, as Management Group Contributor.
async fn tree_writer(arm: &Arm) -> &'static str {
    let root = format!("{GROUPS}/{}", arm.tenant);
    let path = format!("{root}/providers/Microsoft.Authorization/roleDefinitions/{GROUP_CONTRIBUTOR}");
    let role = json!({"properties": {"roleName": "Tree writer", "assignableScopes": [root],
        "permissions": [{"actions": ["Microsoft.Management/managementGroups/*"]}]}});
    arm.ok(Method::PUT, &path, role).await;
    GROUP_CONTRIBUTOR
}

#[tokio::test]
async fn groups_are_made_shown_listed_changed_and_deleted() {
    let arm = Arm::start().await;
    // As az sends it: an empty parent is the root.
    let body = json!({"name": "Shop", "properties": {"displayName": "The shop", "details": {"parent": {}}}});
    let made = arm.ok(Method::PUT, &format!("{GROUPS}/Shop"), body.clone()).await;
    assert_eq!(made["id"], format!("{GROUPS}/Shop"));
    assert_eq!(made["type"], "Microsoft.Management/managementGroups");
    assert_eq!(made["properties"]["details"]["parent"]["id"], format!("{GROUPS}/{}", arm.tenant));
    let (status, again) = arm.ask(&arm.admin, Method::PUT, &format!("{GROUPS}/shop"), body).await;
    assert_eq!((status, &again["name"]), (StatusCode::OK, &json!("Shop")));
    arm.management_group("till", Some("SHOP")).await;
    arm.ok(Method::PUT, &format!("{GROUPS}/Till{}", arm.subscription), Value::Null).await;

    let shown = arm.get(&format!("{GROUPS}/shop?$expand=children&$recurse=true")).await;
    let child = &shown["properties"]["children"][0];
    assert_eq!((&child["name"], &child["type"]), (&json!("till"), &shown["type"]), "{shown}");
    assert_eq!(child["children"][0]["id"], arm.subscription, "{shown}");
    let flat = arm.get(&format!("{GROUPS}/shop?$expand=children")).await;
    assert_eq!(flat["properties"]["children"][0]["children"], Value::Null);
    let path = arm.get(&format!("{GROUPS}/till?$expand=path")).await;
    let path = &path["properties"]["details"]["path"];
    assert_eq!((&path[0]["name"], &path[1]["name"]), (&json!(arm.tenant), &json!("Shop")));
    let mut listed = names(&arm.get(GROUPS).await);
    listed.sort_unstable();
    let mut expected = vec!["Shop".to_owned(), "till".to_owned(), arm.tenant.clone()];
    expected.sort_unstable();
    assert_eq!(listed, expected);
    let placed = arm.get(&format!("{GROUPS}/till/subscriptions")).await;
    assert_eq!(placed["value"][0]["properties"]["parent"]["id"], format!("{GROUPS}/till"));

    let patch = json!({"displayName": "Tills", "parentGroupId": null});
    let patched = arm.ok(Method::PATCH, &format!("{GROUPS}/till"), patch).await;
    assert_eq!(patched["properties"]["displayName"], "Tills");
    assert_eq!(patched["properties"]["details"]["parent"]["name"], "Shop");

    for name in ["shop", "till"] {
        let refused = arm.refusal(&arm.admin, Method::DELETE, &format!("{GROUPS}/{name}"), Value::Null).await;
        assert_eq!(refused, (409, "ManagementGroupNotEmpty".into()));
    }
    arm.ok(Method::DELETE, &format!("{GROUPS}/till{}", arm.subscription), Value::Null).await;
    for name in ["till", "shop", "shop"] {
        let path = format!("{GROUPS}/{name}");
        let (status, _) = arm.ask(&arm.admin, Method::DELETE, &path, Value::Null).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
    }
    let gone = arm.refusal(&arm.admin, Method::GET, &format!("{GROUPS}/shop"), Value::Null).await;
    assert_eq!(gone, (404, "NotFound".into()));
}

#[tokio::test]
async fn the_root_group_is_the_tenant_and_stays() {
    let arm = Arm::start().await;
    let root = format!("{GROUPS}/{}", arm.tenant);
    let shown = arm.get(&format!("{root}?$expand=children")).await;
    assert_eq!(shown["properties"]["displayName"], "Tenant Root Group");
    assert_eq!(shown["properties"]["details"]["parent"], Value::Null);
    assert_eq!(shown["properties"]["children"][0]["id"], arm.subscription);
    for (method, body) in [
        (Method::PUT, json!({"properties": {"displayName": "mine"}})),
        (Method::PATCH, json!({"displayName": "mine"})),
        (Method::DELETE, Value::Null),
    ] {
        let refused = arm.refusal(&arm.admin, method, &root, body).await;
        assert_eq!(refused, (409, "ManagementGroupNotEmpty".into()));
    }
    // A role at the root group counts in the whole tenant, and nowhere once it is gone.
    let ada = arm.someone("ada").await;
    let group = arm.resource_group("rg").await;
    let read = |who: String| {
        let (arm, group) = (&arm, &group);
        async move { arm.ask(&who, Method::GET, group, Value::Null).await.0 }
    };
    assert_eq!(read(ada.token.clone()).await, StatusCode::FORBIDDEN);
    let path = arm.assign(ada.id, READER, &root).await;
    assert_eq!(read(ada.token.clone()).await, StatusCode::OK);
    arm.management_group("shop", None).await;
    arm.ok(Method::PUT, &format!("{GROUPS}/shop{}", arm.subscription), Value::Null).await;
    assert_eq!(read(ada.token.clone()).await, StatusCode::OK);
    assert_eq!(
        names(
            &arm.get(&format!(
                "{group}/providers/Microsoft.Authorization/roleAssignments?$filter=principalId%20eq%20'{}'",
                ada.id
            ))
            .await
        )
        .len(),
        1
    );
    arm.ok(Method::DELETE, &path, Value::Null).await;
    assert_eq!(read(ada.token.clone()).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn roles_at_a_group_count_below_it_and_go_with_it() {
    let arm = Arm::start().await;
    let ada = arm.someone("ada").await;
    let group = arm.resource_group("rg").await;
    let unknown = assignment(ada.id, READER, &format!("{GROUPS}/shop"));
    let refused = arm.refusal(&arm.admin, Method::PUT, &unknown, assigning(ada.id, READER)).await;
    assert_eq!(refused, (404, "NotFound".into()));
    let shop = arm.management_group("shop", None).await;
    arm.assign(ada.id, READER, &shop).await;
    assert_eq!(arm.ask(&ada.token, Method::GET, &group, Value::Null).await.0, StatusCode::FORBIDDEN);
    arm.ok(Method::PUT, &format!("{shop}{}", arm.subscription), Value::Null).await;
    assert_eq!(arm.ask(&ada.token, Method::GET, &group, Value::Null).await.0, StatusCode::OK);
    // Whoever reads a group sees it in the lists; the root group stays hidden from her.
    assert_eq!(names(&arm.ask(&ada.token, Method::GET, GROUPS, Value::Null).await.1), ["shop"]);
    arm.ok(Method::DELETE, &format!("{shop}{}", arm.subscription), Value::Null).await;
    assert_eq!(arm.ask(&ada.token, Method::GET, &group, Value::Null).await.0, StatusCode::FORBIDDEN);
    arm.ok(Method::DELETE, &shop, Value::Null).await;
    arm.management_group("shop", None).await;
    arm.ok(Method::PUT, &format!("{shop}{}", arm.subscription), Value::Null).await;
    assert_eq!(arm.ask(&ada.token, Method::GET, &group, Value::Null).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn nobody_gains_a_right_by_moving() {
    let arm = Arm::start().await;
    let ada = arm.someone("ada").await;
    let writer = tree_writer(&arm).await;
    let root = format!("{GROUPS}/{}", arm.tenant);
    let mine = arm.management_group("mine", None).await;
    let child = arm.management_group("child", None).await;
    let placed = format!("{mine}{}", arm.subscription);
    let move_child = json!({"parentGroupId": mine});
    let refused = (403, "AuthorizationFailed".to_owned());
    // Owner of the new parent alone; then writer of the tree everywhere, who still may give no role on what moves.
    arm.assign(ada.id, OWNER, &mine).await;
    for _ in 0..2 {
        assert_eq!(arm.refusal(&ada.token, Method::PUT, &placed, Value::Null).await, refused);
        assert_eq!(arm.refusal(&ada.token, Method::PATCH, &child, move_child.clone()).await, refused);
        arm.assign(ada.id, writer, &root).await;
    }
    arm.assign(ada.id, OWNER, &child).await;
    assert_eq!(arm.ask(&ada.token, Method::PATCH, &child, move_child.clone()).await.0, StatusCode::OK);
    arm.assign(ada.id, CONTRIBUTOR, &arm.subscription).await;
    assert_eq!(arm.refusal(&ada.token, Method::PUT, &placed, Value::Null).await, refused);
    // A right to give some roles is not the right to give any.
    let limited = "(!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'}) OR \
        (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals \
        {acdd72a7-3385-48ef-bd42-f606fba81ae7}))";
    let path = assignment(ada.id, OWNER, &arm.subscription);
    let mut body = assigning(ada.id, OWNER);
    body["properties"]["condition"] = limited.into();
    body["properties"]["conditionVersion"] = "2.0".into();
    arm.ok(Method::PUT, &path, body).await;
    assert_eq!(arm.refusal(&ada.token, Method::PUT, &placed, Value::Null).await, refused);
    arm.ok(Method::PUT, &path, assigning(ada.id, OWNER)).await;
    let (status, answer) = arm.ask(&ada.token, Method::PUT, &placed, Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    // Out again takes the same at the root, which she has.
    assert_eq!(arm.ask(&ada.token, Method::DELETE, &placed, Value::Null).await.0, StatusCode::OK);
    let (status, _) = arm.ask(&ada.token, Method::DELETE, &placed, Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn only_who_may_write_the_tree_makes_groups_and_owns_what_they_made() {
    let arm = Arm::start().await;
    let ada = arm.someone("ada").await;
    let writer = tree_writer(&arm).await;
    let shop = arm.management_group("shop", None).await;
    let new = json!({"properties": {"details": {"parent": {"id": shop}}}});
    let path = format!("{GROUPS}/till");
    for who in ["x", ""] {
        assert_eq!(arm.ask(who, Method::PUT, &path, new.clone()).await.0, StatusCode::UNAUTHORIZED);
    }
    let refused = (403, "AuthorizationFailed".to_owned());
    for (method, body) in [
        (Method::GET, Value::Null),
        (Method::PUT, new.clone()),
        (Method::PATCH, json!({"displayName": "x"})),
        (Method::DELETE, Value::Null),
    ] {
        assert_eq!(arm.refusal(&ada.token, method, &path, body).await, refused);
    }
    arm.assign(ada.id, writer, &shop).await;
    // At the root she has nothing.
    assert_eq!(arm.refusal(&ada.token, Method::PUT, &path, json!({})).await, refused);
    assert_eq!(arm.ask(&ada.token, Method::PUT, &path, new).await.0, StatusCode::OK);
    let bob = arm.someone("bob").await;
    let give = |scope: &str| assignment(bob.id, READER, scope);
    let body = assigning(bob.id, READER);
    assert_eq!(arm.ask(&ada.token, Method::PUT, &give(&path), body.clone()).await.0, StatusCode::CREATED);
    assert_eq!(arm.refusal(&ada.token, Method::PUT, &give(&shop), body).await, refused);
}

#[tokio::test]
async fn the_tree_has_no_loops_and_six_levels() {
    let arm = Arm::start().await;
    let mut above: Option<String> = None;
    for level in 1..=6 {
        let name = format!("l{level}");
        arm.management_group(&name, above.as_deref()).await;
        above = Some(name);
    }
    let hierarchy = (409, "InvalidManagementGroupHierarchy".to_owned());
    let below =
        |name: &str| json!({"properties": {"details": {"parent": {"id": format!("{GROUPS}/{name}")}}}});
    let refused = arm.refusal(&arm.admin, Method::PUT, &format!("{GROUPS}/l7"), below("l6")).await;
    assert_eq!(refused, hierarchy);
    for parent in ["l1", "L4"] {
        let refused = arm.refusal(&arm.admin, Method::PUT, &format!("{GROUPS}/l1"), below(parent)).await;
        assert_eq!(refused, hierarchy, "{parent}");
    }
    arm.management_group("top", None).await;
    let refused = arm.refusal(&arm.admin, Method::PUT, &format!("{GROUPS}/l1"), below("top")).await;
    assert_eq!(refused, hierarchy);
    arm.ok(Method::PUT, &format!("{GROUPS}/l2"), below("top")).await;
}

#[tokio::test]
async fn what_is_malformed_is_refused_by_name() {
    let arm = Arm::start().await;
    let group = arm.management_group("shop", None).await;
    for (path, body, code) in [
        ("a%20b".to_owned(), json!({}), "InvalidManagementGroupName"),
        ("x".repeat(91), json!({}), "InvalidManagementGroupName"),
        ("a".into(), json!({"name": "b"}), "InvalidRequestContent"),
        ("a".into(), json!({"properties": {"displayName": "a\nb"}}), "InvalidDisplayName"),
        ("a".into(), json!({"properties": {"tenantId": OWNER}}), "InvalidTenantId"),
        (
            "a".into(),
            json!({"properties": {"details": {"parent": {"id": "shop"}}}}),
            "InvalidManagementGroupId",
        ),
        (
            "a".into(),
            json!({"properties": {"details": {"parent": {"id": format!("{GROUPS}/a/b")}}}}),
            "InvalidManagementGroupId",
        ),
        ("a".into(), json!([]), "InvalidRequestContent"),
    ] {
        let path = format!("{GROUPS}/{path}");
        assert_eq!(arm.refusal(&arm.admin, Method::PUT, &path, body).await, (400, code.into()), "{path}");
    }
    let missing = json!({"properties": {"details": {"parent": {"id": format!("{GROUPS}/nowhere")}}}});
    let refused = arm.refusal(&arm.admin, Method::PUT, &format!("{GROUPS}/a"), missing).await;
    assert_eq!(refused, (404, "NotFound".into()));
    for query in ["$expand=everything", "$expand=children&$recurse=maybe"] {
        let refused = arm.refusal(&arm.admin, Method::GET, &format!("{group}?{query}"), Value::Null).await;
        assert_eq!(refused.0, 400, "{query}");
    }
    let elsewhere = format!("{group}/subscriptions/{OWNER}");
    let refused = arm.refusal(&arm.admin, Method::PUT, &elsewhere, Value::Null).await;
    assert_eq!(refused, (404, "SubscriptionNotFound".into()));
    let refused =
        arm.refusal(&arm.admin, Method::PUT, &format!("{group}/subscriptions/x"), Value::Null).await;
    assert_eq!(refused, (400, "InvalidSubscriptionId".into()));
}

#[tokio::test]
async fn names_are_checked_and_the_whole_tree_is_one_list() {
    let arm = Arm::start().await;
    arm.management_group("shop", None).await;
    arm.ok(Method::PUT, &format!("{GROUPS}/shop{}", arm.subscription), Value::Null).await;
    let check = |name: &str| json!({"name": name, "type": "Microsoft.Management/managementGroups"});
    let path = "/providers/Microsoft.Management/checkNameAvailability";
    for (name, reason) in [("free", Value::Null), ("SHOP", json!("AlreadyExists")), ("a b", json!("Invalid"))]
    {
        let answer = arm.ok(Method::POST, path, check(name)).await;
        assert_eq!(answer["nameAvailable"], reason.is_null(), "{name}");
        assert_eq!(answer["reason"], reason, "{name}");
    }
    let all = arm.ok(Method::POST, "/providers/Microsoft.Management/getEntities", Value::Null).await;
    assert_eq!(names(&all).len(), 3);
    let subscription = all["value"].as_array().unwrap().iter().find(|each| each["type"] == "/subscriptions");
    let chain = &subscription.unwrap()["properties"]["parentNameChain"];
    assert_eq!(*chain, json!([arm.tenant, "shop"]));
    let ada = arm.someone("ada").await;
    let (_, hers) =
        arm.ask(&ada.token, Method::POST, "/providers/Microsoft.Management/getEntities", Value::Null).await;
    assert_eq!(hers["value"], json!([]));
}
