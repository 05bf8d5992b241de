//! The nouns of the command line, each with its verbs, against one server: tables for people, JSON for programs, and
//! what is said when something is wrong.

use std::{
    os::unix::fs::{PermissionsExt, symlink},
    process::Command,
};

use serde_json::{Value, json};

use crate::running::{Journey, PASSWORD, PROGRAM, Said, kubectl};

/// The first administrator at the command line.
struct Admin(Journey);

impl Admin {
    fn begin() -> Self {
        Self(Journey::begin())
    }

    fn say(&self, line: &[&str]) -> Said {
        self.0.portcullis("admin", line, None)
    }

    /// The answer of a command that succeeds, for a program.
    #[track_caller]
    fn json(&self, line: &[&str]) -> Value {
        let out = self.say(&[line, &["-o", "json"]].concat()).ok();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{line:?}: {error}: {out}"))
    }

    /// The lines of a table under its headings.
    #[track_caller]
    fn table(&self, headings: &str, line: &[&str]) -> Vec<String> {
        let out = self.say(line).ok();
        let mut lines = out.lines();
        assert_eq!(lines.next().unwrap().split_whitespace().collect::<Vec<_>>().join(" "), headings);
        lines.map(str::to_owned).collect()
    }

    /// Refused by the server or before, with the status of a failure, not of a wrong command line.
    #[track_caller]
    fn refused(&self, line: &[&str], because: &str) {
        let said = self.say(line);
        assert_eq!(said.code, Some(1), "{line:?}: {}{}", said.out, said.error);
        assert!(said.error.starts_with("portcullis: "), "{}", said.error);
        said.refused(because);
    }
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {object}"))
}

#[test]
fn users_and_groups() {
    let admin = Admin::begin();
    let alice = "alice@portcullis.local";
    let made = admin.json(&["user", "create", alice, "--display-name", "Alice Ash"]);
    assert_eq!(text(&made, "/displayName"), "Alice Ash");
    assert!(text(&made, "/password").len() >= 16);
    let listed = admin.table("PRINCIPAL NAME DISPLAY NAME ENABLED ID", &["user", "list"]);
    assert!(listed.iter().any(|line| line.contains(alice) && line.contains("yes")), "{listed:?}");
    assert_eq!(admin.json(&["user", "show", alice])["id"], made["id"]);
    assert_eq!(admin.json(&["user", "show", text(&made, "/id")])["userPrincipalName"], alice);
    admin.refused(&["user", "create", alice], alice);
    admin.refused(&["user", "create", "no-domain"], "no-domain");
    admin.refused(&["user", "show", "nobody@portcullis.local"], "nobody@portcullis.local");
    admin.refused(&["user", "update", alice], "say what to change");

    // A password that somebody else set is changed at the next sign-in, unless it shall stay.
    let sign_in = |password: &str| {
        let authority = admin.0.path("data/ca.crt");
        let start = ["login", "--url", &admin.0.url, "--ca-file", authority.to_str().unwrap()];
        let line = [&start[..], &["--username", alice, "--password-stdin"]].concat();
        admin.0.portcullis("alice", &line, Some(password))
    };
    sign_in(text(&made, "/password")).ok();
    let reset = admin.json(&["user", "reset-password", alice]);
    sign_in(text(&made, "/password")).refused("AADSTS50126");
    sign_in(text(&reset, "/password")).refused("AADSTS50055");
    let reset = ["user", "reset-password", alice, "--keep", "--password-stdin"];
    admin.0.portcullis("admin", &reset, Some(PASSWORD)).ok();
    sign_in(PASSWORD).ok();
    admin.say(&["user", "update", alice, "--disable", "--display-name", "Alice Beech"]).ok();
    sign_in(PASSWORD).refused("AADSTS50057");
    let shown = admin.json(&["user", "show", alice]);
    assert_eq!((&shown["accountEnabled"], &shown["displayName"]), (&json!(false), &json!("Alice Beech")));
    admin.say(&["user", "update", alice, "--enable"]).ok();
    sign_in(PASSWORD).ok();
    admin.0.portcullis("alice", &["user", "delete", alice, "--yes"], None).refused("Insufficient privileges");

    let sre = admin.json(&["group", "create", "sre", "--description", "on call"]);
    assert_eq!(text(&sre, "/description"), "on call");
    admin.json(&["group", "create", "night"]);
    admin.say(&["group", "member", "add", "sre", "night"]).ok();
    admin.say(&["group", "member", "add", "night", alice]).ok();
    admin.refused(&["group", "member", "add", "night", alice], "is in night already");
    admin.refused(
        &["group", "member", "add", "dawn", alice],
        "no group is named \"dawn\": `portcullis group list`",
    );
    admin.refused(&["group", "member", "add", "night", "bob@portcullis.local"], "no user is named \"bob@");
    let headings = "NAME PRINCIPAL NAME KIND ID";
    assert_eq!(admin.table(headings, &["group", "member", "list", "sre"]).len(), 1);
    assert_eq!(admin.table(headings, &["group", "member", "list", "sre", "--transitive"]).len(), 2);
    assert_eq!(admin.say(&["group", "member", "check", "sre", alice]).ok().trim(), "yes");
    assert!(admin.say(&["user", "groups", alice]).ok().contains("night"));
    admin.say(&["group", "member", "remove", "night", alice]).ok();
    let said = admin.say(&["group", "member", "check", "sre", alice]);
    assert_eq!((said.code, said.out.trim()), (Some(1), "no"));
    admin.say(&["group", "owner", "add", "sre", alice]).ok();
    admin.0.portcullis("alice", &["group", "update", "sre", "--name", "reliability"], None).ok();
    admin.say(&["group", "owner", "remove", "reliability", alice]).ok();
    assert!(admin.table(headings, &["group", "owner", "list", "reliability"]).is_empty());
    admin
        .0
        .portcullis("alice", &["group", "update", "reliability", "--name", "x"], None)
        .refused("Insufficient");
    admin.refused(&["group", "update", "night"], "--name or --description");
    assert!(admin.say(&["group", "list"]).ok().contains("reliability"));

    for (line, name) in [(["group", "delete", "night"], "night"), (["user", "delete", alice], alice)] {
        admin.refused(&line, "give --yes");
        assert!(admin.say(&[&line[..], &["--yes"]].concat()).ok().contains(name));
        admin.refused(&[&line[..], &["--yes"]].concat(), name);
    }
}

#[test]
fn applications() {
    let admin = Admin::begin();
    let uri = "https://dashboard.example.org/callback";
    let made = admin.json(&["app", "create", "dashboard", "--redirect-uri", uri]);
    assert!(!text(&made, "/secret").is_empty() && !text(&made, "/servicePrincipalId").is_empty());
    let public = admin.json(&["app", "create", "tool", "--public-client"]);
    assert!(public.get("secret").is_none());
    assert_eq!(admin.table("NAME APPLICATION ID OBJECT ID", &["app", "list"]).len(), 2);
    for known in ["dashboard", text(&made, "/appId"), text(&made, "/id")] {
        assert_eq!(admin.json(&["app", "show", known])["id"], made["id"]);
    }
    let new = "https://dashboard.example.org/new";
    admin.say(&["app", "update", "dashboard", "--name", "board", "--redirect-uri", new]).ok();
    let shown = admin.json(&["app", "show", "board"]);
    assert_eq!(shown["web"]["redirectUris"], json!([new]));
    admin.refused(&["app", "update", "board"], "say what to change of board");
    admin.refused(
        &["app", "show", "dashboard"],
        "no application is known by \"dashboard\": `portcullis app list`",
    );
    admin.refused(&["app", "update", "board", "--redirect-uri", "not an address"], "not an address");

    let key = admin.json(&["app", "credential", "add", "board", "--display-name", "2027"]);
    assert!(!text(&key, "/secretText").is_empty());
    let headings = "KEY KIND NAME HINT EXPIRES";
    let listed = admin.table(headings, &["app", "credential", "list", "board"]);
    assert_eq!(listed.len(), 2);
    assert!(!listed.concat().contains(text(&key, "/secretText")));
    admin.say(&["app", "credential", "remove", "board", text(&key, "/keyId")]).ok();
    assert_eq!(admin.table(headings, &["app", "credential", "list", "board"]).len(), 1);
    // What leads nowhere says what there is.
    admin.refused(&["app", "credential", "remove", "board", "no-key"], "`portcullis app credential list`");
    certificates_of(&admin, "board");
    admin.say(&["app", "consent", "board"]).ok();
    admin.say(&["app", "consent", "board", "--withdraw"]).ok();
    admin.refused(&["app", "delete", "board"], "give --yes");
    admin.say(&["app", "delete", "board", "-y"]).ok();
    admin.refused(&["app", "show", "board"], "board");
}

/// A certificate is a credential as a secret is: shown, and taken away alone.
fn certificates_of(admin: &Admin, app: &str) {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::new(vec![]).unwrap().self_signed(&pair).unwrap();
    let file = admin.0.path("board.pem");
    std::fs::write(&file, format!("{}{}", certificate.pem(), pair.serialize_pem())).unwrap();
    let file = file.to_str().unwrap();
    let made =
        admin.json(&["app", "credential", "add", app, "--certificate", file, "--display-name", "till"]);
    assert_eq!((text(&made, "/0/kind"), text(&made, "/0/displayName")), ("Certificate", "till"));
    let app_id = text(&admin.json(&["app", "show", app]), "/appId").to_owned();
    let authority = admin.0.path("data/ca.crt");
    let start = ["login", "--url", &admin.0.url, "--ca-file", authority.to_str().unwrap()];
    let sign_in =
        [&start[..], &["--service-principal", "--username", &app_id, "--certificate", file]].concat();
    admin.0.portcullis("till", &sign_in, None).ok();
    let list = ["app", "credential", "list", app];
    let kinds = |listed: &Value| -> Vec<String> {
        listed.as_array().unwrap().iter().map(|each| text(each, "/kind").to_owned()).collect()
    };
    assert_eq!(kinds(&admin.json(&list)), ["Secret", "Certificate"]);
    let secret = admin.json(&["app", "credential", "add", app]);
    admin.say(&["app", "credential", "remove", app, text(&secret, "/keyId")]).ok();
    assert_eq!(kinds(&admin.json(&list)), ["Secret", "Certificate"]);
    admin.say(&["app", "credential", "remove", app, text(&made, "/0/keyId")]).ok();
    assert_eq!(kinds(&admin.json(&list)), ["Secret"]);
    admin.0.portcullis("till", &sign_in, None).refused("AADSTS700027");
}

/// Whoever deletes what is not there, or is elsewhere, is told.
#[test]
fn what_is_not_there_is_not_deleted() {
    let admin = Admin::begin();
    admin.say(&["cluster", "create", "c1", "-g", "rg"]).ok();
    admin.say(&["resource-group", "create", "other"]).ok();
    admin.say(&["app", "create", "build"]).ok();
    admin.say(&["group", "create", "sre"]).ok();
    let nobody = "00000000-1111-2222-3333-444444444444";
    let id = format!(
        "/subscriptions/{}/providers/Microsoft.Authorization/roleAssignments/{nobody}",
        admin.0.first("subscriptionId")
    );
    let first = admin.0.first("userPrincipalName");
    for (line, said) in [
        (
            &["cluster", "delete", "c2", "-g", "rg", "--yes"][..],
            "no cluster named \"c2\" is in resource group \"rg\"",
        ),
        (
            &["cluster", "delete", "c1", "-g", "other", "--yes"],
            "no cluster named \"c1\" is in resource group \"other\"",
        ),
        (&["cluster", "delete", "c2", "--yes"], "no cluster named \"c2\""),
        (&["cluster", "revoke", "c1", "12ab"], "12ab"),
        (&["resource-group", "delete", "third", "--yes"], "third"),
        (&["management-group", "delete", "tills", "--yes"], "no management group is named \"tills\""),
        (&["assignment", "delete", nobody], nobody),
        (&["assignment", "delete", &id], &format!("there is no assignment {id}")),
        (
            &["assignment", "delete", "--assignee", &first, "--role", "Reader"],
            "has no assignment of \"Reader\"",
        ),
        (&["role", "delete", "Pod reader"], "no role is named \"Pod reader\""),
        (&["role", "delete", nobody], "no role has the id"),
        (&["user", "delete", "bob@portcullis.local", "--yes"], "no user is named \"bob@portcullis.local\""),
        (&["group", "delete", "night", "--yes"], "no group is named \"night\""),
        (&["group", "delete", nobody, "--yes"], nobody),
        (&["group", "member", "remove", "sre", &first], "is not in sre"),
        (&["group", "owner", "remove", "sre", "build"], "is no owner of sre"),
        (&["admin", "remove", "build"], "is no administrator"),
        (&["app", "delete", "farm", "--yes"], "no application is known by \"farm\""),
        (&["app", "federated-credential", "delete", "build", "pod"], "trusts nothing of the name pod"),
        (&["app", "consent", "build", "--withdraw"], "reaches nothing on behalf of everybody"),
    ] {
        admin.refused(line, said);
    }
    assert_eq!(admin.json(&["cluster", "show", "c1", "-g", "rg"])["name"], "c1");
}

/// Every form of a role's id, in any case, names the role, wherever one is named.
#[test]
fn roles_are_named_by_every_form_of_their_id() {
    let admin = Admin::begin();
    let subscription = admin.0.first("subscriptionId");
    let first = admin.0.first("userPrincipalName");
    let reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
    let listed = admin.json(&["role", "list"]);
    let listed = listed.as_array().unwrap().iter().find(|role| role["name"] == reader).unwrap();
    for role in [
        "reader".to_owned(),
        reader.to_owned(),
        reader.to_uppercase(),
        format!("{reader}/"),
        text(listed, "/id").to_owned(),
        text(listed, "/id").to_uppercase(),
        format!("{}/", text(listed, "/id")),
        format!("/providers/Microsoft.Authorization/roleDefinitions/{reader}"),
        format!(
            "/subscriptions/{subscription}/resourceGroups/rg/providers/microsoft.authorization/ROLEDEFINITIONS/{reader}"
        ),
    ] {
        assert_eq!(admin.json(&["role", "show", &role])["name"], reader, "{role}");
        let made = admin.json(&["assignment", "create", "--assignee", &first, "--role", &role]);
        assert!(text(&made, "/properties/roleDefinitionId").ends_with(reader), "{made}");
        admin.say(&["assignment", "delete", "--assignee", &first, "--role", &role]).ok();
    }
    admin.refused(
        &["role", "show", "/providers/Microsoft.Authorization/roleAssignments/x"],
        "no role is named",
    );
}

/// A program is named as a person is, wherever somebody is named; the commands stand in the help like this.
#[test]
fn service_principals_are_named_by_their_name() {
    let admin = Admin::begin();
    let app = admin.json(&["app", "create", "build"]);
    let principal = text(&app, "/servicePrincipalId");
    admin.say(&["cluster", "create", "c1", "-g", "rg1"]).ok();
    for group in ["sre", "on-call"] {
        admin.say(&["group", "create", group]).ok();
    }
    let made =
        admin.json(&["assignment", "create", "--assignee", "build", "--role", "Contributor", "-g", "rg1"]);
    assert_eq!(text(&made, "/properties/principalId"), principal);
    let report = admin.say(&["preflight", "c1", "-g", "rg1", "--identity", "build", "--missing"]);
    assert!(report.error.is_empty() || report.error.contains("permissions are missing"), "{}", report.error);
    assert!(!admin.json(&["assignment", "list", "--assignee", "build"]).as_array().unwrap().is_empty());
    admin.say(&["assignment", "delete", "--assignee", "build", "--role", "Contributor", "-g", "rg1"]).ok();
    admin.say(&["group", "member", "add", "sre", "build"]).ok();
    assert_eq!(admin.say(&["group", "member", "check", "sre", "build"]).ok(), "yes\n");
    admin.say(&["group", "member", "add", "sre", "on-call"]).ok();
    admin.say(&["group", "owner", "add", "sre", "build"]).ok();
    admin.say(&["admin", "add", "build"]).ok();
    admin.say(&["admin", "remove", "build"]).ok();
    // A name that says nothing, and one that says too much.
    let nobody = ["assignment", "create", "--assignee", "nobody", "--role", "Reader"];
    admin.refused(&nobody, "no group and no service principal is named \"nobody\"");
    admin.say(&["group", "create", "build"]).ok();
    admin.refused(&["group", "member", "add", "sre", "build"], "2 groups and service principals are named");
}

#[test]
fn the_tenant() {
    let admin = Admin::begin();
    let shown = admin.table("NAME DOMAIN PASSWORDS FROM PROGRAMS ID", &["tenant", "show"]);
    assert!(shown.len() == 1 && shown[0].contains("portcullis.local"), "{shown:?}");
    assert_eq!(admin.json(&["tenant", "update", "--allow-password-grant"])["allowPasswordGrant"], true);
    assert_eq!(admin.json(&["tenant", "update", "--refuse-password-grant"])["allowPasswordGrant"], false);
    assert_eq!(admin.say(&["tenant", "update"]).code, Some(2));
    let rotated = admin.json(&["keys", "rotate"]);
    assert!(!text(&rotated, "/keyId").is_empty());
    // What was signed before is good still.
    admin.say(&["tenant", "show"]).ok();
}

#[test]
fn administrators_and_keys() {
    let admin = Admin::begin();
    let first = admin.0.first("userPrincipalName");
    let headings = "NAME PRINCIPAL NAME KIND ID";
    let listed = admin.table(headings, &["admin", "list"]);
    assert!(listed.len() == 1 && listed[0].contains(&first), "{listed:?}");
    admin.refused(&["admin", "remove", &first], "last administrator");
    admin.say(&["resource-group", "create", "rg", "--location", "local"]).ok();
    admin.0.person("alice");
    let alice = "alice@portcullis.local";
    admin
        .0
        .portcullis("alice", &["user", "create", "eve@portcullis.local"], None)
        .refused("Global Administrator");
    admin.say(&["admin", "add", alice]).ok();
    admin.refused(&["admin", "add", alice], "is an administrator already");
    admin.refused(&["admin", "add", "nobody@portcullis.local"], "nobody@portcullis.local");
    admin.0.portcullis("alice", &["user", "create", "eve@portcullis.local"], None).ok();
    assert_eq!(admin.table(headings, &["admin", "list"]).len(), 2);
    // Roles of the directory are no groups.
    assert_eq!(admin.json(&["user", "groups", alice]), serde_json::json!([]));
    admin.0.portcullis("alice", &["admin", "remove", &first], None).ok();
    admin.refused(&["admin", "remove", alice], "Global Administrator");
    admin.0.portcullis("alice", &["admin", "remove", alice], None).refused("last administrator");

    // The keys that sign are replaced at once, and nobody has to sign in again.
    admin.0.portcullis("alice", &["keys", "rotate", "--now"], None).refused("give --yes");
    admin.0.portcullis("alice", &["keys", "rotate", "--now", "--yes"], None).ok();
    for who in ["alice", "admin"] {
        admin.0.portcullis(who, &["user", "show", alice], None).ok();
    }
}

#[test]
fn roles_and_assignments() {
    let admin = Admin::begin();
    admin.say(&["cluster", "create", "c1", "-g", "rg"]).ok();
    admin.say(&["user", "create", "alice@portcullis.local"]).ok();
    let subscription = format!("/subscriptions/{}", admin.0.first("subscriptionId"));
    let file = admin.0.path("role.json");
    let write = |actions: Value| {
        let role = json!({"roleName": "Pod reader", "description": "sees pods", "assignableScopes": [subscription],
            "permissions": [{"dataActions": actions}]});
        std::fs::write(&file, role.to_string()).unwrap();
    };
    let path = file.to_str().unwrap();
    let read = "Microsoft.ContainerService/managedClusters/pods/read";
    write(json!([read]));
    let made = admin.json(&["role", "create", "--file", path]);
    admin.refused(&["role", "create", "--file", path], "Pod reader");
    let shown = admin.table("ROLE KIND ACTION", &["role", "show", "Pod reader"]);
    assert_eq!(shown.len(), 1);
    assert!(shown[0].contains("dataActions") && shown[0].ends_with(read));
    let custom = admin.table("ROLE KIND ID", &["role", "list", "--custom"]);
    assert!(custom.len() == 1 && custom[0].contains(text(&made, "/name")));
    assert!(admin.say(&["role", "list"]).ok().contains("Azure Kubernetes Service RBAC Reader"));
    write(json!([read, "Microsoft.ContainerService/managedClusters/pods/write"]));
    admin.say(&["role", "update", "Pod reader", "--file", path]).ok();
    assert_eq!(admin.table("ROLE KIND ACTION", &["role", "show", text(&made, "/name")]).len(), 2);
    std::fs::write(&file, "{").unwrap();
    admin.refused(&["role", "create", "--file", path], "role.json is not JSON");
    admin.refused(&["role", "show", "Owned"], "no role is named \"Owned\": `portcullis role list`");

    let give = |more: &[&str]| {
        let start = ["assignment", "create", "--assignee", "alice@portcullis.local", "--role"];
        admin.say(&[&start, more].concat())
    };
    let said = give(&["Pod reader", "--cluster", "c1", "--namespace", "web", "--description", "why"]).ok();
    assert!(["alice@portcullis.local", "Pod reader", "why"].iter().all(|part| said.contains(part)), "{said}");
    give(&["Pod reader", "--cluster", "c1", "--namespace", "web"]).refused("already exists");
    give(&["Pod reader", "-g", "rg"]).ok();
    give(&["Nothing", "-g", "rg"]).refused("no role is named \"Nothing\"");
    give(&["Reader", "--cluster", "c9"]).refused("no cluster named \"c9\"");
    give(&["Reader", "-g", "nowhere"]).refused("nowhere");
    give(&["Reader", "-g", "rg", "--condition", "@Resource[x"]).refused("condition");
    assert_eq!(give(&["Reader", "--namespace", "web"]).code, Some(2));
    let headings = "PRINCIPAL ROLE SCOPE CONDITION NAME";
    let at = ["assignment", "list", "--cluster", "c1", "--assignee", "alice@portcullis.local"];
    let listed = admin.table(headings, &at);
    assert!(listed.iter().all(|line| line.contains("alice@portcullis.local") && line.contains("Pod reader")));
    let below = ["assignment", "list", "--assignee", "alice@portcullis.local"];
    assert_eq!(admin.table(headings, &below).len(), 2);
    let all = admin.json(&below);
    let id = all
        .as_array()
        .unwrap()
        .iter()
        .find(|each| text(each, "/properties/scope").contains("namespaces"))
        .unwrap();
    let (id, name) = (text(id, "/id"), text(id, "/name"));
    for known in [id, name] {
        let shown =
            admin.table("PRINCIPAL ROLE SCOPE CONDITION DESCRIPTION NAME", &["assignment", "show", known]);
        assert!(shown[0].contains("Pod reader"), "{shown:?}");
    }
    let unknown = admin.0.first("subscriptionId");
    admin.refused(&["assignment", "show", &unknown], &unknown);
    admin.say(&["assignment", "update", id, "--description", "because"]).ok();
    assert_eq!(text(&admin.json(&["assignment", "show", id]), "/properties/description"), "because");
    admin.refused(&["assignment", "update", id], "--condition or --description");
    admin.refused(&["assignment", "delete", "x"], "\"x\" is not the name or resource id");
    admin.refused(&["role", "delete", "Pod reader"], "assign");
    admin.say(&["assignment", "delete", name]).ok();
    let by_name = ["assignment", "delete", "--assignee", "alice@portcullis.local", "--role", "Pod reader"];
    admin.refused(&by_name, "has no assignment of \"Pod reader\" at /subscriptions/");
    admin.say(&[&by_name[..], &["-g", "rg"]].concat()).ok();
    assert!(admin.table(headings, &below).is_empty());
    assert_eq!(admin.say(&["assignment", "delete"]).code, Some(2));
    admin.say(&["role", "delete", "Pod reader"]).ok();
}

#[test]
fn clusters_and_resource_groups() {
    let admin = Admin::begin();
    let made = admin.json(&["resource-group", "create", "rg", "--tag", "team=sre"]);
    assert_eq!(made["tags"], json!({"team": "sre"}));
    let changed = admin.json(&["resource-group", "update", "rg", "--tag", "a=b"]);
    assert_eq!((&changed["tags"], &changed["location"]), (&json!({"a": "b"}), &made["location"]));
    admin.refused(
        &["resource-group", "create", "rg2", "--tag", "team"],
        "--tag: \"team\": expected NAME=VALUE",
    );
    admin.refused(&["resource-group", "show", "none"], "none");
    assert_eq!(admin.table("NAME LOCATION ID", &["resource-group", "list"]).len(), 1);

    let sre = admin.json(&["group", "create", "sre"]);
    let made = admin.json(&["cluster", "create", "c1", "-g", "rg", "--admin-group", "sre"]);
    assert_eq!(made["properties"]["aadProfile"]["adminGroupObjectIDs"], json!([sre["id"]]));
    admin.refused(&["cluster", "create", "c1", "-g", "rg"], "portcullis cluster update");
    admin.refused(
        &["cluster", "create", "c2", "-g", "rg", "--admin-group", "dawn"],
        "no group is named \"dawn\"",
    );
    for wrong in ["no/slash", "no space", "..", ""] {
        admin.refused(&["cluster", "create", "-g", "rg", wrong], &format!("\"{wrong}\""));
    }
    let headings = "NAME LOCATION AZURE RBAC ADMIN GROUPS STATE ID";
    assert_eq!(admin.table(headings, &["cluster", "list"]).len(), 1);
    let changed = admin.json(&["cluster", "update", "c1", "--azure-rbac", "--no-admin-groups"]);
    let profile = &changed["properties"]["aadProfile"];
    assert_eq!((&profile["enableAzureRBAC"], &profile["adminGroupObjectIDs"]), (&json!(true), &json!([])));
    let changed = admin.json(&["cluster", "update", "c1", "--disable-local-accounts"]);
    assert_eq!(changed["properties"]["disableLocalAccounts"], true);
    assert_eq!(changed["properties"]["aadProfile"]["enableAzureRBAC"], true);
    admin.say(&["cluster", "update", "c1", "--enable-local-accounts"]).ok();
    admin.refused(&["cluster", "update", "c1"], "say what to change of c1");
    admin.refused(&["cluster", "show", "c9"], "no cluster named \"c9\"");
    admin.refused(&["cluster", "show", "c9", "-g", "rg"], "c9");

    // Certificates are personal, on record, and revoked one by one.
    let (one, two) = (admin.0.credentials("admin", "c1", &["--admin"]), admin.0.path("two"));
    admin.say(&["cluster", "credentials", "c1", "--admin", "--file", two.to_str().unwrap()]).ok();
    let listed = admin.json(&["cluster", "certificates", "c1"]);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let get = ["get", "namespaces"];
    let works = |config: &str| admin.0.kubectl("admin", config, &get).success;
    assert!(works(&one) && works("two"));
    let revoked = admin.json(&["cluster", "revoke", "c1", text(&listed, "/0/serialNumber")]);
    assert!(revoked["revokedAt"].is_string());
    assert_ne!(works(&one), works("two"));
    admin.refused(&["cluster", "revoke", "c1", "00"], "00");
    admin.refused(&["cluster", "rotate-certificates", "c1"], "give --yes");
    admin.say(&["cluster", "rotate-certificates", "c1", "--yes"]).ok();
    assert!(!works(&one) && !works("two"));

    admin.refused(&["cluster", "delete", "c1"], "give --yes");
    admin.say(&["cluster", "delete", "c1", "--yes"]).ok();
    // The group takes with it what is in it.
    admin.say(&["cluster", "create", "c2", "-g", "rg"]).ok();
    admin.refused(&["resource-group", "delete", "MC_rg_c2_local", "--yes"], "goes with it");
    admin.refused(&["resource-group", "delete", "rg"], "give --yes");
    admin.say(&["resource-group", "delete", "rg", "--yes"]).ok();
    assert!(admin.table("NAME LOCATION ID", &["resource-group", "list"]).is_empty());
}

#[test]
fn kubeconfigs_are_merged() {
    let admin = Admin::begin();
    for name in ["c1", "c2"] {
        admin.say(&["cluster", "create", name, "-g", "rg"]).ok();
    }
    let (real, link) = (admin.0.path("real"), admin.0.path("config"));
    let others = "apiVersion: v1\nkind: Config\npreferences: {colors: true}\nclusters:\n\
        - {name: other, cluster: {server: 'https://other.example:6443', insecure-skip-tls-verify: true}}\n\
        users:\n- {name: other, user: {token: '0123'}}\n\
        contexts:\n- {name: other, context: {cluster: other, user: other, namespace: web}}\ncurrent-context: other\n";
    std::fs::write(&real, others).unwrap();
    std::fs::set_permissions(&real, PermissionsExt::from_mode(0o644)).unwrap();
    symlink(&real, &link).unwrap();
    let pull = |name: &str, more: &[&str]| {
        let line = ["cluster", "credentials", name, "-g", "rg", "--file", link.to_str().unwrap()];
        admin.say(&[&line, more].concat())
    };
    pull("c1", &[]).ok();
    pull("c2", &["--admin", "--context", "two"]).ok();
    // Through the link, for the owner alone; what others wrote is as it was, as kubectl reads it.
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
    let kubectl = |line: &[&str]| admin.0.kubectl("admin", "config", line);
    let view: Value =
        serde_json::from_str(&kubectl(&["config", "view", "--raw", "-o", "json"]).ok()).unwrap();
    let named = |list: &str, name: &str| {
        let found = view[list].as_array().unwrap().iter().find(|each| each["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} among the {list}: {view}")).clone()
    };
    assert_eq!(named("users", "other")["user"], json!({"token": "0123"}));
    assert_eq!(named("clusters", "other")["cluster"]["insecure-skip-tls-verify"], true);
    assert_eq!(named("contexts", "other")["context"]["namespace"], "web");
    assert_eq!(view["preferences"], json!({"colors": true}));
    assert_eq!(view["current-context"], "two");
    kubectl(&["get", "namespaces"]).ok();
    assert!(kubectl(&["--context", "c1", "auth", "whoami"]).ok().contains("admin@portcullis.local"));
    // Again: the same is no conflict; another cluster under a name that is taken is.
    pull("c1", &[]).ok();
    let before = std::fs::read(&real).unwrap();
    pull("c2", &["--context", "c1"]).refused("--overwrite-existing");
    assert_eq!(std::fs::read(&real).unwrap(), before);
    pull("c2", &["--context", "c1", "--overwrite-existing"]).ok();
    assert!(kubectl(&["--context", "c1", "config", "view", "--minify"]).ok().contains("cluster: c2"));
    let out = ["cluster", "credentials", "c1", "-g", "rg", "--file", "-"];
    assert!(admin.say(&out).ok().starts_with("apiVersion"));
    // kubectl may write it as well: no lock is left behind.
    kubectl(&["config", "set-context", "other", "--namespace=shop"]).ok();
    // A file that is none is named, and stays.
    std::fs::write(&real, "clusters: [").unwrap();
    pull("c1", &[]).refused("real: not a kubeconfig");
    assert_eq!(std::fs::read(&real).unwrap(), b"clusters: [");
}

#[test]
fn the_program_tells_its_version_and_completes_in_every_shell() {
    let admin = Admin::begin();
    let version = text(&admin.json(&["version"]), "/version").to_owned();
    assert_eq!(admin.say(&["--version"]).ok().trim(), format!("portcullis {version}"));
    assert!(admin.say(&["version"]).ok().contains(&version));
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = admin.say(&["completion", shell]).ok();
        assert!(script.contains("convert-kubeconfig") && script.contains("admin-group"), "{shell}");
    }
    // kubectl finds it as a plugin of its own by its name.
    std::fs::create_dir_all(admin.0.path("bin")).unwrap();
    symlink(PROGRAM, admin.0.path("bin/kubectl-portcullis")).unwrap();
    let mut command = Command::new(kubectl());
    command.args(["portcullis", "whoami"]).env("PATH", admin.0.path("bin"));
    assert!(admin.0.run("admin", command, None).ok().contains("admin@portcullis.local"));
    let said = admin.say(&["completion", "tcsh"]);
    assert_eq!(said.code, Some(2));
    said.refused("'tcsh'");
    let said = admin.say(&["clutser", "list"]);
    assert_eq!(said.code, Some(2));
    said.refused("'cluster'");
}
