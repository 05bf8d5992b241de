//! `portcullis convert-kubeconfig`: changes how the users of a kubeconfig sign in, as kubelogin's command of
//! that name does.

use std::path::PathBuf;

use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::get_token::{CA_DATA, LoginMode};
use crate::{
    authority::{CLUSTER_SERVER_ID, KUBELOGIN_CLIENT_ID},
    kubeconfig::{Kubeconfig, Named, default_path},
    session::Session,
};

#[derive(Args, Clone, Debug)]
pub struct ConvertArgs {
    /// How to sign in
    #[arg(short, long, value_enum)]
    login: LoginMode,
    /// Kubeconfig to change [default: the first of $KUBECONFIG, or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Change the user of this context alone
    #[arg(long)]
    context: Option<String>,
    #[arg(long)]
    client_id: Option<String>,
    #[arg(long)]
    client_secret: Option<String>,
    #[arg(long)]
    client_certificate: Option<String>,
    #[arg(long)]
    username: Option<String>,
    #[arg(long)]
    password: Option<String>,
    #[arg(long)]
    tenant_id: Option<String>,
    #[arg(long)]
    server_id: Option<String>,
    #[arg(long)]
    authority_host: Option<String>,
    #[arg(long)]
    federated_token_file: Option<String>,
    #[arg(long)]
    token_cache_dir: Option<String>,
}

pub(crate) fn run(arguments: &ConvertArgs) -> anyhow::Result<()> {
    let path = default_path(arguments.kubeconfig.as_deref())?;
    let mut config = Kubeconfig::read(&path)?;
    let only = arguments.context.as_ref().map(|wanted| {
        let context = config.contexts.iter().flatten().find(|each| each.name == *wanted);
        context
            .and_then(|each| each.content.get("context")?.get("user")?.as_str())
            .unwrap_or_default()
            .to_owned()
    });
    let mut changed = 0;
    for user in
        config.users.iter_mut().flatten().filter(|user| only.as_ref().is_none_or(|only| user.name == *only))
    {
        changed += usize::from(convert(user, arguments));
    }
    config.write(&path)?;
    println!("Changed {changed} users in {}", path.display());
    Ok(())
}

/// Changes an entry that signs in by a credential plugin of ours or kubelogin's; others stay.
fn convert(user: &mut Named, arguments: &ConvertArgs) -> bool {
    let old = arguments_of(user);
    if !old.iter().any(|each| each == "get-token") {
        return false;
    }
    let kept =
        |flag: &str| old.iter().position(|each| each == flag).and_then(|place| old.get(place + 1).cloned());
    let login =
        arguments.login.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let mut args = vec!["get-token".to_owned(), "--login".to_owned(), login];
    let own_client = matches!(arguments.login, LoginMode::Spn | LoginMode::Workloadidentity);
    let client = arguments.client_id.clone().or_else(|| kept("--client-id").filter(|_| !own_client));
    for (flag, value) in [
        ("--server-id", arguments.server_id.clone().or_else(|| kept("--server-id"))),
        ("--client-id", client),
        ("--tenant-id", arguments.tenant_id.clone().or_else(|| kept("--tenant-id"))),
        ("--authority-host", arguments.authority_host.clone().or_else(|| kept("--authority-host"))),
        ("--client-secret", arguments.client_secret.clone()),
        ("--client-certificate", arguments.client_certificate.clone()),
        ("--username", arguments.username.clone()),
        ("--password", arguments.password.clone()),
        ("--federated-token-file", arguments.federated_token_file.clone()),
        ("--token-cache-dir", arguments.token_cache_dir.clone()),
    ] {
        if let Some(value) = value {
            args.extend([flag.to_owned(), value]);
        }
    }
    if let Some(exec) = exec_of(user) {
        exec.insert("args".into(), json!(args));
        exec.insert("command".into(), program().into());
    }
    true
}

/// Makes an entry sign in by the session of this program.
pub(crate) fn use_session(user: &mut Named, session: &Session) -> anyhow::Result<()> {
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
    let ca = session.certificate_authority.as_ref().map(|pem| STANDARD.encode(pem));
    let env = ca.map(|ca| json!([{"name": CA_DATA, "value": ca}])).unwrap_or(Value::Null);
    let exec = json!({
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": program(),
        "args": args,
        "env": env,
        "interactiveMode": "IfAvailable",
        "provideClusterInfo": false,
    });
    user.content.insert("user".into(), json!({"exec": exec}));
    Ok(())
}

fn arguments_of(user: &Named) -> Vec<String> {
    let args = user.content.get("user").and_then(|user| user.pointer("/exec/args")).and_then(Value::as_array);
    args.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn exec_of(user: &mut Named) -> Option<&mut serde_json::Map<String, Value>> {
    user.content.get_mut("user")?.get_mut("exec")?.as_object_mut()
}

/// How kubectl is to call this program: by its name, where that leads here, else by its place.
fn program() -> String {
    let own = std::env::current_exe().and_then(|path| path.canonicalize());
    let Ok(own) = own else { return NAME.to_owned() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first =
        std::env::split_paths(&path).map(|place| place.join(NAME)).find(|candidate| candidate.is_file());
    match first.and_then(|found| found.canonicalize().ok()) {
        Some(found) if found == own => NAME.to_owned(),
        _ => own.to_string_lossy().into_owned(),
    }
}

const NAME: &str = "portcullis";
