//! `portcullis login`: by device code, in a browser, with a password, or as a service principal.

pub(crate) mod assertion;
pub(crate) mod browser;

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Deserialize;

use crate::{
    address::Server,
    authority::{Authority, CLIENT_ID, Tokens, http_client},
    client::{
        Client,
        subscription::{self, DefaultSubscription},
    },
    output,
    session::{Credential, Session},
};

#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct LoginArgs {
    /// Address of the server, such as https://localhost:8443 [default: that of the last sign-in]
    #[arg(long)]
    url: Option<String>,
    /// Certificate authority of the server (PEM), where the system does not know it [default: that of the last
    /// sign-in there]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Tenant to sign in to, by id or domain
    #[arg(long)]
    tenant: Option<String>,
    /// Sign in as the first administrator, by the file that the server wrote
    #[arg(long, value_name = "FILE", conflicts_with_all = ["url", "ca_file", "username", "browser"])]
    from: Option<PathBuf>,
    /// Sign in with the browser of this machine
    #[arg(long, conflicts_with_all = ["username"])]
    browser: bool,
    /// User principal name; with --service-principal the application's id
    #[arg(long)]
    username: Option<String>,
    /// Read the password, or the application's secret, from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
    /// Sign in as an application
    #[arg(long, requires = "username")]
    service_principal: bool,
    /// Certificate and private key of the application (PEM)
    #[arg(long, value_name = "FILE", requires = "service_principal", conflicts_with = "password_stdin")]
    certificate: Option<PathBuf>,
    /// Token of a workload that the application trusts; it is read again at each renewal
    #[arg(
        long,
        value_name = "FILE",
        requires = "service_principal",
        conflicts_with_all = ["password_stdin", "certificate"]
    )]
    federated_token_file: Option<PathBuf>,
    /// Name or id of the subscription that commands act in [default: that of the file of --from, or the one that was
    /// used at this server before]
    #[arg(long, value_name = "NAME|ID")]
    subscription: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FirstAdmin {
    url: String,
    ca_file: PathBuf,
    tenant_id: String,
    /// Absent until the installation is complete.
    subscription_id: Option<String>,
    user_principal_name: String,
    password: String,
}

pub(crate) async fn run(arguments: LoginArgs) -> anyhow::Result<()> {
    // Checked before the sign-in, so that its result is not lost.
    Session::check_place()?;
    let last = Session::last_server().ok().flatten();
    let (session, of_file) = match &arguments.from {
        Some(file) => from_file(file).await?,
        None => (from_flags(&arguments).await?, None),
    };
    let used = last.filter(|last| last.url == session.url).and_then(|last| last.subscription);
    session.save()?;
    session.remember_server()?;
    output::say(format_args!("Signed in to {} as {}", session.url, session.account));
    choose(arguments.subscription.as_deref(), of_file.or(used).as_deref()).await
}

/// Stores the default subscription of the session, and prints it.
async fn choose(wanted: Option<&str>, known: Option<&str>) -> anyhow::Result<()> {
    let client = Client::open().await?;
    let Some(wanted) = wanted else {
        // Without access to any subscription the directory commands still work.
        let Ok(all) = client.subscriptions().await else { return Ok(()) };
        let Some(DefaultSubscription::Unambiguous(chosen) | DefaultSubscription::FirstOfSeveral(chosen, _)) =
            subscription::usual(&all, known)
        else {
            return Ok(());
        };
        Session::choose(&chosen)?;
        let is_another = known.is_some_and(|known| !known.eq_ignore_ascii_case(&chosen.id));
        if all.len() > 1 || is_another {
            output::say(subscription::default_notice(&chosen, all.len()));
        }
        return Ok(());
    };
    let chosen = subscription::named(&client.subscriptions().await?, wanted)?;
    Session::choose(&chosen)?;
    output::say(format_args!("Commands act in the subscription \"{}\" ({})", chosen.name, chosen.id));
    Ok(())
}

/// Signs in with the file of `--from`; returns the session and the file's subscription id.
async fn from_file(file: &Path) -> anyhow::Result<(Session, Option<String>)> {
    let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let first: FirstAdmin = serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is not the file of a first administrator", file.display()))?;
    let pem = read_pem(&first.ca_file)?;
    let authority = Authority::new(http_client(Some(&pem))?, &first.url, &first.tenant_id)?;
    let scope = scope(&first.url);
    let tokens = password(&authority, &first.user_principal_name, &first.password, &scope).await?;
    Ok((of_person(&first.url, Some(pem), &first.tenant_id, tokens)?, first.subscription_id))
}

async fn from_flags(arguments: &LoginArgs) -> anyhow::Result<Session> {
    let named = arguments.url.as_deref().map(|url| Server::parse(url).context("--url")).transpose()?;
    let last = match &named {
        // The stored data of another server is ignored.
        Some(named) => {
            let last = Session::last_server().ok().flatten();
            last.filter(|last| Server::parse(&last.url).is_ok_and(|last| last == *named))
        }
        None => Session::last_server()?,
    };
    let url = match (named, &last) {
        (Some(named), _) => named.as_text(),
        (None, Some(last)) => last.url.clone(),
        (None, None) => bail!("say which server: `portcullis login --url https://HOST:PORT`"),
    };
    let pem = match &arguments.ca_file {
        Some(file) => Some(read_pem(file)?),
        None => last.as_ref().and_then(|last| last.certificate_authority.clone()),
    };
    // Without `--url` and `--tenant`, the tenant of the last sign-in is used.
    let known = last.filter(|_| arguments.url.is_none()).map(|last| last.tenant);
    let tenant = arguments.tenant.clone().or(known).unwrap_or_else(|| "organizations".to_owned());
    let tenant = tenant.as_str();
    let authority = Authority::new(http_client(pem.as_deref())?, &url, tenant)?;
    let scope = scope(&url);
    let Some(user) = &arguments.username else {
        let tokens = match arguments.browser {
            true => {
                browser::sign_in(&authority, CLIENT_ID, &scope, browser::BrowserTarget::default()).await?
            }
            false => authority.device_code(CLIENT_ID, &scope).await?,
        };
        return of_person(&url, pem, tenant, tokens);
    };
    if arguments.service_principal {
        let client_id = user.clone();
        let absolute =
            |file: &Path| file.canonicalize().with_context(|| format!("opening {}", file.display()));
        let credential = match (&arguments.certificate, &arguments.federated_token_file) {
            (Some(file), _) => Credential::Certificate { client_id, file: absolute(file)? },
            (None, Some(file)) => Credential::FederatedToken { client_id, file: absolute(file)? },
            (None, None) => Credential::ClientSecret { client_id, secret: read_secret(arguments)? },
        };
        let mut session = Session::new(&url, pem, tenant.to_owned(), user.clone(), credential);
        session.prove().await?;
        return Ok(session);
    }
    let secret = read_secret(arguments)?;
    let tokens = password(&authority, user, &secret, &scope).await?;
    of_person(&url, pem, tenant, tokens)
}

fn of_person(url: &str, pem: Option<String>, tenant: &str, tokens: Tokens) -> anyhow::Result<Session> {
    let refresh = tokens.refresh_token.clone().context("the server gave no refresh token")?;
    let tenant = tokens.claim("tid").unwrap_or_else(|| tenant.to_owned());
    let account = tokens.claim("preferred_username").unwrap_or_default();
    let mut session = Session::new(url, pem, tenant, account, Credential::RefreshToken(refresh));
    let scope = session.management_scope();
    session.keep(&scope, &tokens);
    Ok(session)
}

pub(crate) async fn password(
    authority: &Authority,
    user: &str,
    password: &str,
    scope: &str,
) -> anyhow::Result<Tokens> {
    let form = [
        ("grant_type", "password"),
        ("client_id", CLIENT_ID),
        ("username", user),
        ("password", password),
        ("scope", scope),
    ];
    authority.token(&form).await
}

fn scope(url: &str) -> String {
    format!("{}/.default openid profile offline_access", url.trim_end_matches('/'))
}

fn read_secret(arguments: &LoginArgs) -> anyhow::Result<String> {
    if !arguments.password_stdin {
        bail!(
            "--username needs --password-stdin, so that no password stands in the list of processes (for a service principal --certificate or --federated-token-file do as well)"
        );
    }
    read_stdin()
}

/// Reads a line from standard input.
pub(crate) fn read_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().take(64 * 1024).read_to_string(&mut text).context("reading standard input")?;
    let line = text.trim_end_matches(['\r', '\n']).to_owned();
    if line.is_empty() {
        bail!("standard input holds no password");
    }
    Ok(line)
}

fn read_pem(file: &Path) -> anyhow::Result<String> {
    let pem = std::fs::read_to_string(file)
        .with_context(|| format!("reading the certificate authority {}", file.display()))?;
    ensure!(
        pem.contains("-----BEGIN CERTIFICATE-----"),
        "{} holds no certificate in PEM form",
        file.display()
    );
    Ok(pem)
}

const EXAMPLES: &str = "\
Examples:
  portcullis login
  portcullis login --from portcullis-data/first-admin.json
  portcullis login --url https://localhost:8443 --ca-file ca.crt
  portcullis login --url https://localhost:8443 --ca-file ca.crt --browser
  portcullis login --url https://localhost:8443 --username alice@example.org --password-stdin < password.txt
  portcullis login --url https://localhost:8443 --service-principal --username ID --certificate build.pem

Without more it shows a code to enter in any browser, of the server of the last sign-in. The session is kept in
PORTCULLIS_CONFIG_DIR, or ~/.config/portcullis, and renewed by itself. Commands act in one subscription, which
`portcullis subscription set` changes.";
