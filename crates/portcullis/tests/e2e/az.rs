//! The three commands: `az login`, `az aks get-credentials`, `kubectl`, with the unmodified Azure command line.

use std::process::Command;

use serde_json::json;

use crate::{
    azure::Azure,
    libraries::{NODE, PYTHON, certificate, claims, token},
    person::Person,
    running::{ENTER, Journey, OPENED, PASSWORD, PROGRAM, tool},
    webdriver::Browser,
};

/// A program signs in by its secret, makes a cluster and works on it.
#[test]
fn a_service_principal_makes_a_cluster_and_works_on_it() {
    let journey = Journey::begin();
    let application = journey.application("build");
    journey.assign(&application.principal, "Owner");
    let azure = Azure::of_application(&journey, "build", &application);
    let account = azure.json(&["account", "show"]);
    assert_eq!(account["tenantId"], journey.first("tenantId"));
    assert_eq!(account["user"]["name"], application.app_id.as_str());
    assert_eq!(account["user"]["type"], "servicePrincipal");
    let group = azure.json(&["group", "create", "-n", "web", "-l", "westeurope"]);
    assert_eq!(group["properties"]["provisioningState"], "Succeeded");
    let create =
        ["aks", "create", "-g", "web", "-n", "c1", "--no-ssh-key", "--enable-aad", "--enable-azure-rbac"];
    assert_eq!(azure.json(&create)["provisioningState"], "Succeeded");
    let config = azure.credentials("web", "c1", &[]);
    azure.kubectl(&config, &["get", "pods"]).refused("no role assignment gives");
    journey.assign(&application.principal, "Azure Kubernetes Service RBAC Cluster Admin");
    azure.kubectl(&config, &["create", "namespace", "shop"]).ok();
    assert!(azure.kubectl(&config, &["get", "namespaces"]).ok().contains("shop"));
    // In both versions of the credential plugin's answer.
    for version in ["v1beta1", "v1"] {
        let path = journey.path(&config);
        let written = std::fs::read_to_string(&path).unwrap();
        std::fs::write(
            &path,
            written.replace("authentication.k8s.io/v1beta1", &format!("authentication.k8s.io/{version}")),
        )
        .unwrap();
        assert!(azure.kubectl(&config, &["auth", "whoami"]).ok().contains(&application.principal));
    }
}

/// The pages themselves, in a real browser: the code that a device shows, and the address that `az` opens, whose answer
/// the browser carries back to `az` by itself.
#[test]
fn the_pages_sign_a_person_in_with_a_real_browser() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["resource-group", "create", "rg", "--location", "local"], None).ok();
    journey.person("alice");
    let browser = Browser::start();
    let sign_in = || {
        browser.fill("#user_name", "alice@portcullis.local");
        browser.fill("#password", PASSWORD);
        browser.click("button[type=submit]");
    };
    let azure = Azure::new(&journey, "device");
    let approve = |code: &str| {
        browser.open(&format!("{}/devicelogin", journey.url));
        browser.fill("#user_code", code);
        browser.click("button[type=submit]");
        sign_in();
        browser.wait_for("Azure CLI");
        browser.wait_for("alice@portcullis.local");
        browser.click("button[value=allow]");
        browser.wait_for("signed in");
    };
    azure.login_with_device_code(&[], approve).ok();
    azure.az(&["group", "list"]).ok();
    // Signed in already: only asked whether to go on.
    let azure = Azure::new(&journey, "browser");
    let login = azure.command(&["login", "--tenant", &journey.first("tenantId")]);
    let said = journey.talk("browser", login, OPENED, |address| {
        browser.open(address);
        browser.click("button[value=allow]");
        String::new()
    });
    said.ok();
    assert_eq!(azure.json(&["account", "show"])["user"]["name"], "alice@portcullis.local");
}

/// What `portcullis az-env` prints is all that a shell needs, from the sign-in to kubectl.
#[test]
fn the_printed_environment_is_all_that_a_shell_needs() {
    let journey = Journey::begin();
    let application = journey.application("build");
    journey.assign(&application.principal, "Owner");
    journey.assign(&application.principal, "Azure Kubernetes Service RBAC Reader");
    std::fs::create_dir_all(journey.path("shell")).unwrap();
    let script = r#"
        set -e
        eval "$("$PROGRAM" az-env --url "$SERVER" --ca-file "$AUTHORITY")"
        # Once more, as a new shell does: the cloud is known by now.
        eval "$("$PROGRAM" az-env --url "$SERVER" --ca-file "$AUTHORITY")"
        az login --service-principal -u "$APP" -p="$SECRET" --tenant "$TENANT" -o none
        az group create -n rg1 -l local -o none
        az aks create -g rg1 -n c1 --no-ssh-key --enable-aad --enable-azure-rbac -o none
        az aks get-credentials -g rg1 -n c1
        kubelogin convert-kubeconfig -l azurecli
        kubectl get pods
        kubectl auth whoami"#;
    let path = std::env::join_paths(
        std::iter::once(tool("bin")).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let mut command = Command::new("sh");
    command
        .args(["-c", script])
        .env("PATH", path.unwrap())
        .env("PROGRAM", PROGRAM)
        .env("SERVER", &journey.url)
        .env("AUTHORITY", journey.path("data/ca.crt"))
        .env("APP", &application.app_id)
        .env("SECRET", &application.secret)
        .env("TENANT", journey.first("tenantId"))
        .env("AZURE_CORE_COLLECT_TELEMETRY", "false")
        .env_remove("KUBECONFIG");
    let said = journey.run("shell", command, None);
    assert!(said.error.contains("No resources found"), "{}{}", said.out, said.error);
    assert!(said.ok().contains(&application.principal));
}

/// A cloud that one variable makes known.
#[test]
fn a_cloud_is_known_by_the_address_of_its_document() {
    let journey = Journey::begin();
    let azure = Azure::new(&journey, "known");
    let address = format!("{}/metadata/endpoints?api-version=2019-05-01", journey.url);
    let mut list = azure.command(&["cloud", "list"]);
    list.env("ARM_CLOUD_METADATA_URL", address).env("AZURE_CONFIG_DIR", azure.path("other"));
    let clouds: serde_json::Value = serde_json::from_str(&journey.run("known", list, None).ok()).unwrap();
    let known = clouds.as_array().unwrap().iter().find(|each| each["name"] == "portcullis").unwrap();
    assert_eq!(known["endpoints"]["activeDirectory"], journey.url.as_str());
    assert_eq!(known["endpoints"]["resourceManager"], format!("{}/", journey.url));
}

/// Wrong secrets and unknown tenants and applications end in the words that people know.
#[test]
fn a_refused_sign_in_says_why() {
    let journey = Journey::begin();
    let application = journey.application("build");
    let tenant = journey.first("tenantId");
    let login = |client: &str, secret: &str, tenant: &str, who: &str| {
        Azure::new(&journey, who).az(&[
            "login",
            "--service-principal",
            "--username",
            client,
            &format!("--password={secret}"),
            "--tenant",
            tenant,
        ])
    };
    login(&application.app_id, "not the secret", &tenant, "one").refused("AADSTS7000215");
    login(&tenant, &application.secret, &tenant, "two").refused("AADSTS700016");
    login(&application.app_id, &application.secret, "elsewhere.example", "three").refused("AADSTS90002");
    // Signed in, but nothing may be seen.
    login(&application.app_id, &application.secret, &tenant, "four").refused("No subscriptions found");
}

/// A program signs in by the key of its certificate, which `az` itself tells the application of.
#[test]
fn a_service_principal_signs_in_by_certificate() {
    let journey = Journey::begin();
    let application = journey.application("build");
    journey.assign(&application.principal, "Reader");
    let (public, both) = certificate(&journey);
    Azure::administrator(&journey)
        .az(&[
            "ad",
            "app",
            "credential",
            "reset",
            "--id",
            &application.app_id,
            "--cert",
            &format!("@{public}"),
        ])
        .ok();
    let azure = Azure::new(&journey, "build");
    let tenant = journey.first("tenantId");
    let login = |file: &str| {
        let start = ["login", "--service-principal", "--username", &application.app_id, "--tenant", &tenant];
        azure.az(&[&start[..], &["--certificate", file]].concat())
    };
    login(&both).ok();
    azure.az(&["group", "list"]).ok();
    let other = Azure::new(&journey, "other");
    let (_, unknown) = certificate(&journey);
    let start = ["login", "--service-principal", "--username", &application.app_id, "--tenant", &tenant];
    other.az(&[&start[..], &["--certificate", &unknown]].concat()).refused("AADSTS700027");
}

/// Workload identity: a pod's token in place of a secret, of a cluster of this installation and of an issuer elsewhere.
#[test]
fn a_workload_signs_in_by_the_token_that_it_has() {
    let elsewhere = Journey::begin();
    let authorities = elsewhere.path("data/ca.crt");
    let journey = Journey::begin_with(&["--outside-authorities", authorities.to_str().unwrap()]);
    let tenant = journey.first("tenantId");
    let application = journey.application("till");
    journey.assign(&application.principal, "Reader");
    let admin = Azure::administrator(&journey);
    let trust = |name: &str, token: &str| {
        let claims = claims(token);
        let audience = claims["aud"].as_str().or(claims["aud"][0].as_str()).unwrap();
        let credential =
            json!({"name": name, "issuer": claims["iss"], "subject": claims["sub"], "audiences": [audience]});
        let create = ["ad", "app", "federated-credential", "create", "--id", &application.app_id];
        let made = admin.json(&[&create[..], &["--parameters", &credential.to_string()]].concat());
        assert_eq!(made["subject"], claims["sub"]);
    };
    let login = |who: &str, token: &str| {
        let start = ["login", "--service-principal", "--username", &application.app_id, "--tenant", &tenant];
        let azure = Azure::new(&journey, who);
        let said = azure.az(&[&start[..], &["--federated-token", token]].concat());
        if said.success {
            azure.az(&["group", "list"]).ok();
        }
        said
    };

    journey.portcullis("admin", &["cluster", "create", "c1", "-g", "rg"], None).ok();
    let config = journey.credentials("admin", "c1", &["--admin"]);
    let create = ["create", "token", "default", "--audience", "api://AzureADTokenExchange"];
    let of_pod = journey.kubectl("admin", &config, &create).ok().trim().to_owned();
    login("before", &of_pod).refused("AADSTS700211");
    trust("pod", &of_pod);
    login("pod", &of_pod).ok();
    for (library, flow) in [(PYTHON, "identity-workload"), (NODE, "identity-workload")] {
        let result = library.run_in_pod(&journey, flow, &application, &of_pod);
        assert_eq!(claims(token(&result))["oid"], application.principal.as_str());
    }
    // The credential plugin does the same for kubectl.
    let person = journey.credentials("admin", "c1", &[]);
    let file = journey.path("pod-token");
    std::fs::write(&file, &of_pod).unwrap();
    let (path, file) = (journey.path(&person), file.to_str().unwrap().to_owned());
    let convert = ["convert-kubeconfig", "-l", "workloadidentity", "--kubeconfig", path.to_str().unwrap()];
    let more = ["--client-id", &application.app_id, "--federated-token-file", &file];
    journey.portcullis("admin", &[&convert[..], &more].concat(), None).ok();
    let whoami = journey.kubectl("admin", &person, &["auth", "whoami"]).ok();
    assert!(whoami.contains(&application.principal), "{whoami}");
    // The account goes, and with it what its token was worth.
    let config = journey.credentials("admin", "c1", &["--admin", "--overwrite-existing"]);
    journey.kubectl("admin", &config, &["delete", "serviceaccount", "default"]).ok();
    login("gone", &of_pod).refused("AADSTS700027");

    // An issuer elsewhere, asked for its keys over the network.
    let job = elsewhere.application("job");
    let settings = json!({"base": elsewhere.url, "tenant": elsewhere.first("tenantId"), "client": job.app_id,
        "secret": job.secret, "scope": format!("{}/.default", job.app_id)});
    let foreign = PYTHON.run(&elsewhere, "msal-secret", &settings);
    trust("elsewhere", token(&foreign));
    login("elsewhere", token(&foreign)).ok();
}

/// A person signs in with the browser and with a device code; one who is disabled is out at once.
#[test]
fn a_person_signs_in_with_a_browser_or_a_device_code() {
    let journey = Journey::begin();
    let admin = Azure::administrator(&journey);
    assert_eq!(admin.json(&["account", "show"])["user"]["name"], "admin@portcullis.local");
    admin.az(&["group", "create", "-n", "rg", "-l", "westeurope"]).ok();
    journey.person("alice");
    let alice = Azure::new(&journey, "az-alice");
    let approve = |code: &str| Person::new(&journey, "alice@portcullis.local", PASSWORD).approve(code);
    alice.login_with_device_code(&[], approve).ok();
    assert_eq!(alice.json(&["account", "show"])["user"]["name"], "alice@portcullis.local");
    alice.az(&["group", "list"]).ok();
    // The kubeconfig as `az` writes it: kubectl itself asks her to sign in, once.
    admin.az(&["aks", "create", "-g", "rg", "-n", "c1", "--no-ssh-key", "--enable-aad"]).ok();
    let config = journey.path("as-written");
    alice.az(&["aks", "get-credentials", "-g", "rg", "-n", "c1", "-f", config.to_str().unwrap()]).ok();
    let said = journey.talk_at_terminal(
        "az-alice",
        alice.kubectl_command("as-written", &["auth", "whoami"]),
        ENTER,
        |rest| {
            approve(rest.split([' ', '.']).next().unwrap());
            String::new()
        },
    );
    assert!(said.ok().contains("alice@portcullis.local"));
    alice.kubectl("as-written", &["get", "pods"]).refused("cannot list resource \"pods\"");
    journey.portcullis("admin", &["user", "update", "alice@portcullis.local", "--disable"], None).ok();
    assert!(!alice.az(&["group", "list"]).success);
}
