//! The unmodified libraries that programs sign in with: MSAL and azure-identity, for Python and for Node. Each flow
//! ends with a token that Resource Manager takes, for whom it should be.

use std::process::Command;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    azure::{Application, Azure},
    person::Person,
    running::{ENTER, Journey, OPENED, PASSWORD, tool},
};

/// A program in one of two languages that signs in by one flow of a library.
#[derive(Clone, Copy)]
pub(crate) struct Library(&'static str);

pub(crate) const PYTHON: Library = Library("flows.py");
pub(crate) const NODE: Library = Library("flows.js");
const AZ: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
const CLUSTER: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";

impl Library {
    fn command(self, journey: &Journey, flow: &str, settings: &Value) -> Command {
        let mut command =
            Command::new(if self.0 == PYTHON.0 { tool("azure-python/bin/python") } else { "node".into() });
        let browser = journey.path("browser");
        std::fs::write(&browser, format!("#!/bin/sh\necho \"{OPENED}$1\" >&2\n")).unwrap();
        let authority = journey.path("data/ca.crt");
        command
            .arg(format!("{}/tests/e2e/clients/{}", env!("CARGO_MANIFEST_DIR"), self.0))
            .arg(flow)
            .env("SETTINGS", settings.to_string())
            .env("BROWSER", format!("sh {} %s", browser.display()))
            .env("NODE_PATH", tool("azure-node/node_modules"))
            .env("NODE_EXTRA_CA_CERTS", &authority)
            .env("REQUESTS_CA_BUNDLE", &authority);
        command
    }

    pub(crate) fn run(self, journey: &Journey, flow: &str, settings: &Value) -> Value {
        let said = journey.run("library", self.command(journey, flow, settings), None);
        read(&said.out, &said.error)
    }

    /// A flow of a program in a pod, which finds everything in its environment.
    pub(crate) fn run_in_pod(
        self,
        journey: &Journey,
        flow: &str,
        application: &Application,
        token: &str,
    ) -> Value {
        let file = journey.path("azure-identity-token");
        std::fs::write(&file, format!("{token}\n")).unwrap();
        let mut command = self.command(journey, flow, &settings(journey, &application.app_id));
        command
            .env("AZURE_AUTHORITY_HOST", &journey.url)
            .env("AZURE_TENANT_ID", journey.first("tenantId"))
            .env("AZURE_CLIENT_ID", &application.app_id)
            .env("AZURE_FEDERATED_TOKEN_FILE", file);
        let said = journey.run("library", command, None);
        read(&said.out, &said.error)
    }

    /// A flow in which somebody is asked at the browser.
    fn ask(
        self,
        journey: &Journey,
        flow: &str,
        settings: &Value,
        mark: &'static str,
        answer: impl FnOnce(&str) -> String,
    ) -> Value {
        let said = journey.talk("library", self.command(journey, flow, settings), mark, answer);
        read(&said.out, &said.error)
    }
}

#[track_caller]
fn read(out: &str, error: &str) -> Value {
    serde_json::from_str(out).unwrap_or_else(|wrong| panic!("{wrong}: {out}{error}"))
}

#[track_caller]
pub(crate) fn token(result: &Value) -> &str {
    let token = result["access_token"].as_str().or_else(|| result["accessToken"].as_str());
    token.unwrap_or_else(|| panic!("no token: {result}"))
}

#[track_caller]
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn settings(journey: &Journey, client: &str) -> Value {
    json!({
        "base": journey.url,
        "tenant": journey.first("tenantId"),
        "client": client,
        "scope": format!("{}/.default", journey.url),
        "other": format!("{CLUSTER}/.default"),
    })
}

fn of_application(journey: &Journey, application: &Application) -> Value {
    let mut settings = settings(journey, &application.app_id);
    settings["secret"] = application.secret.as_str().into();
    settings
}

/// Whether Resource Manager takes the token.
#[track_caller]
fn works(journey: &Journey, token: &str) {
    let address = format!("{}/subscriptions?api-version=2022-12-01", journey.url);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = runtime
        .block_on(async { journey.http().get(address).bearer_auth(token).send().await.unwrap().status() });
    assert_eq!(status, 200);
}

/// A new certificate, and the file that holds its key beside it, both PEM.
pub(crate) fn certificate(journey: &Journey) -> (String, String) {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::new(vec![]).unwrap().self_signed(&pair).unwrap();
    let (public, both) = (journey.path("client.crt"), journey.path("client.pem"));
    std::fs::write(&public, certificate.pem()).unwrap();
    std::fs::write(&both, format!("{}{}", certificate.pem(), pair.serialize_pem())).unwrap();
    (public.to_str().unwrap().to_owned(), both.to_str().unwrap().to_owned())
}

#[test]
fn programs_sign_in_by_secret_and_by_certificate() {
    let journey = Journey::begin();
    let application = journey.application("build");
    let mut settings = of_application(&journey, &application);
    let (public, both) = certificate(&journey);
    let add = ["app", "credential", "add", &application.app_id, "--certificate", &public];
    journey.portcullis("admin", &add, None).ok();
    settings["certificate"] = both.into();
    let check = |library: Library, flow: &str| {
        let result = library.run(&journey, flow, &settings);
        let token = token(&result);
        assert_eq!(claims(token)["oid"], application.principal.as_str(), "{flow}");
        works(&journey, token);
    };
    for flow in ["msal-secret", "msal-certificate", "identity-secret", "identity-certificate"] {
        check(PYTHON, flow);
        check(NODE, flow);
    }
    check(PYTHON, "msal-oidc");
    let mut wrong = settings.clone();
    wrong["secret"] = "not the secret".into();
    for library in [PYTHON, NODE] {
        for flow in ["msal-secret", "identity-secret"] {
            let refused = library.run(&journey, flow, &wrong);
            assert!(refused["error_description"].as_str().unwrap().contains("7000215"), "{refused}");
        }
    }
}

/// The management libraries, told the address and nothing of scopes.
#[test]
fn management_libraries_need_only_the_address() {
    let journey = Journey::begin();
    let application = journey.application("build");
    journey.assign(&application.principal, "Reader");
    journey.portcullis("admin", &["cluster", "create", "c1", "-g", "rg"], None).ok();
    let mut settings = of_application(&journey, &application);
    settings["subscription"] = journey.first("subscriptionId").into();
    let result = PYTHON.run(&journey, "management", &settings);
    assert_eq!(result["clusters"], json!(["c1"]), "{result}");
    let assignments = result["assignments"].as_array().unwrap();
    assert!(assignments.contains(&json!(application.principal)), "{result}");
    // Each by the id that the list gave.
    assert_eq!(result["roles"], result["byId"], "{result}");
    assert!(result["roles"].as_array().is_some_and(|roles| roles.contains(&json!("Reader"))), "{result}");
}

#[test]
fn people_sign_in_by_browser_and_by_device_code() {
    let journey = Journey::begin();
    let (user, password) = (journey.first("userPrincipalName"), journey.first("password"));
    let person = Person::new(&journey, &user, &password);
    let settings = settings(&journey, AZ);
    let browse = |address: &str| {
        person.authorize(address);
        String::new()
    };
    let enter = |rest: &str| {
        person.approve(rest.split([' ', '.']).next().unwrap());
        String::new()
    };
    let check = |library: Library| {
        for (flow, mark) in [("msal-interactive", OPENED), ("msal-device", ENTER)] {
            let result = if mark == OPENED {
                library.ask(&journey, flow, &settings, mark, browse)
            } else {
                library.ask(&journey, flow, &settings, mark, enter)
            };
            let first = token(&result["first"]);
            assert_eq!(claims(first)["upn"], user.as_str(), "{flow}");
            works(&journey, first);
            // Another resource by the refresh token, nobody asked; then the first again, from the library's memory.
            assert_eq!(claims(token(&result["other"]))["aud"], CLUSTER, "{flow}");
            assert_eq!(result["cached"], true, "{flow}");
            let account = &result["account"];
            let id = account["home_account_id"].as_str().or(account["homeAccountId"].as_str()).unwrap();
            assert_eq!(
                id,
                format!("{}.{}", claims(first)["oid"].as_str().unwrap(), journey.first("tenantId"))
            );
        }
        let result = library.ask(&journey, "identity-device", &settings, ENTER, enter);
        works(&journey, token(&result));
    };
    std::thread::scope(|scope| {
        [PYTHON, NODE].map(|library| scope.spawn(move || check(library))).map(|each| each.join().unwrap())
    });
    let result = PYTHON.ask(&journey, "identity-interactive", &settings, OPENED, browse);
    works(&journey, token(&result));
}

/// A web application: a code in a query to its own address, which its secret redeems.
#[test]
fn a_web_application_signs_its_people_in() {
    let journey = Journey::begin();
    let redirect = "http://localhost:1/answer";
    let made = journey.portcullis(
        "admin",
        &["app", "create", "shop", "--redirect-uri", redirect, "-o", "json"],
        None,
    );
    let made: Value = serde_json::from_str(&made.ok()).unwrap();
    let mut settings = settings(&journey, made["appId"].as_str().unwrap());
    settings["secret"] = made["secret"].clone();
    settings["redirect"] = redirect.into();
    let (user, password) = (journey.first("userPrincipalName"), journey.first("password"));
    let result = PYTHON.ask(&journey, "msal-code", &settings, OPENED, |address| {
        Person::new(&journey, &user, &password).authorize_until(address, redirect)
    });
    works(&journey, token(&result));
    assert_eq!(result["id_token_claims"]["preferred_username"], user.as_str());
}

/// A service that people call goes on for them, once they or an administrator have let it.
#[test]
fn a_service_goes_on_behalf_of_its_callers() {
    let journey = Journey::begin();
    let service = journey.application("service");
    let mut caller = settings(&journey, AZ);
    caller["scope"] = format!("{}/.default", service.app_id).into();
    let (user, password) = (journey.first("userPrincipalName"), journey.first("password"));
    let result = PYTHON.ask(&journey, "msal-interactive", &caller, OPENED, |address| {
        Person::new(&journey, &user, &password).authorize(address);
        String::new()
    });
    let mut settings = of_application(&journey, &service);
    settings["assertion"] = token(&result["first"]).into();
    let flows = [(PYTHON, "msal-obo"), (PYTHON, "identity-obo"), (NODE, "msal-obo"), (NODE, "identity-obo")];
    for (library, flow) in flows {
        let refused = library.run(&journey, flow, &settings);
        assert!(refused["error_description"].as_str().unwrap().contains("65001"), "{flow}: {refused}");
    }
    journey.portcullis("admin", &["app", "consent", "service"], None).ok();
    for (library, flow) in flows {
        let result = library.run(&journey, flow, &settings);
        let token = token(&result);
        assert_eq!(
            (&claims(token)["upn"], &claims(token)["azp"]),
            (&json!(user), &json!(service.app_id)),
            "{flow}"
        );
        works(&journey, token);
    }
    journey.portcullis("admin", &["app", "consent", "service", "--withdraw"], None).ok();
    let refused = PYTHON.run(&journey, "msal-obo", &settings);
    assert!(refused["error_description"].as_str().unwrap().contains("65001"), "{refused}");
}

/// A name and a password, only from a client that an administrator trusts with them.
#[test]
fn passwords_are_taken_from_trusted_clients_alone() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["group", "create", "nobody"], None).ok();
    let make = |name: &str, more: &[&str]| {
        let create = [&["app", "create", name, "--public-client", "-o", "json"], more].concat();
        let made: Value = serde_json::from_str(&journey.portcullis("admin", &create, None).ok()).unwrap();
        let mut settings = settings(&journey, made["appId"].as_str().unwrap());
        settings["person"] =
            json!({"username": journey.first("userPrincipalName"), "password": journey.first("password")});
        settings
    };
    let trusted = make("kiosk", &["--allow-password-grant"]);
    works(&journey, token(&NODE.run(&journey, "msal-password", &trusted)));
    let mut wrong = trusted.clone();
    wrong["person"]["password"] = PASSWORD.into();
    let mut of_az = trusted.clone();
    of_az["client"] = AZ.into();
    for (settings, code) in [(&wrong, "50126"), (&make("other", &[]), "70001"), (&of_az, "70001")] {
        let refused = NODE.run(&journey, "msal-password", settings);
        assert!(refused["error_description"].as_str().unwrap().contains(code), "{refused}");
    }
    // The tenant lets the clients that are part of the installation.
    let organization = format!("{}/v1.0/organization/{}", journey.url, journey.first("tenantId"));
    let body = r#"{"allowPasswordGrant": true}"#;
    Azure::administrator(&journey).az(&["rest", "-m", "patch", "-u", &organization, "-b", body]).ok();
    works(&journey, token(&NODE.run(&journey, "msal-password", &of_az)));
}
