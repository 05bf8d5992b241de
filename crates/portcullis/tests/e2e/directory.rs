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
