//! Graph: everybody of a tenant reads its directory, administrators and owners change it.
use testserver::Site;

use super::{Asked, Body, Differences, check_complete, in_turn, stage};
use crate::odd::{Made, Route};

/// One row: the route, a body that is good, and what somebody without rights, and an administrator of another tenant,
/// are answered.
struct Row(&'static str, &'static str, &'static str, &'static str, &'static str);

const DENIED: &str = "403 Authorization_RequestDenied";
const MISSING: &str = "404 Request_ResourceNotFound";
/// A stranger does this in the tenant that is theirs.
const ELSEWHERE: &str = "";

const ROWS: &[Row] = &[
    Row("GET", "/me", "", "200", "200"),
    Row("GET", "/me/ownedObjects", "", "200", "200"),
    Row("GET", "/me/memberOf", "", "200", "200"),
    Row("GET", "/me/transitiveMemberOf", "", "200", "200"),
    Row("POST", "/me/getMemberGroups", "{}", "200", "200"),
    Row("POST", "/me/getMemberObjects", "{}", "200", "200"),
    Row("POST", "/me/checkMemberGroups", CHECK, "200", "200"),
    Row("GET", "/users", "", "200", "200"),
    Row("GET", "/users/$count", "", "200", "200"),
    Row("GET", "/users/{user}", "", "200", MISSING),
    Row("GET", "/users/{user}/memberOf", "", "200", MISSING),
    Row("GET", "/users/{user}/transitiveMemberOf", "", "200", MISSING),
    Row("POST", "/users/{user}/getMemberGroups", "{}", "200", MISSING),
    Row("POST", "/users/{user}/getMemberObjects", "{}", "200", MISSING),
    Row("POST", "/users/{user}/checkMemberGroups", CHECK, "200", MISSING),
    Row("GET", "/groups", "", "200", "200"),
    Row("GET", "/groups/$count", "", "200", "200"),
    Row("GET", "/groups/{group}", "", "200", MISSING),
    Row("GET", "/groups/{group}/members", "", "200", MISSING),
    Row("GET", "/groups/{group}/transitiveMembers", "", "200", MISSING),
    Row("GET", "/groups/{group}/owners", "", "200", MISSING),
    Row("GET", "/groups/{group}/memberOf", "", "200", MISSING),
    Row("GET", "/groups/{group}/transitiveMemberOf", "", "200", MISSING),
    Row("POST", "/groups/{group}/getMemberGroups", "{}", "200", MISSING),
    Row("POST", "/groups/{group}/getMemberObjects", "{}", "200", MISSING),
    Row("POST", "/groups/{group}/checkMemberGroups", CHECK, "200", MISSING),
    Row("GET", "/applications", "", "200", "200"),
    Row("GET", "/applications/$count", "", "200", "200"),
    Row("GET", "/applications/{application}", "", "200", MISSING),
    Row("GET", "/applications/{application}/owners", "", "200", MISSING),
    Row("GET", "/applications/{application}/federatedIdentityCredentials", "", "200", MISSING),
    Row("GET", "/applications/{application}/federatedIdentityCredentials/{credential}", "", "200", MISSING),
    Row("GET", "/servicePrincipals", "", "200", "200"),
    Row("GET", "/servicePrincipals/$count", "", "200", "200"),
    Row("GET", "/servicePrincipals/{principal}", "", "200", MISSING),
    Row("GET", "/servicePrincipals/{principal}/owners", "", "200", MISSING),
    Row("GET", "/servicePrincipals/{principal}/memberOf", "", "200", MISSING),
    Row("GET", "/servicePrincipals/{principal}/transitiveMemberOf", "", "200", MISSING),
    Row("POST", "/servicePrincipals/{principal}/getMemberGroups", "{}", "200", MISSING),
    Row("POST", "/servicePrincipals/{principal}/getMemberObjects", "{}", "200", MISSING),
    Row("POST", "/servicePrincipals/{principal}/checkMemberGroups", CHECK, "200", MISSING),
    Row("POST", "/directoryObjects/getByIds", r#"{"ids": ["{user}"]}"#, "200", "200"),
    Row("GET", "/directoryObjects/{object}", "", "200", MISSING),
    Row("POST", "/directoryObjects/{object}/getMemberGroups", "{}", "200", MISSING),
    Row("POST", "/directoryObjects/{object}/getMemberObjects", "{}", "200", MISSING),
    Row("POST", "/directoryObjects/{object}/checkMemberGroups", CHECK, "200", MISSING),
    Row("GET", "/oauth2PermissionGrants/{grant}", "", "200", MISSING),
    Row("GET", "/organization", "", "200", "200"),
    Row("GET", "/organization/{tenant}", "", "200", MISSING),
    Row("GET", "/directoryRoles", "", "200", "200"),
    Row("GET", "/directoryRoles/{role}", "", "200", "200"),
    Row("GET", "/directoryRoles/{role}/members", "", "200", "200"),
    Row("GET", "/directoryRoleTemplates", "", "200", "200"),
    Row("GET", "/directoryRoleTemplates/{template}", "", "200", "200"),
    // From here on the directory is changed.
    Row("POST", "/directoryRoles/{role}/members/$ref", SPARE, DENIED, MISSING),
    Row("POST", "/users", NEW_USER, DENIED, ELSEWHERE),
    Row("PATCH", "/users/{user}", r#"{"displayName": "x"}"#, DENIED, MISSING),
    Row("POST", "/users/{user}/revokeSignInSessions", "", DENIED, MISSING),
    Row("POST", "/users/{user}/portcullis.unlock", "", DENIED, MISSING),
    Row("POST", "/groups", NAMED, DENIED, ELSEWHERE),
    Row("PATCH", "/groups/{group}", NAMED, DENIED, MISSING),
    Row("POST", "/groups/{group}/members/$ref", SPARE, DENIED, MISSING),
    Row("POST", "/groups/{group}/owners/$ref", SPARE, DENIED, MISSING),
    Row("POST", "/applications", NAMED, DENIED, ELSEWHERE),
    Row("PATCH", "/applications/{application}", NAMED, DENIED, MISSING),
    Row("POST", "/applications/{application}/owners/$ref", SPARE, DENIED, MISSING),
    Row("POST", "/applications/{application}/addPassword", "{}", DENIED, MISSING),
    Row("POST", "/applications/{application}/removePassword", r#"{"keyId": "{key}"}"#, DENIED, MISSING),
    Row("POST", "/applications/{application}/federatedIdentityCredentials", FEDERATED, DENIED, MISSING),
    Row(
        "PATCH",
        "/applications/{application}/federatedIdentityCredentials/{credential}",
        "{}",
        DENIED,
        MISSING,
    ),
    Row("POST", "/servicePrincipals", r#"{"appId": "{newappid}"}"#, DENIED, MISSING),
    Row("PATCH", "/servicePrincipals/{principal}", r#"{"accountEnabled": false}"#, DENIED, MISSING),
    Row("POST", "/servicePrincipals/{principal}/owners/$ref", SPARE, DENIED, MISSING),
    Row("POST", "/servicePrincipals/{principal}/addPassword", "{}", DENIED, MISSING),
    Row("POST", "/servicePrincipals/{principal}/removePassword", r#"{"keyId": "{ownkey}"}"#, DENIED, MISSING),
    Row("POST", "/oauth2PermissionGrants", GRANT, DENIED, MISSING),
    Row("PATCH", "/organization/{tenant}", r#"{"allowPasswordGrant": true}"#, DENIED, MISSING),
    Row("POST", "/organization/{tenant}/rotateSigningKeys", "", DENIED, MISSING),
    // And things go, what lies below others first.
    Row("DELETE", "/directoryRoles/{role}/members/{member}/$ref", "", DENIED, MISSING),
    Row("DELETE", "/groups/{group}/members/{member}/$ref", "", DENIED, MISSING),
    Row("DELETE", "/groups/{group}/owners/{owner}/$ref", "", DENIED, MISSING),
    Row("DELETE", "/applications/{application}/owners/{spare}/$ref", "", DENIED, MISSING),
    Row("DELETE", "/servicePrincipals/{principal}/owners/{spare}/$ref", "", DENIED, MISSING),
    Row(
        "DELETE",
        "/applications/{application}/federatedIdentityCredentials/{credential}",
        "",
        DENIED,
        MISSING,
    ),
    Row("DELETE", "/oauth2PermissionGrants/{grant}", "", DENIED, MISSING),
    Row("DELETE", "/servicePrincipals/{principal}", "", DENIED, MISSING),
    Row("DELETE", "/applications/{application}", "", DENIED, MISSING),
    Row("DELETE", "/groups/{group}", "", DENIED, MISSING),
    Row("DELETE", "/users/{user}", "", DENIED, MISSING),
    // The administrator's own token with them.
    Row("POST", "/organization/{tenant}/revokeSigningKeys", "", DENIED, MISSING),
];

const CHECK: &str = r#"{"groupIds": ["{group}"]}"#;
const NAMED: &str = r#"{"displayName": "named"}"#;
const NEW_USER: &str = r#"{"userPrincipalName": "new@portcullis.local", "displayName": "new"}"#;
const SPARE: &str = r#"{"@odata.id": "{url}/v1.0/directoryObjects/{spare}"}"#;
const FEDERATED: &str =
    r#"{"name": "other", "issuer": "https://issuer.example", "subject": "t", "audiences": ["a"]}"#;
const GRANT: &str = r#"{"clientId": "{principal}", "consentType": "AllPrincipals", "resourceId": "{url}"}"#;
const UNAUTHENTICATED: &str = "401 InvalidAuthenticationToken";

impl Row {
    fn asked(&self, version: &str) -> Asked {
        let body = if self.2.is_empty() { Body::None } else { Body::Json(self.2) };
        Asked { method: self.0, path: format!("{version}{}", self.1), body }
    }
}

/// The same parameter stands under several names where a row needs several values.
fn route(row: &Row, version: &str) -> (&'static str, String) {
    (row.0, format!("{version}{}", row.1.replace("{spare}", "{owner}")))
}

/// The rows that write what is kept, for odd bodies; what they make has a name of its own each time.
pub(crate) fn writes() -> Vec<Route> {
    let writes = ROWS.iter().filter(|Row(method, path, body, ..)| {
        matches!(*method, "POST" | "PATCH")
            && !body.is_empty()
            && !["get", "check", "remove", "directoryObjects/"]
                .iter()
                .any(|word| path.contains(&format!("/{word}")))
    });
    let route = |row: &Row| {
        let Row(method, path, body, ..) = row;
        let below = match *path {
            "/users" | "/groups" | "/applications" | "/servicePrincipals" => true,
            path => path.ends_with("/federatedIdentityCredentials"),
        };
        let path = format!("/v1.0{path}");
        let body = match *body {
            NEW_USER => {
                r#"{"userPrincipalName": "n{turn}@portcullis.local", "displayName": "new"}"#.to_owned()
            }
            FEDERATED => FEDERATED.replace("other", "other{turn}").replace("\"t\"", "\"t{turn}\""),
            "{}" => r#"{"displayName": "x"}"#.to_owned(),
            body => body.to_owned(),
        };
        let made = (below && *method == "POST").then(|| Made::Below(path.clone(), "/id"));
        Route { method, path, media_type: "application/json", body, made }
    };
    writes.map(route).collect()
}

#[tokio::test]
async fn every_route_of_graph_is_for_those_who_may() {
    const VERSIONS: [&str; 2] = ["/v1.0", "/beta"];
    check_complete(
        ::graph::surface(),
        ROWS.iter().flat_map(|row| VERSIONS.map(|version| route(row, version))),
    );
    let site = Site::start(|_| {}).await;
    let values = stage::directory(&site).await;
    let people = stage::people(&site, &stage::management(&site), &stage::cluster()).await;
    let mut wrong = people.wrong.clone();
    wrong.insert(0, stage::anonymous());
    let mut differences = Differences::default();
    let rows = ROWS.iter().flat_map(|row| VERSIONS.map(|version| (row, version)));
    for (number, (row, version)) in rows.enumerate() {
        let asked = row.asked(version);
        // The other version is the same table: there, they take turns.
        let tried =
            if version == VERSIONS[0] { wrong.clone() } else { in_turn(&wrong, number).cloned().collect() };
        for who in &tried {
            differences.refused(&site, &values, &asked, who, UNAUTHENTICATED).await;
        }
        differences.refused(&site, &values, &asked, &people.nobody, row.3).await;
        if row.4 != ELSEWHERE {
            differences.refused(&site, &values, &asked, &people.stranger, row.4).await;
        }
    }
    for row in ROWS {
        let asked = row.asked(VERSIONS[0]);
        let found = super::answer(people.admin.sign(asked.request(&site, &values))).await;
        let fine = found.starts_with('2');
        differences.check(&asked, people.admin.name, if fine { "2xx" } else { &found }, "2xx");
    }
    differences.finish();
}
