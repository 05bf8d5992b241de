//! The tree above the resources by the real `az`: management groups, locks, and custom roles that are refused.

use serde_json::{Value, json};

use crate::{azure::Azure, running::Journey};

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|each| each["name"].as_str().unwrap()).collect()
}

/// A group, a subscription in it, and a role at it that counts while the subscription is in it.
#[test]
fn az_makes_management_groups_and_gives_roles_at_them() {
    let journey = Journey::begin();
    let admin = Azure::administrator(&journey);
    let group = |arguments: &[&str]| admin.json(&[&["account", "management-group"], arguments].concat());
    let made = group(&["create", "--name", "shop", "--display-name", "The shop", "--no-register"]);
    assert_eq!(made["displayName"], "The shop");
    // With the registration that az makes by default, and waits for.
    group(&["create", "--name", "till", "--parent", "shop"]);
    let subscription = journey.first("subscriptionId");
    let add = ["account", "management-group", "subscription", "add", "--name", "till", "-s", &subscription];
    admin.az(&add).ok();
    let shown = group(&["show", "--name", "shop", "--expand", "--recurse", "--no-register"]);
    assert_eq!(shown["children"][0]["name"], "till", "{shown}");
    assert_eq!(shown["children"][0]["children"][0]["name"], subscription, "{shown}");
    let mut listed =
        names(&group(&["list", "--no-register"])).iter().map(|name| name.to_string()).collect::<Vec<_>>();
    listed.sort_unstable();
    let mut expected = vec![journey.first("tenantId"), "shop".into(), "till".into()];
    expected.sort_unstable();
    assert_eq!(listed, expected);
    let renamed = group(&["update", "--name", "till", "--display-name", "Tills"]);
    assert_eq!(renamed["displayName"], "Tills");

    let program = journey.application("reporter");
    let scope = "/providers/Microsoft.Management/managementGroups/shop";
    let give = [
        "role",
        "assignment",
        "create",
        "--assignee-object-id",
        &program.principal,
        "--assignee-principal-type",
        "ServicePrincipal",
        "--role",
        "Reader",
        "--scope",
        scope,
    ];
    assert_eq!(admin.json(&give)["scope"], scope);
    let reporter = Azure::of_application(&journey, "reporter", &program);
    assert_eq!(names(&reporter.json(&["account", "list"])).len(), 1);
    reporter.az(&["group", "create", "-n", "rg", "-l", "local"]).refused("AuthorizationFailed");

    let delete = ["account", "management-group", "delete", "--name", "till", "--no-register"];
    admin.az(&delete).refused("subscriptions: move them elsewhere first");
    let remove =
        ["account", "management-group", "subscription", "remove", "--name", "till", "-s", &subscription];
    admin.az(&remove).ok();
    reporter.az(&["group", "list"]).refused("could not be found");
    admin.az(&delete).ok();
    let show = ["account", "management-group", "show", "--name", "till", "--no-register"];
    assert_eq!(admin.az(&show).code, Some(3));
}

/// Locks on the subscription, a group and a cluster; a locked cluster stays.
#[test]
fn az_sets_locks_and_what_is_locked_stays() {
    let journey = Journey::begin();
    let admin = Azure::administrator(&journey);
    admin.az(&["group", "create", "-n", "rg", "-l", "local", "--tags", "kind=shop"]).ok();
    admin.az(&["group", "create", "-n", "other", "-l", "local"]).ok();
    assert_eq!(names(&admin.json(&["group", "list", "--tag", "kind=shop"])), ["rg"]);
    admin.az(&["aks", "create", "-g", "rg", "-n", "c1", "--no-ssh-key"]).ok();
    let cluster = [
        "-g",
        "rg",
        "--resource-type",
        "Microsoft.ContainerService/managedClusters",
        "--resource-name",
        "c1",
    ];
    let lock =
        |verb: &str, name: &str, more: &[&str]| admin.az(&[&["lock", verb, "-n", name], more].concat());
    lock("create", "keep", &[&["--lock-type", "CanNotDelete"][..], &cluster].concat()).ok();
    lock("create", "frozen", &["--lock-type", "ReadOnly", "-g", "other"]).ok();
    let delete = ["aks", "delete", "-g", "rg", "-n", "c1", "--yes"];
    admin.az(&delete).refused("ScopeLocked");
    admin.az(&["group", "update", "-n", "other", "--set", "tags.a=b"]).refused("ScopeLocked");
    assert_eq!(names(&admin.json(&["lock", "list", "-g", "rg"])), ["keep"]);
    assert_eq!(admin.json(&["lock", "list"]).as_array().unwrap().len(), 2);
    let shown: Value = serde_json::from_str(&lock("show", "frozen", &["-g", "other"]).ok()).unwrap();
    assert_eq!(shown["level"], "ReadOnly");
    lock("delete", "keep", &cluster).ok();
    journey.portcullis("admin", &["cluster", "delete", "c1", "-g", "rg", "--yes"], None).ok();
}

/// What `az` prints where a custom role is not what it should be.
#[test]
fn az_prints_what_is_wrong_with_a_role() {
    let journey = Journey::begin();
    let admin = Azure::administrator(&journey);
    let subscription = format!("/subscriptions/{}", journey.first("subscriptionId"));
    let role = |name: &str, scope: &str, action: &str| {
        let path = journey.path("role.json");
        let role = json!({"Name": name, "Description": "", "Actions": [action], "AssignableScopes": [scope]});
        std::fs::write(&path, role.to_string()).unwrap();
        format!("@{}", path.display())
    };
    let create =
        |definition: String| admin.az(&["role", "definition", "create", "--role-definition", &definition]);
    let unknown = role("Till", &subscription, "Contoso.Shop/tills/read");
    create(unknown).refused("'Contoso.Shop/tills/read' does not match any of the actions supported");
    create(role("Till", "/", "*/read")).refused("a custom role cannot have the root scope");
    create(role("Till", "/subscriptions/11111111-2222-3333-4444-555555555555", "*/read"))
        .refused("was not found");
    create(role("Till", &subscription, "*/read")).ok();
    create(role("Till", &subscription, "*/read")).refused("already exists");
    let program = journey.application("reporter");
    journey.assign(&program.principal, "Till");
    let delete = ["role", "definition", "delete", "--name", "Till"];
    admin.az(&delete).refused("There are existing role assignments referencing role");
    let custom = admin.json(&["role", "definition", "list", "--custom-role-only"]);
    assert_eq!(custom.as_array().unwrap().len(), 1);
    assert_eq!(custom[0]["roleName"], "Till");
}

/// The same by our own command line.
#[test]
fn portcullis_makes_subscriptions_and_the_tree_above_them() {
    let journey = Journey::begin();
    let say = |arguments: &[&str]| journey.portcullis("admin", arguments, None);
    let read = |arguments: &[&str]| -> Value {
        serde_json::from_str(&say(&[arguments, &["-o", "json"]].concat()).ok()).unwrap()
    };
    read(&["management-group", "create", "retail", "--display-name", "Retail"]);
    let tills = read(&["management-group", "create", "tills", "--parent", "retail"]);
    assert_eq!(tills["properties"]["details"]["parent"]["name"], "retail");
    let shop = read(&["subscription", "create", "shop", "--management-group", "tills"]);
    assert_eq!(read(&["subscription", "create", "shop", "--management-group", "tills"]), shop);
    assert_eq!(read(&["subscription", "list"]).as_array().unwrap().len(), 2);
    let id = shop["subscriptionId"].as_str().unwrap();
    say(&["management-group", "delete", "tills", "--yes"]).refused("move them elsewhere first");
    say(&["management-group", "add-subscription", "retail", id]).ok();
    say(&["management-group", "delete", "tills", "--yes"]).ok();
    say(&["management-group", "create", "a b"]).refused("is not a resource name");
    assert!(say(&["management-group", "list"]).ok().contains("Tenant Root Group"));
}
