//! The real Azure command line with a configuration of its own, in which a running server is registered as a cloud:
//! what every test with `az` starts from. It asserts nothing of its own about the product.
//!
//! A configuration directory serves one sign-in: `az` keeps tokens, and a second sign-in could succeed by those.

use std::{path::PathBuf, process::Command};

use serde_json::Value;

use crate::{
    person::Person,
    running::{ENTER, Journey, OPENED, PROGRAM, Said, kubectl, tool},
};

/// `az` as one of its users, on one server.
pub(crate) struct Azure<'a> {
    pub(crate) journey: &'a Journey,
    who: String,
}

/// An application with its service principal and secret.
pub(crate) struct Application {
    pub(crate) app_id: String,
    /// Object id of the service principal.
    pub(crate) principal: String,
    pub(crate) secret: String,
}

impl Journey {
    /// An application of this name, made by the first administrator.
    pub(crate) fn application(&self, name: &str) -> Application {
        let made = self.portcullis("admin", &["app", "create", name, "-o", "json"], None).ok();
        let made: Value = serde_json::from_str(&made).unwrap();
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        Application { app_id: text("appId"), principal: text("servicePrincipalId"), secret: text("secret") }
    }

    /// Gives a principal a role in the first subscription.
    pub(crate) fn assign(&self, principal: &str, role: &str) {
        let scope = format!("/subscriptions/{}", self.first("subscriptionId"));
        let give = ["assignment", "create", "--assignee", principal, "--role", role, "--scope", &scope];
        self.portcullis("admin", &give, None).ok();
    }
}

impl<'a> Azure<'a> {
    /// Nobody signed in; the cloud is registered by its one address.
    pub(crate) fn new(journey: &'a Journey, who: &str) -> Self {
        let azure = Self { journey, who: who.to_owned() };
        std::fs::create_dir_all(azure.path("bin")).unwrap();
        // kubectl finds the credential plugin by this name.
        std::os::unix::fs::symlink(PROGRAM, azure.path("bin/kubelogin")).unwrap();
        let browser = azure.path("bin/browser");
        std::fs::write(&browser, format!("#!/bin/sh\necho \"{OPENED}$1\" >&2\n")).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&browser, executable).unwrap();
        azure
            .az(&["cloud", "register", "-n", "portcullis", "--endpoint-resource-manager", &journey.url])
            .ok();
        azure.az(&["cloud", "set", "-n", "portcullis"]).ok();
        azure
    }

    /// The first administrator, signed in by a browser.
    pub(crate) fn administrator(journey: &'a Journey) -> Self {
        let azure = Self::new(journey, "az-admin");
        azure.login_with_browser(&journey.first("userPrincipalName"), &journey.first("password"));
        azure
    }

    /// An application, signed in by its secret.
    pub(crate) fn of_application(journey: &'a Journey, who: &str, application: &Application) -> Self {
        let azure = Self::new(journey, who);
        let tenant = journey.first("tenantId");
        let secret = application.secret.as_str();
        azure
            .az(&[
                "login",
                "--service-principal",
                "--username",
                &application.app_id,
                &format!("--password={secret}"),
                "--tenant",
                &tenant,
            ])
            .ok();
        azure
    }

    /// A person, signed in by a browser.
    pub(crate) fn login_with_browser(&self, user_name: &str, password: &str) {
        let tenant = self.journey.first("tenantId");
        let login = self.command(&["login", "--tenant", &tenant]);
        let said = self.journey.talk(&self.who, login, OPENED, |address| {
            Person::new(self.journey, user_name, password).authorize(address);
            String::new()
        });
        said.ok();
    }

    /// A person, signed in by a device code; `approve` is told the code.
    pub(crate) fn login_with_device_code(&self, more: &[&str], approve: impl FnOnce(&str)) -> Said {
        let login = self.command(&[&["login", "--use-device-code"], more].concat());
        self.journey.talk(&self.who, login, ENTER, |rest| {
            approve(rest.split([' ', '.']).next().unwrap());
            String::new()
        })
    }

    pub(crate) fn az(&self, arguments: &[&str]) -> Said {
        self.journey.run(&self.who, self.command(arguments), None)
    }

    /// What a command that succeeds answers.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let out = self.az(arguments).ok();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"))
    }

    /// The kubeconfig that `az aks get-credentials` writes, made to sign in by this session of `az`.
    pub(crate) fn credentials(&self, group: &str, cluster: &str, more: &[&str]) -> String {
        let kubeconfig = format!("{}-{cluster}.yaml", self.who);
        let path = self.journey.path(&kubeconfig);
        let path = path.to_str().unwrap();
        let get = ["aks", "get-credentials", "-g", group, "-n", cluster, "--overwrite-existing", "-f", path];
        self.az(&[&get, more].concat()).ok();
        let mut convert = Command::new(self.path("bin/kubelogin"));
        convert.args(["convert-kubeconfig", "-l", "azurecli", "--kubeconfig", path]);
        self.journey.run(&self.who, convert, None).ok();
        kubeconfig
    }

    /// kubectl, with the credential plugin and `az` in its path.
    pub(crate) fn kubectl(&self, kubeconfig: &str, arguments: &[&str]) -> Said {
        self.journey.run(&self.who, self.kubectl_command(kubeconfig, arguments), None)
    }

    pub(crate) fn kubectl_command(&self, kubeconfig: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(kubectl());
        command.args(arguments).env("KUBECONFIG", self.journey.path(kubeconfig));
        self.environment(&mut command);
        command
    }

    /// The credential plugin by the session of `az`, as kubectl starts it.
    pub(crate) fn kubelogin_command(&self) -> Command {
        let mut command = Command::new(self.path("bin/kubelogin"));
        command.args(["get-token", "--login", "azurecli", "--server-id", CLUSTER]);
        self.environment(&mut command);
        command
    }

    /// As if an hour had gone by: `az` keeps its refresh token and no access token.
    pub(crate) fn let_access_tokens_end(&self) {
        let cache = self.path("azure/msal_token_cache.json");
        let mut kept: Value = serde_json::from_slice(&std::fs::read(&cache).unwrap()).unwrap();
        assert!(kept["RefreshToken"].as_object().is_some_and(|tokens| !tokens.is_empty()), "{kept}");
        kept["AccessToken"] = serde_json::json!({});
        std::fs::write(cache, kept.to_string()).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.journey.path(&self.who).join(name)
    }

    /// The command, for what a test must set besides.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(tool("bin/az"));
        command.args(arguments);
        self.environment(&mut command);
        command
    }

    /// No other network than the server: no telemetry, no look for updates or extensions, no public host asked about
    /// the authority.
    fn environment(&self, command: &mut Command) {
        let tools = tool("bin");
        let own = [self.path("bin"), tools];
        let inherited = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths(own.into_iter().chain(std::env::split_paths(&inherited))).unwrap();
        let authority = self.journey.path("data/ca.crt");
        command
            .env("PATH", path)
            .env("AZURE_CONFIG_DIR", self.path("azure"))
            .env("REQUESTS_CA_BUNDLE", &authority)
            .env("SSL_CERT_FILE", &authority)
            .env("BROWSER", format!("{} %s", self.path("bin/browser").display()))
            .env("AZURE_CORE_INSTANCE_DISCOVERY", "false")
            .env("AZURE_CORE_COLLECT_TELEMETRY", "false")
            .env("AZURE_CORE_LOGIN_EXPERIENCE_V2", "off")
            .env("AZURE_CORE_SURVEY_MESSAGE", "false")
            .env("AZURE_CORE_NO_COLOR", "true")
            .env("AZURE_AUTO_UPGRADE_ENABLE", "false")
            .env("AZURE_EXTENSION_USE_DYNAMIC_INSTALL", "no");
    }
}

/// Whom the tokens for clusters are made out to.
const CLUSTER: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";
