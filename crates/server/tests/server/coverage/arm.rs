//! Resource Manager: whatever is not named below is refused to those without a role, at every scope.
use testserver::Site;

use super::{Asked, Body, Differences, Values, Who, stage};
use crate::odd::{Made, Route};

/// What is answered otherwise than with a refusal: the route, and what somebody without rights gets.
const OTHERWISE: &[(&str, &str, &str)] = &[
    // What one has oneself, which is nothing.
    ("GET", "/subscriptions", "200"),
    ("GET", "/tenants", "200"),
    ("GET", "{scope}/providers/Microsoft.Authorization/permissions", "200"),
    // A subscription that one may see nothing of is not there.
    ("GET", "/subscriptions/{subscription}", HIDDEN),
    ("GET", "/subscriptions/{subscription}/locations", HIDDEN),
    ("GET", "/subscriptions/{subscription}/resourceGroups", HIDDEN),
    ("GET", "/subscriptions/{subscription}/providers/Microsoft.ContainerService/managedClusters", HIDDEN),
    ("GET", "/subscriptions/{subscription}/resources", HIDDEN),
    ("GET", "/subscriptions/{subscription}/providers", HIDDEN),
    ("GET", "/subscriptions/{subscription}/providers/{namespace}", HIDDEN),
    (
        "GET",
        "/subscriptions/{subscription}/providers/Microsoft.ManagedIdentity/userAssignedIdentities",
        HIDDEN,
    ),
    (
        "GET",
        "/subscriptions/{subscription}/providers/Microsoft.ContainerService/locations/{location}/trustedAccessRoles",
        HIDDEN,
    ),
    (
        "GET",
        "/subscriptions/{subscription}/providers/Microsoft.ContainerService/locations/{location}/kubernetesVersions",
        HIDDEN,
    ),
    // An operation is its caller's; of another's nobody learns that it is there. So it is with aliases.
    (
        "GET",
        "/subscriptions/{subscription}/providers/Microsoft.ContainerService/locations/{location}/operations/{operation}",
        "404 ResourceNotFound",
    ),
    (
        "GET",
        "/subscriptions/{subscription}/providers/Microsoft.ContainerService/locations/{location}/operationresults/{operation}",
        "404 ResourceNotFound",
    ),
    ("GET", "/providers/Microsoft.Subscription/aliases/{alias}", "404 ResourceNotFound"),
    ("DELETE", "/providers/Microsoft.Subscription/aliases/{alias}", "204"),
    // Lists of what one may see, which is nothing.
    ("GET", "/providers/Microsoft.Subscription/aliases", "200"),
    ("GET", "/providers/Microsoft.Management/managementGroups", "200"),
    ("POST", "/providers/Microsoft.Management/getEntities", "200"),
    // Whether a name is free is told to everybody, as by Azure.
    ("POST", "/providers/Microsoft.Management/checkNameAvailability", "200"),
    ("GET", "/providers/Microsoft.Management/managementGroups/{group}/subscriptions/{subscription}", HIDDEN),
];
/// Read before anybody has signed in.
const OPEN: &[(&str, &str)] = &[("GET", "/metadata/endpoints")];

const HIDDEN: &str = "404 SubscriptionNotFound";
const REFUSED: &str = "403 AuthorizationFailed";
const UNAUTHENTICATED: &str = "401 AuthenticationFailed";
const INVALID: &str = "401 InvalidAuthenticationToken";
const VERSION: &str = "?api-version=2022-04-01";

/// What somebody hears whose credentials do not count.
fn unauthenticated(who: &Who) -> &'static str {
    match who.name {
        "nobody" | "name and password" => UNAUTHENTICATED,
        "a token for another audience" | "a token for one's own data" => {
            "401 InvalidAuthenticationTokenAudience"
        }
        _ => INVALID,
    }
}

/// Method and path of everything that is served.
fn surface() -> impl Iterator<Item = (&'static str, String)> {
    let open = OPEN.iter().map(|(method, path)| (*method, (*path).to_owned()));
    open.chain(arm::surface())
}

/// A body that would do.
fn body(method: &str, path: &str) -> Body {
    match method {
        "GET" | "HEAD" | "DELETE" => Body::None,
        _ if path.contains("roleAssignments/") => {
            Body::Json(r#"{"properties": {"roleDefinitionId": "{role}", "principalId": "{user}"}}"#)
        }
        _ if path.contains("roleDefinitions/") => Body::Json(
            r#"{"properties": {"roleName": "r", "assignableScopes": ["{assignable}"], "permissions": [{"actions": ["*/read"]}]}}"#,
        ),
        _ if path.contains("trustedAccessRoleBindings/") => Body::Json(
            r#"{"properties": {"sourceResourceId": "/subscriptions/{subscription}", "roles": ["r"]}}"#,
        ),
        _ if path.contains("federatedIdentityCredentials/") => Body::Json(
            r#"{"properties": {"issuer": "https://i.example", "subject": "s", "audiences": ["a"]}}"#,
        ),
        _ if path.contains("locks/") => Body::Json(r#"{"properties": {"level": "CanNotDelete"}}"#),
        _ if path.ends_with("checkAccess") => Body::Json(
            r#"{"Subject": {"Attributes": {"ObjectId": "{user}"}}, "Actions": [{"Id": "a/b/read", "IsDataAction": false}], "Resource": {"Id": "{assignable}"}}"#,
        ),
        _ if path.ends_with("checkNameAvailability") => {
            Body::Json(r#"{"name": "x", "type": "Microsoft.Management/managementGroups"}"#)
        }
        "PATCH" if path.ends_with("{cluster}") => Body::Json(r#"{"tags": {}}"#),
        _ if path.ends_with("rename") => Body::Json(r#"{"subscriptionName": "x"}"#),
        _ if path.ends_with("preflight") => Body::Json("{}"),
        _ => Body::Json(r#"{"location": "local", "identity": {"type": "SystemAssigned"}, "properties": {}}"#),
    }
}

/// Every scope at which somebody could ask for a role.
fn scopes(site: &Site) -> Vec<String> {
    let group = format!("/subscriptions/{}/resourceGroups/rg", site.running.installation.subscription);
    let cluster = format!("{group}/providers/Microsoft.ContainerService/managedClusters/c1");
    vec![
        String::new(),
        "/providers/Microsoft.Management/managementGroups/company".into(),
        format!("/subscriptions/{}", site.running.installation.subscription),
        group,
        format!("{cluster}/namespaces/shop"),
        cluster,
    ]
}

fn resources(site: &Site, values: &mut Values) {
    values.set("subscription", site.running.installation.subscription);
    values.set("group", "rg");
    values.set("cluster", "c1");
    values.set("name", "n1");
    values.set("serial", "1234");
    values.set("thumbprint", "1234");
    values.set("location", "local");
    values.set("profile", "clusterUser");
    values.set("pool", "np");
    values.set("binding", "b1");
    values.set("operation", "00000000-0000-0000-0000-000000000b55");
    values.set("identity", "i1");
    values.set("credential", "cred");
    values.set("provider", "Microsoft.Network");
    values.set("type", "virtualNetworks");
    values.set("childType", "subnets");
    values.set("child", "s1");
    values.set("lock", "l1");
    values.set("deny", "00000000-0000-0000-0000-000000000c55");
    values.set("namespace", "Microsoft.ContainerService");
    values.set("alias", "a1");
    // Contributor, which is built in.
    values.set("role", "b24988ac-6180-42a0-ab88-20f7382dd24c");
    values.set("definition", "b24988ac-6180-42a0-ab88-20f7382dd24c");
    values.set("assignment", "00000000-0000-0000-0000-000000000a55");
}

/// The routes that write what is kept, for odd bodies; what they make has a name of its own each time.
pub(crate) fn writes() -> Vec<Route> {
    let subscription = "/subscriptions/{subscription}";
    // Apart from what the others need: locks and deny assignments stand against those.
    let aside = format!("{subscription}/resourceGroups/aside");
    let names = [
        ("{scope}", aside.as_str()),
        ("{cluster}", "c1"),
        ("{provider}", "Microsoft.Network"),
        ("{type}", "virtualNetworks"),
        ("{childType}", "subnets"),
        ("{namespace}", "Microsoft.ContainerService"),
        ("/{name}/", "/kept/"),
        ("/{identity}/", "/kept/"),
        ("{role}", "00000000-0000-0000-0001-{number}"),
        ("{assignment}", "00000000-0000-0000-0002-{number}"),
        ("{deny}", "00000000-0000-0000-0003-{number}"),
    ];
    let own = ["{name}", "{identity}", "{pool}", "{binding}", "{credential}", "{child}", "{lock}", "{alias}"];
    let mut routes = Vec::new();
    for (method, template) in surface() {
        let skipped =
            ["/{alias}", "managementGroups/{group}/subscriptions", "/stop", "/rotate", "Credential"];
        let writes = matches!(method, "PUT" | "PATCH") || (method == "POST" && template.ends_with("/rename"));
        if !writes || skipped.iter().any(|each| template.contains(each) && !template.contains("federated")) {
            continue;
        }
        let body = match body(method, &template) {
            Body::Json(body) => body.replace("{role}", "b24988ac-6180-42a0-ab88-20f7382dd24c"),
            Body::None | Body::Form(_) => continue,
        };
        let body = body.replace("{assignable}", &aside);
        let path = names.iter().fold(template.clone(), |path, (name, value)| path.replace(name, value));
        let is_group =
            template.ends_with("resourceGroups/{group}") || template.contains("managementGroups/{group}");
        let path = path.replace("{group}", if is_group { "n{turn}" } else { "rg" });
        let path = own.iter().fold(path, |path, name| path.replace(name, "n{turn}"));
        let made = (method == "PUT" && !template.ends_with("{cluster}")).then_some(Made::ThePath);
        let route = |path: &str, made| Route {
            method,
            path: format!("{path}{VERSION}"),
            media_type: "application/json",
            body: body.clone(),
            made,
        };
        // One that stays, for what is below it.
        if template.ends_with("{name}") || template.ends_with("{identity}") {
            routes.push(route(&path.replace("n{turn}", "kept"), None));
        }
        routes.push(route(&path, made));
    }
    routes
}

#[tokio::test]
async fn every_route_of_resource_manager_is_for_those_who_may() {
    let named = OPEN.iter().copied().chain(OTHERWISE.iter().map(|(method, path, _)| (*method, *path)));
    for (method, path) in named {
        assert!(surface().any(|served| served == (method, path.to_owned())), "{method} {path} is not served");
    }
    let site = Site::start(|_| {}).await;
    site.cluster().await;
    let mut values = stage::directory(&site).await;
    resources(&site, &mut values);
    let people = stage::people(&site, &stage::management(&site), &stage::cluster()).await;
    let mut wrong = people.wrong.clone();
    wrong.insert(0, stage::anonymous());
    let mut differences = Differences::default();
    for (method, template) in surface() {
        let of_scope = template.starts_with("{scope}");
        let scopes = if of_scope { scopes(&site) } else { vec![String::new()] };
        for scope in scopes {
            values.set("scope", &scope);
            values.set("assignable", if scope.is_empty() { "/" } else { &scope });
            let path = format!("{}{VERSION}", template.replace("{scope}", &scope));
            let asked = Asked { method, path, body: body(method, &template) };
            let is_open = OPEN.iter().any(|(of, path)| (*of, *path) == (method, template.as_str()));
            // The answer to HEAD has no body to hold a code.
            let bare = |text: &str| match method {
                "HEAD" => text.split(' ').next().unwrap_or_default().to_owned(),
                _ => text.to_owned(),
            };
            for who in &wrong {
                let expected = if is_open { "200".to_owned() } else { bare(unauthenticated(who)) };
                differences.refused(&site, &values, &asked, who, &expected).await;
            }
            let own = OTHERWISE.iter().find(|(of, path, _)| (*of, *path) == (method, template.as_str()));
            let expected = match own {
                _ if is_open => "200".to_owned(),
                Some((_, _, answer)) => (*answer).to_owned(),
                None => bare(REFUSED),
            };
            for who in [&people.nobody, &people.stranger] {
                differences.refused(&site, &values, &asked, who, &expected).await;
            }
        }
    }
    for path in
        ["/providers/Microsoft.Management/managementGroups", "/providers/Microsoft.Subscription/aliases"]
    {
        let seen = site.ok(people.nobody.sign(site.http.get(site.url(&format!("{path}{VERSION}"))))).await;
        assert_eq!(seen["value"], serde_json::json!([]), "{path}");
    }
    let permissions =
        format!("/subscriptions/{{subscription}}/providers/Microsoft.Authorization/permissions{VERSION}");
    for path in [format!("/subscriptions{VERSION}"), permissions] {
        for who in [&people.nobody, &people.stranger] {
            let seen = site.ok(who.sign(site.http.get(site.url(&values.fill(&path))))).await;
            assert_eq!(seen["value"], serde_json::json!([]), "{path} by {}", who.name);
        }
    }
    differences.finish();
}

/// Without a right, what is there and what is not are one answer: no name can be guessed by it.
#[tokio::test]
async fn refusals_of_resource_manager_do_not_tell_what_there_is() {
    let site = Site::start(|_| {}).await;
    let mut there = stage::directory(&site).await;
    resources(&site, &mut there);
    let mut absent = there.clone();
    for (number, name) in ["subscription", "operation", "deny", "role", "assignment"].into_iter().enumerate()
    {
        absent.set(name, format!("00000000-0000-0000-0000-00000000dea{number}"));
    }
    for name in
        ["group", "cluster", "name", "pool", "binding", "identity", "credential", "child", "lock", "alias"]
    {
        there.set(name, format!("there{name}"));
        absent.set(name, format!("absent{name}"));
    }
    let admin = site.management().await;
    let cluster = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters/{cluster}";
    let group = "/subscriptions/{subscription}/resourceGroups/{group}";
    let identity = format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{{identity}}");
    let network = format!("{group}/providers/{{provider}}/{{type}}/{{name}}");
    let own = "11111111-2222-3333-4444-555555555555";
    there.set("role", own);
    let mut made = vec![
        (group.to_owned(), r#"{"location": "local"}"#.to_owned()),
        (cluster.to_owned(), r#"{"location": "local", "properties": {"aadProfile": {}}}"#.to_owned()),
        (identity.clone(), r#"{"location": "local"}"#.to_owned()),
        (
            format!("{identity}/federatedIdentityCredentials/{{credential}}"),
            r#"{"properties": {"issuer": "https://i.example", "subject": "s", "audiences": ["a"]}}"#
                .to_owned(),
        ),
        (network.clone(), r#"{"location": "local"}"#.to_owned()),
        (format!("{network}/{{childType}}/{{child}}"), "{}".to_owned()),
        (format!("{cluster}/agentPools/{{pool}}"), r#"{"properties": {"count": 1}}"#.to_owned()),
        (
            format!("{group}/providers/Microsoft.Authorization/roleDefinitions/{own}"),
            format!(
                r#"{{"properties": {{"roleName": "taken", "assignableScopes": ["{group}"], "permissions": []}}}}"#
            ),
        ),
    ];
    let locked = [group, cluster];
    made.extend(locked.map(|at| {
        let path = format!("{at}/providers/Microsoft.Authorization/locks/{{lock}}");
        (path, r#"{"properties": {"level": "CanNotDelete"}}"#.to_owned())
    }));
    for (path, body) in made {
        let url = site.url(&format!("{}{VERSION}", there.fill(&path)));
        let body: serde_json::Value = serde_json::from_str(&there.fill(&body)).unwrap();
        site.ok(site.http.put(url).bearer_auth(&admin).json(&body)).await;
    }
    let people = stage::people(&site, &stage::management(&site), &stage::cluster()).await;
    let told = async |who: &Who, values: &Values, asked: &Asked| {
        let response = who.sign(asked.request(&site, values)).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let named = values.0.iter().filter(|(name, _)| {
            !matches!(
                **name,
                "scope"
                    | "assignable"
                    | "definition"
                    | "serial"
                    | "url"
                    | "tenant"
                    | "location"
                    | "provider"
                    | "type"
                    | "childType"
                    | "namespace"
                    | "profile"
            )
        });
        // Longest first, as one may hold another.
        let mut named: Vec<_> = named.collect();
        named.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        let text = named.iter().fold(text, |text, (name, value)| {
            if value.len() < 2 { text } else { text.replace(value.as_str(), &format!("<{name}>")) }
        });
        (status, text)
    };
    let scopes =
        [String::new(), group.to_owned(), cluster.to_owned(), format!("{cluster}/namespaces/shop"), network];
    let mut differences = Vec::new();
    for (method, template) in surface() {
        let named: &[String] = if template.starts_with("{scope}") { &scopes } else { &[String::new()] };
        for scope in named {
            for who in [&people.nobody, &people.stranger] {
                let path = format!("{}{VERSION}", template.replace("{scope}", scope));
                let asked = Asked { method, path, body: body(method, &template) };
                let mut answers = Vec::new();
                for values in [&there, &absent] {
                    let mut values = values.clone();
                    let place = values.fill(scope);
                    values.set("assignable", if place.is_empty() { "/" } else { &place });
                    answers.push(told(who, &values, &asked).await);
                }
                if answers[0] != answers[1] {
                    differences.push(format!("{method} {} by {}: {answers:#?}", asked.path, who.name));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Whatever the router takes leads to one place, which asks who it is before it looks.
#[tokio::test]
async fn what_resource_manager_does_not_serve_is_not_told_to_those_without_credentials() {
    let site = Site::start(|_| {}).await;
    let mut differences = Differences::default();
    for path in ["/subscriptions/x/y/z", "/providers/Microsoft.Nothing/things"] {
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH"] {
            let asked = Asked { method, path: format!("{path}{VERSION}"), body: body(method, path) };
            let who = stage::anonymous();
            differences.refused(&site, &Values::default(), &asked, &who, UNAUTHENTICATED).await;
        }
    }
    differences.finish();
}
