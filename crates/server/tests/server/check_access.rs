//! Decisions for others, and deny assignments, which clients read only.

use domain::{
    assignment::DenyAssignment,
    change::Record,
    id::{AssignmentId, ObjectId},
    role::{ActionPattern, Permission, Stamp},
    scope::Scope,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::arm::{Arm, CONTRIBUTOR, OWNER, READER, assigning, assignment, names};

const READ: &str = "Microsoft.Resources/subscriptions/resourceGroups/read";
const DELETE: &str = "Microsoft.Resources/subscriptions/resourceGroups/delete";

fn question(subject: ObjectId, groups: &[ObjectId], actions: &[&str]) -> Value {
    let actions: Vec<Value> =
        actions.iter().map(|id| json!({"Id": id, "IsDataAction": false, "Attributes": {}})).collect();
    json!({"Subject": {"Attributes": {"ObjectId": subject, "Groups": groups}}, "Actions": actions})
}

fn check(scope: &str) -> String {
    format!("{scope}/providers/Microsoft.Authorization/checkaccess")
}

async fn decisions(arm: &Arm, scope: &str, body: Value) -> Vec<String> {
    let answer = arm.ok(Method::POST, &check(scope), body).await;
    let all = answer.as_array().unwrap().iter();
    all.map(|each| each["accessDecision"].as_str().unwrap().to_owned()).collect()
}

async fn deny(arm: &Arm, principal: ObjectId, scope: &str) -> AssignmentId {
    let id = AssignmentId::new(Uuid::from_u128(7));
    let actions = vec![ActionPattern::parse(DELETE).unwrap()];
    let deny = DenyAssignment {
        id,
        name: "Keep".into(),
        description: String::new(),
        principals: vec![principal],
        exclude_principals: vec![],
        everyone: false,
        scope: Scope::parse(scope).unwrap(),
        permissions: vec![Permission { actions, ..Permission::default() }],
        does_not_apply_to_children: false,
        created: Stamp::BUILT_IN,
        updated: Stamp::BUILT_IN,
    };
    let record = Record::DenyAssignment(deny);
    arm.site.running.app.whole_state().transact(|tx| tx.create(&record)).await.unwrap();
    id
}

#[tokio::test]
async fn each_action_is_decided_and_names_what_decided() {
    let arm = Arm::start().await;
    let ada = arm.someone("ada").await;
    let group = arm.resource_group("rg").await;
    let given = arm.assign(ada.id, READER, &arm.subscription).await;
    let mut body = question(ada.id, &[], &[READ, DELETE]);
    body["Resource"] = json!({"Id": group.to_uppercase()});
    let answer = arm.ok(Method::POST, &check(&group), body).await;
    assert_eq!((&answer[0]["actionId"], &answer[0]["accessDecision"]), (&json!(READ), &json!("Allowed")));
    assert_eq!(answer[0]["roleAssignment"]["id"], given);
    assert!(answer[0]["roleAssignment"]["roleDefinitionId"].as_str().unwrap().ends_with(READER));
    assert_eq!(
        (&answer[1]["accessDecision"], &answer[1]["roleAssignment"]),
        (&json!("NotAllowed"), &Value::Null)
    );
    // A control-plane right is none inside of a cluster.
    let data = json!({"subject": {"attributes": {"objectId": ada.id}},
        "actions": [{"id": "Microsoft.ContainerService/managedClusters/pods/read", "isDataAction": true}]});
    assert_eq!(decisions(&arm, &group, data).await, ["NotAllowed"]);
}

#[tokio::test]
async fn the_live_directory_says_which_groups_count() {
    let arm = Arm::start().await;
    let ada = arm.someone("ada").await;
    let bob = arm.someone("bob").await;
    let crew = arm.site.nested_groups(2, ada.id).await;
    arm.assign(crew[1], READER, &arm.subscription).await;
    let allowed = |subject: ObjectId, groups: Vec<ObjectId>| {
        let arm = &arm;
        async move { decisions(arm, &arm.subscription, question(subject, &groups, &[READ])).await == ["Allowed"] }
    };
    assert!(allowed(ada.id, vec![]).await, "in the group, whatever the caller says");
    assert!(!allowed(bob.id, crew.clone()).await, "not in the group, whatever the caller says");
    let stranger = ObjectId::new(Uuid::from_u128(99));
    assert!(allowed(stranger, crew.clone()).await, "unknown here: the caller's word counts");
    assert!(!allowed(stranger, vec![]).await);
    let snapshot = arm.site.running.app.whole_snapshot();
    let mut user = (**snapshot.directory().user(ada.id).unwrap()).clone();
    user.enabled = false;
    arm.site.running.app.whole_state().transact(|tx| tx.put(&Record::User(user.clone()))).await.unwrap();
    assert!(!allowed(ada.id, crew).await, "disabled");
}

#[tokio::test]
async fn attributes_of_an_action_reach_the_conditions() {
    let arm = Arm::start().await;
    let ada = arm.someone("ada").await;
    let path = assignment(ada.id, OWNER, &arm.subscription);
    let mut body = assigning(ada.id, OWNER);
    body["properties"]["condition"] = "@Request[Contoso.Shop:colour] StringEqualsIgnoreCase 'red'".into();
    body["properties"]["conditionVersion"] = "2.0".into();
    arm.ok(Method::PUT, &path, body).await;
    for (attributes, expected) in [
        (json!({"Contoso.Shop:colour": "RED"}), "Allowed"),
        (json!({"Contoso.Shop:colour": "blue"}), "NotAllowed"),
        (json!({"Contoso.Shop:colour": ["red"]}), "NotAllowed"),
        (json!({}), "NotAllowed"),
    ] {
        let mut body = question(ada.id, &[], &[READ]);
        body["Actions"][0]["Attributes"] = attributes.clone();
        assert_eq!(decisions(&arm, &arm.subscription, body).await, [expected], "{attributes}");
    }
}

#[tokio::test]
async fn asking_takes_a_right_and_a_sensible_question() {
    let arm = Arm::start().await;
    let ada = arm.someone("ada").await;
    let path = check(&arm.subscription);
    let good = question(ada.id, &[], &[READ]);
    assert_eq!(arm.ask("x", Method::POST, &path, good.clone()).await.0, StatusCode::UNAUTHORIZED);
    let refused = arm.refusal(&ada.token, Method::POST, &path, good.clone()).await;
    assert_eq!(refused, (403, "AuthorizationFailed".into()));
    arm.assign(ada.id, READER, &arm.subscription).await;
    assert_eq!(arm.ask(&ada.token, Method::POST, &path, good.clone()).await.0, StatusCode::OK);
    let mut elsewhere = good.clone();
    elsewhere["Resource"] = json!({"Id": "/"});
    for body in [question(ada.id, &[], &[]), question(ada.id, &[], &[READ; 201]), elsewhere] {
        let refused = arm.refusal(&ada.token, Method::POST, &path, body).await;
        assert_eq!(refused, (400, "InvalidCheckAccessRequest".into()));
    }
    let mut nobody = good;
    nobody["Subject"]["Attributes"]["ObjectId"] = "x".into();
    for body in [json!({}), json!([]), nobody] {
        let refused = arm.refusal(&ada.token, Method::POST, &path, body).await;
        assert_eq!(refused, (400, "InvalidRequestContent".into()));
    }
    assert_eq!(decisions(&arm, &arm.subscription, question(ada.id, &[], &[READ; 200])).await.len(), 200);
}

#[tokio::test]
async fn deny_assignments_win_and_are_read_but_not_written() {
    let arm = Arm::start().await;
    let ada = arm.someone("ada").await;
    let group = arm.resource_group("rg").await;
    arm.assign(ada.id, CONTRIBUTOR, &arm.subscription).await;
    let id = deny(&arm, ada.id, &group).await;
    assert_eq!(decisions(&arm, &group, question(ada.id, &[], &[READ, DELETE])).await, ["Allowed", "Denied"]);
    let list = |scope: &str, query: &str| {
        format!("{scope}/providers/Microsoft.Authorization/denyAssignments{query}")
    };
    let one = list(&group, &format!("/{id}"));
    let shown = arm.get(&one).await;
    assert_eq!(shown["properties"]["denyAssignmentName"], "Keep");
    assert_eq!(shown["properties"]["principals"], json!([{"id": ada.id, "type": "User"}]));
    let nobody = Uuid::from_u128(1);
    for (scope, query, expected) in [
        (&arm.subscription, String::new(), 1),
        (&arm.subscription, "?$filter=atScope()".into(), 0),
        (&group, "?$filter=atScope()".into(), 1),
        (&group, format!("?$filter=principalId%20eq%20'{}'", ada.id), 1),
        (&group, format!("?$filter=principalId%20eq%20'{nobody}'"), 0),
    ] {
        assert_eq!(names(&arm.get(&list(scope, &query)).await).len(), expected, "{query}");
    }
    let gdpr = list(&group, &format!("?$filter=gdprExportPrincipalId%20eq%20'{nobody}'"));
    let refused = arm.refusal(&arm.admin, Method::GET, &gdpr, Value::Null).await;
    assert_eq!(refused, (400, "InvalidFilter".into()));
    for method in [Method::PUT, Method::DELETE] {
        let refused = arm.refusal(&arm.admin, method.clone(), &one, json!({})).await;
        assert_eq!(refused, (405, "DenyAssignmentsNotSupported".into()));
        let bob = arm.someone(method.as_str()).await;
        assert_eq!(arm.refusal(&bob.token, method, &one, json!({})).await.0, 403);
    }
    let missing = list(&group, &format!("/{nobody}"));
    let refused = arm.refusal(&arm.admin, Method::GET, &missing, Value::Null).await;
    assert_eq!(refused, (404, "DenyAssignmentNotFound".into()));
    // A move must not leave one behind.
    arm.management_group("shop", None).await;
    let shop = "/providers/Microsoft.Management/managementGroups/shop";
    arm.ok(Method::PUT, &format!("{shop}{}", arm.subscription), Value::Null).await;
    arm.site
        .running
        .app
        .whole_state()
        .transact(|tx| {
            let mut above = (**tx.snapshot().azure().deny(id).unwrap()).clone();
            above.scope = Scope::parse(shop).unwrap();
            tx.put(&Record::DenyAssignment(above))
        })
        .await
        .unwrap();
    let refused =
        arm.refusal(&arm.admin, Method::DELETE, &format!("{shop}{}", arm.subscription), Value::Null).await;
    assert_eq!(refused, (409, "Conflict".into()));
}
