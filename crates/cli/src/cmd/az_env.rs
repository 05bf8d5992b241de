//! `portcullis az-env`: prints shell commands that make `az`, the Azure libraries and `kubectl` use a server:
//! `eval "$(portcullis az-env)"`.
//!
//! It writes a CA bundle beside the session, with the server's CA and this machine's, because the variables that name
//! a bundle replace the trusted CAs of a program; and, if there is no `kubelogin`, this program under that name. It
//! does not sign in.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;

use crate::{
    address::Server,
    files, output,
    session::{self, Session},
};

#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct AzEnvArgs {
    /// Address of the server [default: that of the session]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Certificate authority of the server (PEM), where this machine does not trust it [default: that of the session]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Name of the cloud that `az` registers
    #[arg(long, value_name = "NAME", default_value = "portcullis")]
    cloud: String,
}

pub(crate) fn run(arguments: &AzEnvArgs) -> anyhow::Result<()> {
    let session = Session::find()?;
    let url = match (&arguments.url, &session) {
        (Some(url), _) => Server::parse(url).context("--url")?.as_text(),
        (None, Some(session)) => session.server()?.as_text(),
        (None, None) => {
            bail!("give the address of the server with --url, or sign in with `portcullis login`")
        }
    };
    let session = session.filter(|session| session.url == url);
    let authority = match &arguments.ca_file {
        Some(path) => {
            Some(std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?)
        }
        None => session.as_ref().and_then(|session| session.certificate_authority.clone()),
    };
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if arguments.cloud.is_empty() || !arguments.cloud.chars().all(plain) {
        bail!("--cloud: \"{}\": expected letters, digits, - or _", arguments.cloud);
    }
    let directory = session::directory()?;
    files::private_directory(&directory)?;
    let bundle = authority.map(|authority| write_bundle(&directory, &authority)).transpose()?;
    let plugin = plugin(&directory)?;
    for line in lines(&url, &arguments.cloud, bundle.as_deref(), plugin.as_deref(), session.as_ref()) {
        output::say(format_args!("{line}"));
    }
    Ok(())
}

fn lines(
    url: &str,
    cloud: &str,
    bundle: Option<&Path>,
    plugin: Option<&Path>,
    session: Option<&Session>,
) -> Vec<String> {
    let mut lines = Vec::new();
    let mut export = |name: &str, value: &str| lines.push(format!("export {name}={}", quoted(value)));
    if let Some(bundle) = bundle {
        // One variable each for Python's requests, for OpenSSL, Go and Python's urllib, and for Node.
        for name in ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
            export(name, &bundle.to_string_lossy());
        }
    }
    // Without it each sign-in begins with an instance discovery request to a public host.
    export("AZURE_CORE_INSTANCE_DISCOVERY", "false");
    export("AZURE_AUTHORITY_HOST", url);
    if let Some(session) = session {
        export("AZURE_TENANT_ID", &session.tenant);
    }
    if let Some(plugin) = plugin {
        lines.push(format!("export PATH={}:\"$PATH\"", quoted(&plugin.to_string_lossy())));
    }
    let (address, slash) = (quoted(url), quoted(&format!("{url}/")));
    // `az cloud register` reads the other endpoints from the server; `az cloud update` does not.
    lines.push(format!(
        "if az cloud show -n {cloud} >/dev/null 2>&1; then az cloud update -n {cloud} \
         --endpoint-resource-manager {address} --endpoint-management {slash} --endpoint-active-directory {address} \
         --endpoint-active-directory-resource-id {slash} --endpoint-active-directory-graph-resource-id {address} \
         --endpoint-microsoft-graph-resource-id {slash}; \
         else az cloud register -n {cloud} --endpoint-resource-manager {address}; fi"
    ));
    lines.push(format!("az cloud set -n {cloud} --only-show-errors"));
    lines
}

/// The server's CA and the CAs that this machine trusts.
fn write_bundle(directory: &Path, authority: &str) -> anyhow::Result<PathBuf> {
    if !authority.contains("-----BEGIN CERTIFICATE-----") {
        bail!("--ca-file holds no certificate in PEM form");
    }
    let system = SYSTEM_BUNDLES.iter().find_map(|path| std::fs::read_to_string(path).ok());
    let path = directory.join("ca-bundle.crt");
    let text = format!("{}\n{}", authority.trim_end(), system.unwrap_or_default());
    files::replace_private(&path, text.as_bytes())?;
    Ok(path)
}

/// A directory with this program as `kubelogin`, which kubeconfigs of `az` call. `None` if `kubelogin` is installed.
fn plugin(directory: &Path) -> anyhow::Result<Option<PathBuf>> {
    let own = directory.join("bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut others = std::env::split_paths(&path).filter(|each| *each != own);
    if others.any(|each| each.join("kubelogin").is_file()) {
        return Ok(None);
    }
    files::private_directory(&own)?;
    let link = own.join("kubelogin");
    let program = std::env::current_exe().context("finding this program")?;
    if std::fs::read_link(&link).ok().as_ref() != Some(&program) {
        let _ = std::fs::remove_file(&link);
        symlink(&program, &link).with_context(|| format!("making {}", link.display()))?;
    }
    Ok(Some(own))
}

/// Quotes a text for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

const EXAMPLES: &str = "\
Examples:
  portcullis az-env
  portcullis az-env --url https://localhost:8443 --ca-file portcullis-data/ca.crt

In a shell: eval \"$(portcullis az-env)\", then az login, az aks get-credentials, kubectl.";
