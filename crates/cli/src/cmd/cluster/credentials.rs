//! `portcullis cluster credentials`: merges the kubeconfig from the server into an existing one.

use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    client::{CLUSTERS, Client},
    cmd::convert,
    files,
    kubeconfig::Kubeconfig,
    output,
};

/// Checks, before an administrator certificate is issued, that the file can take it.
pub(super) fn check_place(file: &Path, path: &str, overwrite: bool) -> anyhow::Result<()> {
    if file == Path::new("-") {
        return Ok(());
    }
    // The user name in the server's kubeconfig.
    let mut segments = path.split('/').skip_while(|segment| !segment.eq_ignore_ascii_case("resourceGroups"));
    let (group, name) = (segments.nth(1).unwrap_or_default(), segments.last().unwrap_or_default());
    Kubeconfig::check_place(file, &format!("clusterAdmin_{group}_{name}"), overwrite)
}

/// The kubeconfig from the server; for users with this program as the credential plugin.
pub(super) async fn pull(client: &Client, path: &str, admin: bool) -> anyhow::Result<Kubeconfig> {
    let action = if admin { "listClusterAdminCredential" } else { "listClusterUserCredential" };
    let answer = client.post(&format!("{path}/{action}?{CLUSTERS}"), &json!({})).await?;
    let value = answer.pointer("/kubeconfigs/0/value").and_then(Value::as_str);
    let bytes = STANDARD
        .decode(value.context("the server gave no kubeconfig")?)
        .context("the server's kubeconfig is not base64")?;
    let mut config =
        Kubeconfig::parse(std::str::from_utf8(&bytes).context("the server's kubeconfig is not UTF-8")?)?;
    if !admin {
        for user in config.users.iter_mut().flatten() {
            convert::use_session(user, &client.session);
        }
    }
    Ok(config)
}

/// Names the context as requested, or by the cluster; with the suffix `-admin` for administrators, like az.
pub(super) fn name_context(config: &mut Kubeconfig, cluster: &str, admin: bool, context: Option<String>) {
    let wanted = context.unwrap_or_else(|| format!("{cluster}{}", if admin { "-admin" } else { "" }));
    if let Some(first) = config.contexts.iter_mut().flatten().next() {
        first.name.clone_from(&wanted);
        config.current_context = wanted;
    }
}

/// Merges the entries into a file; `-` is standard output.
pub(super) fn write(config: Kubeconfig, file: &Path, overwrite: bool) -> anyhow::Result<()> {
    if file == Path::new("-") {
        output::print(config.render()?.as_bytes());
        return Ok(());
    }
    let context = config.current_context.clone();
    let holds_secret = config
        .users
        .iter()
        .flatten()
        .any(|user| user.content.get("user").is_some_and(|user| user.get("client-key-data").is_some()));
    let rescued = config.clone();
    if let Err(error) = Kubeconfig::change(file, |known| known.merge(config, overwrite)) {
        // The certificate is already issued: it must not be lost.
        return Err(match holds_secret.then(|| rescue(file, &rescued)) {
            Some(Ok(place)) => error.context(format!("the new kubeconfig is in {}", place.display())),
            Some(Err(_)) | None => error,
        });
    }
    output::say(format_args!("Merged \"{context}\" as current context in {}", file.display()));
    Ok(())
}

fn rescue(file: &Path, config: &Kubeconfig) -> anyhow::Result<PathBuf> {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    let place = PathBuf::from(name);
    files::replace_private(&place, config.render()?.as_bytes())?;
    Ok(place)
}
