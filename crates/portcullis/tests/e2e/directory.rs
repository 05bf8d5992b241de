//! The directory with `az ad`: people, groups, applications and service principals, and the words of refusals.

use crate::{azure::Azure, running::Journey};

#[test]
fn az_ad_keeps_the_directory() {
    let journey = Journey::begin();
    let azure = Azure::administrator(&journey);
    let upn = "bob@portcullis.local";
    let user = ["ad", "user", "create", "--display-name", "Bob", "--user-principal-name", upn];
    let bob = azure.json(&[&user[..], &["--password", "a long Password 1"]].concat());
    assert!(bob.get("passwordProfile").is_none_or(serde_json::Value::is_null), "{bob}");
    azure.az(&["ad", "user", "update", "--id", upn, "--display-name", "Bob B"]).ok();
    assert_eq!(azure.json(&["ad", "user", "show", "--id", upn])["displayName"], "Bob B");
    let found =
        azure.json(&["ad", "user", "list", "--filter", "endswith(displayName,' b') and not (mail eq 'x')"]);
    assert_eq!(found[0]["id"], bob["id"]);
    assert_eq!(found.as_array().unwrap().len(), 1);
    azure.az(&["ad", "user", "list", "--filter", "secret eq 'x'"]).refused("'secret' is not a property");
    azure.az(&["ad", "user", "show", "--id", "nobody@portcullis.local"]).refused("does not exist");

    let id = bob["id"].as_str().unwrap();
    azure.json(&["ad", "group", "create", "--display-name", "team", "--mail-nickname", "team"]);
    azure.az(&["ad", "group", "member", "add", "-g", "team", "--member-id", id]).ok();
    let check = azure.json(&["ad", "group", "member", "check", "-g", "team", "--member-id", id]);
    assert_eq!(check["value"], true);
    assert_eq!(azure.json(&["ad", "user", "get-member-groups", "--id", upn])[0]["displayName"], "team");
    azure.az(&["ad", "group", "member", "add", "-g", "team", "--member-id", id]).refused("already exist");
    azure.az(&["ad", "group", "member", "remove", "-g", "team", "--member-id", id]).ok();
    assert_eq!(azure.json(&["ad", "group", "member", "list", "-g", "team"]).as_array().unwrap().len(), 0);

    let app = azure.json(&["ad", "app", "create", "--display-name", "till"]);
    let app = app["appId"].as_str().unwrap();
    azure.json(&["ad", "sp", "create", "--id", app]);
    let reset = azure.json(&["ad", "sp", "credential", "reset", "--id", app]);
    assert!(reset["password"].as_str().unwrap().len() > 30);
    let kept = azure.json(&["ad", "sp", "credential", "list", "--id", app]);
    assert!(kept[0]["secretText"].is_null(), "{kept}");
    let key = kept[0]["keyId"].as_str().unwrap();
    azure.az(&["ad", "sp", "credential", "delete", "--id", app, "--key-id", key]).ok();
    let owner = azure.json(&["ad", "app", "owner", "list", "--id", app]);
    assert_eq!(owner[0]["userPrincipalName"], journey.first("userPrincipalName"));
    let owned = azure.json(&["ad", "signed-in-user", "list-owned-objects", "-t", "application"]);
    assert_eq!(owned[0]["appId"], app);
    azure.az(&["ad", "app", "delete", "--id", app]).ok();
    azure.az(&["ad", "sp", "show", "--id", app]).refused("does not exist");
    azure.az(&["ad", "user", "delete", "--id", upn]).ok();
    let admin = journey.first("userPrincipalName");
    azure.az(&["ad", "user", "delete", "--id", &admin]).refused("last administrator");
}

/// As scripts give the role in Entra, by its template.
#[test]
fn az_rest_makes_a_second_administrator() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["resource-group", "create", "rg", "--location", "local"], None).ok();
    journey.person("alice");
    let azure = Azure::administrator(&journey);
    let graph = |path: &str| format!("{}/v1.0/{path}", journey.url);
    let rest = |method: &str, path: &str, body: Option<&str>| {
        let url = graph(path);
        let start = ["rest", "--method", method, "--url", &url, "--resource", &journey.url];
        azure.az(&[&start[..], &body.map_or(vec![], |body| vec!["--body", body])].concat())
    };
    let json = |said: &str| serde_json::from_str::<serde_json::Value>(said).unwrap();
    let alice = azure.json(&["ad", "user", "show", "--id", "alice@portcullis.local"]);
    let alice = alice["id"].as_str().unwrap();
    let roles = json(&rest("get", "directoryRoles", None).ok());
    let role = &roles["value"][0];
    assert_eq!(role["displayName"], "Global Administrator");
    assert_eq!(role["roleTemplateId"], "62e90394-69f5-4237-9190-012177145e10");
    let templates = json(&rest("get", "directoryRoleTemplates", None).ok());
    assert_eq!(templates["value"][0]["id"], role["roleTemplateId"]);
    let members =
        format!("directoryRoles/roleTemplateId={}/members", role["roleTemplateId"].as_str().unwrap());
    let reference = format!(r#"{{"@odata.id": "{}"}}"#, graph(&format!("directoryObjects/{alice}")));
    rest("post", &format!("{members}/$ref"), Some(&reference)).ok();
    rest("post", &format!("{members}/$ref"), Some(&reference)).refused("already exist");
    let by_id = format!("directoryRoles/{}/members", role["id"].as_str().unwrap());
    assert_eq!(json(&rest("get", &by_id, None).ok())["value"].as_array().unwrap().len(), 2);
    let held = json(&rest("get", &format!("users/{alice}/memberOf"), None).ok());
    assert_eq!(held["value"][0]["@odata.type"], "#microsoft.graph.directoryRole");
    journey.portcullis("alice", &["user", "list"], None).ok();
    journey.portcullis("alice", &["user", "create", "eve@portcullis.local"], None).ok();
    rest("delete", &format!("{members}/{alice}/$ref"), None).ok();
    rest("delete", &format!("{members}/{alice}/$ref"), None).refused("does not exist");
    journey
        .portcullis("alice", &["user", "create", "ed@portcullis.local"], None)
        .refused("Global Administrator");
    let me = azure.json(&["ad", "signed-in-user", "show"]);
    let me = me["id"].as_str().unwrap();
    rest("delete", &format!("{members}/{me}/$ref"), None).refused("last administrator");
}
