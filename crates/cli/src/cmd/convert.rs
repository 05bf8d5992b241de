//! `portcullis convert-kubeconfig`: changes the login method of kubeconfig users, like kubelogin's command of that
//! name. Users with other kinds of credentials are left unchanged.

use std::path::{Path, PathBuf};

use anyhow::bail;
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Args;
use serde_json::{Map, Value, json};

use super::get_token::{
    CA_DATA,
    flags::{LoginMode, Precedence, Secret, SignInArgs},
};
use crate::{
    authority::{CLUSTER_SERVER_ID, KUBELOGIN_CLIENT_ID},
    kubeconfig::{Kubeconfig, Named, default_paths},
    output,
    session::Session,
};

#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ConvertArgs {
    #[command(flatten)]
    sign_in: SignInArgs,
    /// Kubeconfig to change [default: those of $KUBECONFIG, or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Change the user of this context alone
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Configuration of az, for azurecli
    #[arg(long, value_name = "DIR")]
    azure_config_dir: Option<PathBuf>,
}

pub(crate) fn run(arguments: &ConvertArgs, precedence: Precedence) -> anyhow::Result<()> {
    let mut flags = arguments.sign_in.clone();
    // Only the login method is read from the environment; the rest is read when kubectl runs the plugin.
    let way = |name: &str| std::env::var_os(name).filter(|_| name == "AAD_LOGIN_METHOD");
    flags.read_environment(precedence, way)?;
    flags.check()?;
    let files = default_paths(arguments.kubeconfig.as_deref())?;
    if let Some(named) = arguments.kubeconfig.as_ref().filter(|named| !named.exists()) {
        bail!("--kubeconfig: there is no {}", named.display());
    }
    let only = match &arguments.context {
        None => None,
        Some(wanted) => Some(user_of(wanted, &files)?),
    };
    let program = program(precedence);
    // An `auth-provider` entry names no authority: the session's server is used.
    let session = Session::find().ok().flatten();
    for path in &files {
        let changed = Kubeconfig::change(path, |config| {
            let users = config.users.iter_mut().flatten();
            let wanted = users.filter(|user| only.as_ref().is_none_or(|only| user.name == *only));
            let convert = |user| {
                convert(user, &flags, arguments.azure_config_dir.as_deref(), &program, session.as_ref())
            };
            Ok(wanted.map(convert).filter(|changed| *changed).count())
        })?;
        let shown = path.display();
        match changed {
            0 => output::say(format_args!(
                "Changed nothing in {shown}: none of its users signs in by kubelogin or portcullis"
            )),
            1 => output::say(format_args!("Changed 1 user in {shown}")),
            more => output::say(format_args!("Changed {more} users in {shown}")),
        }
    }
    Ok(())
}

/// The user of a context.
fn user_of(context: &str, files: &[PathBuf]) -> anyhow::Result<String> {
    let mut known: Vec<Named> = Vec::new();
    for path in files {
        known.extend(Kubeconfig::read(path)?.contexts.into_iter().flatten());
    }
    let found = known.iter().find(|each| each.name == context);
    match found.and_then(|each| each.content.get("context")?.get("user")?.as_str()) {
        Some(user) => Ok(user.to_owned()),
        None => {
            let names: Vec<&str> = known.iter().map(|each| each.name.as_str()).collect();
            let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            bail!("--context: no context is named \"{context}\": there are {there}")
        }
    }
}

/// Changes a user that uses this program or kubelogin as its credential plugin; others are left unchanged.
fn convert(
    user: &mut Named,
    flags: &SignInArgs,
    azure_config: Option<&Path>,
    program: &str,
    session: Option<&Session>,
) -> bool {
    let old = match arguments_of_provider(user) {
        Some(mut old) => {
            let authority = session.map(|session| ["--authority-host".to_owned(), session.url.clone()]);
            old.extend(authority.into_iter().flatten());
            // The old entry's tokens are removed: the plugin caches its own.
            user.content.insert("user".into(), json!({"exec": plugin_entry(session)}));
            old
        }
        None => arguments_of(user),
    };
    if !old.iter().any(|each| each == "get-token") {
        return false;
    }
    let Some(exec) = exec_of(user) else { return false };
    exec.insert("args".into(), json!(plugin_arguments(flags, &old)));
    exec.insert("command".into(), program.into());
    if let (LoginMode::Azurecli, Some(directory)) = (flags.mode(), azure_config) {
        set_variable(exec, "AZURE_CONFIG_DIR", &directory.to_string_lossy());
    }
    true
}

/// The plugin's arguments: the previous ones that the new login method needs, and the given flags. Secrets of the
/// previous method are removed.
fn plugin_arguments(flags: &SignInArgs, old: &[String]) -> Vec<String> {
    let kept = |flag: &str| old.iter().skip_while(|each| *each != flag).nth(1).cloned();
    let either = |given: &Option<String>, flag: &str| given.clone().or_else(|| kept(flag));
    let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
    let secret = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    let mode = flags.mode();
    let own_client = matches!(mode, LoginMode::Spn | LoginMode::Workloadidentity);
    // kubelogin's own client id is public: not valid for methods that need an application credential.
    let client = either(&flags.client_id, "--client-id")
        .filter(|client| !(own_client && client.eq_ignore_ascii_case(KUBELOGIN_CLIENT_ID)));
    // az is already signed in to a tenant, and for some identities refuses to use another.
    let of_az = mode == LoginMode::Azurecli;
    let tenant = if of_az { flags.tenant_id.clone() } else { either(&flags.tenant_id, "--tenant-id") };
    let only = |wanted: LoginMode, value: Option<String>| value.filter(|_| mode == wanted);
    let cache =
        text(&flags.token_cache_dir).or_else(|| kept("--token-cache-dir")).or_else(|| kept("--cache-dir"));
    let login = mode.name().unwrap_or_default();
    let mut arguments = vec!["get-token".to_owned(), "--login".to_owned(), login];
    for (flag, value) in [
        ("--server-id", either(&flags.server_id, "--server-id")),
        ("--client-id", client.filter(|_| !of_az)),
        ("--tenant-id", tenant),
        // Kept for every method, so that a later conversion still finds it.
        ("--authority-host", either(&flags.authority_host, "--authority-host")),
        ("--token-cache-dir", cache),
        ("--client-secret", only(LoginMode::Spn, secret(&flags.client_secret))),
        ("--client-certificate", only(LoginMode::Spn, text(&flags.client_certificate))),
        ("--username", only(LoginMode::Ropc, flags.username.clone())),
        ("--password", only(LoginMode::Ropc, secret(&flags.password))),
        ("--federated-token-file", only(LoginMode::Workloadidentity, text(&flags.federated_token_file))),
        ("--redirect-url", only(LoginMode::Interactive, either(&flags.redirect_url, "--redirect-url"))),
        ("--login-hint", only(LoginMode::Interactive, either(&flags.login_hint, "--login-hint"))),
        ("--timeout", only(LoginMode::Azurecli, flags.timeout.clone())),
        ("--subscription", only(LoginMode::Azurecli, either(&flags.subscription, "--subscription"))),
    ] {
        if let Some(value) = value {
            arguments.extend([flag.to_owned(), value]);
        }
    }
    for (flag, given) in [
        ("--disable-environment-override", flags.disable_environment_override),
        ("--use-azurerm-env-vars", flags.use_azurerm_env_vars),
    ] {
        if given || old.iter().any(|each| each == flag) {
            arguments.push(flag.to_owned());
        }
    }
    arguments
}

/// Makes a user sign in with the session of this program.
pub(crate) fn use_session(user: &mut Named, session: &Session) {
    let args = [
        "get-token",
        "--login",
        "portcullis",
        "--server-id",
        CLUSTER_SERVER_ID,
        "--client-id",
        KUBELOGIN_CLIENT_ID,
        "--tenant-id",
        &session.tenant,
        "--authority-host",
        &session.url,
    ];
    let mut exec = plugin_entry(Some(session));
    if let Some(members) = exec.as_object_mut() {
        members.insert("command".into(), program(Precedence::Flag).into());
        members.insert("args".into(), json!(args));
    }
    user.content.insert("user".into(), json!({"exec": exec}));
}

/// Converts an `auth-provider` named `azure` (kubectl up to 1.25) to plugin arguments. Its audience format
/// (`config-mode`) is ignored: tokens never have the prefix `spn:`.
fn arguments_of_provider(user: &Named) -> Option<Vec<String>> {
    let provider = user.content.get("user")?.get("auth-provider")?;
    provider.get("name").and_then(Value::as_str).filter(|name| *name == "azure")?;
    let config = provider.get("config");
    let said = |member: &str| config.and_then(|config| config.get(member)).and_then(Value::as_str);
    let mut arguments = vec!["get-token".to_owned()];
    for (flag, member) in
        [("--server-id", "apiserver-id"), ("--client-id", "client-id"), ("--tenant-id", "tenant-id")]
    {
        if let Some(value) = said(member).filter(|value| !value.is_empty()) {
            arguments.extend([flag.to_owned(), value.to_owned()]);
        }
    }
    Some(arguments)
}

/// A plugin entry that trusts the session's server CA, without arguments yet.
fn plugin_entry(session: Option<&Session>) -> Value {
    let authority = session.and_then(|session| session.certificate_authority.as_ref());
    let variables = authority.map(|pem| json!([{"name": CA_DATA, "value": STANDARD.encode(pem)}]));
    json!({
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "env": variables,
        "interactiveMode": "IfAvailable",
        "provideClusterInfo": false,
    })
}

fn arguments_of(user: &Named) -> Vec<String> {
    let args = user.content.get("user").and_then(|user| user.pointer("/exec/args")).and_then(Value::as_array);
    args.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn exec_of(user: &mut Named) -> Option<&mut Map<String, Value>> {
    user.content.get_mut("user")?.get_mut("exec")?.as_object_mut()
}

fn set_variable(exec: &mut Map<String, Value>, name: &str, value: &str) {
    let mut variables = exec.get("env").and_then(Value::as_array).cloned().unwrap_or_default();
    variables.retain(|each| each.get("name").and_then(Value::as_str) != Some(name));
    variables.push(json!({"name": name, "value": value}));
    exec.insert("env".into(), Value::Array(variables));
}

/// The command for kubectl: the program's name if it is found in `PATH`, else its path. The name under which it was
/// started is kept, because it determines the precedence of environment variables.
fn program(precedence: Precedence) -> String {
    let name = match precedence {
        Precedence::Flag => "portcullis",
        Precedence::Environment => "kubelogin",
    };
    let own = std::env::current_exe().and_then(|path| path.canonicalize());
    let Ok(own) = own else { return name.to_owned() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first =
        std::env::split_paths(&path).map(|place| place.join(name)).find(|candidate| candidate.is_file());
    if first.and_then(|found| found.canonicalize().ok()).is_some_and(|found| found == own) {
        return name.to_owned();
    }
    let started = std::env::args_os().next().map(PathBuf::from);
    let started = started.filter(|started| started.file_name().is_some_and(|last| last == name));
    let absolute = started.and_then(|started| std::path::absolute(started).ok());
    let absolute = absolute.filter(|place| place.canonicalize().is_ok_and(|found| found == own));
    absolute.unwrap_or(own).to_string_lossy().into_owned()
}

const EXAMPLES: &str = "\
Examples:
  portcullis convert-kubeconfig --login azurecli
  portcullis convert-kubeconfig --login spn --client-id ID --kubeconfig build.yaml
  portcullis convert-kubeconfig --login portcullis --context c1

Secrets are better given in the environment when kubectl runs (AAD_SERVICE_PRINCIPAL_CLIENT_SECRET,
AAD_USER_PRINCIPAL_PASSWORD) than written into the file.";

#[cfg(test)]
mod tests;
