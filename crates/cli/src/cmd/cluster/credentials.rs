//! What `portcullis cluster credentials` writes: the server's kubeconfig, merged into one that is there.

use std::path::Path;

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    client::{CLUSTERS, Client},
    cmd::convert,
    kubeconfig::Kubeconfig,
    output,
};

/// The server's kubeconfig; for a person with this program as its credential plugin.
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

/// Names the context as asked; for administrators with `-admin` at its end, as az does.
pub(super) fn name_context(config: &mut Kubeconfig, cluster: &str, admin: bool, context: Option<String>) {
    let wanted = context.unwrap_or_else(|| format!("{cluster}{}", if admin { "-admin" } else { "" }));
    if let Some(first) = config.contexts.iter_mut().flatten().next() {
        first.name.clone_from(&wanted);
        config.current_context = wanted;
    }
}

/// Adds the entries to a file; the others in it stay. `-` is standard output.
pub(super) fn write(config: Kubeconfig, file: &Path, overwrite: bool) -> anyhow::Result<()> {
    if file == Path::new("-") {
        output::print(config.render()?.as_bytes());
        return Ok(());
    }
    let context = config.current_context.clone();
    Kubeconfig::change(file, |known| known.merge(config, overwrite))?;
    println!("Merged \"{context}\" as current context in {}", file.display());
    Ok(())
}
