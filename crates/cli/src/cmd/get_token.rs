//! `portcullis get-token`: the credential plugin that kubectl runs, with kubelogin's flags.
//!
//! ```text
//! flags and environment ─► session of `portcullis login` ─► token
//!                       └► cache entry, locked ─► fresh? renewed? signed in anew? ─► token, kept
//! ```

pub mod flags;
mod flows;

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use jiff::Timestamp;

use crate::{
    authority::{Authority, Refused, http_client},
    exec_credential, output,
    session::Session,
    token_cache::{CacheEntry, CacheKey},
};
use flags::{ANY_TENANT, LoginMode, Precedence, SignInArgs};

#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct GetTokenArgs {
    #[command(flatten)]
    sign_in: SignInArgs,
}

pub(crate) async fn run(arguments: GetTokenArgs, precedence: Precedence) -> anyhow::Result<()> {
    let mut arguments = arguments.sign_in;
    arguments.read_environment(precedence, |name| std::env::var_os(name))?;
    arguments.check()?;
    let (token, expires) = token(&arguments).await?;
    output::say(format_args!("{}", exec_credential::render(exec_credential::version(), &token, expires)));
    Ok(())
}

async fn token(arguments: &SignInArgs) -> anyhow::Result<(String, Timestamp)> {
    if arguments.mode() == LoginMode::Portcullis
        && let Some(session) = Session::find()?
    {
        if fits(arguments, &session) {
            return session.cluster_token(arguments.server()).await;
        }
        if arguments.authority_host.is_none() {
            bail!(
                "you are signed in to the tenant {} of {}, not to {}: sign in there with `portcullis login --tenant {}`",
                session.tenant,
                session.url,
                arguments.tenant(),
                arguments.tenant()
            );
        }
    }
    if arguments.mode() == LoginMode::Azurecli {
        return flows::from_az(arguments).await;
    }
    let base = arguments
        .authority_host
        .as_deref()
        .context("give the address of the authority with --authority-host or AZURE_AUTHORITY_HOST")?;
    let client = arguments.client()?;
    let entry = CacheEntry::open(cache_key(arguments, base, client), arguments.token_cache_dir.clone())?;
    let cached = entry.read();
    if let Some(cached) = cached.as_ref().filter(|cached| cached.is_fresh()) {
        return Ok((cached.access_token.clone(), cached.expires));
    }
    let place = entry.prepare()?;
    let http = http_client(authority_certificate()?.as_deref())?;
    let authority = Authority::new(http, base, arguments.tenant())?;
    let tokens = match cached.and_then(|cached| cached.refresh_token) {
        None => flows::sign_in(arguments, &authority, client).await?,
        Some(refresh) => match flows::renew(arguments, &authority, client, &refresh).await {
            Ok(tokens) => tokens,
            // A new sign-in only if the authority has ended the session, not if it is unreachable.
            Err(error) if error.downcast_ref::<Refused>().is_some_and(Refused::asks_for_sign_in) => {
                flows::sign_in(arguments, &authority, client).await?
            }
            Err(error) => return Err(error),
        },
    };
    let expires = tokens.expires();
    entry.write(place, &tokens.access_token, expires, tokens.refresh_token.clone())?;
    Ok((tokens.access_token, expires))
}

fn cache_key(arguments: &SignInArgs, base: &str, client: &str) -> CacheKey {
    CacheKey {
        authority: base.trim_end_matches('/').to_owned(),
        tenant: arguments.tenant().to_owned(),
        client: client.to_owned(),
        server: arguments.server().to_owned(),
        mode: format!("{:?}", arguments.mode()),
        user: arguments.username.clone().unwrap_or_default(),
    }
}

/// Whether the session is for this authority and tenant.
fn fits(arguments: &SignInArgs, session: &Session) -> bool {
    let same_authority = arguments
        .authority_host
        .as_ref()
        .is_none_or(|host| host.trim_end_matches('/').eq_ignore_ascii_case(&session.url));
    let tenant = arguments.tenant();
    same_authority && (tenant == ANY_TENANT || tenant.eq_ignore_ascii_case(&session.tenant))
}

/// The CA of the authority, from the environment variable that the kubeconfig sets, or from a file.
fn authority_certificate() -> anyhow::Result<Option<String>> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    if let Ok(data) = std::env::var(CA_DATA) {
        let bytes = STANDARD.decode(data.trim()).with_context(|| format!("{CA_DATA} is not base64"))?;
        return String::from_utf8(bytes).map(Some).with_context(|| format!("{CA_DATA} is not PEM"));
    }
    match std::env::var_os("SSL_CERT_FILE") {
        Some(file) => {
            let file = PathBuf::from(file);
            std::fs::read_to_string(&file).map(Some).with_context(|| format!("reading {}", file.display()))
        }
        None => Ok(None),
    }
}

/// The environment variable with the server's CA: base64 of PEM.
pub(crate) const CA_DATA: &str = "PORTCULLIS_CA_DATA";

const EXAMPLES: &str = "\
Examples:
  portcullis get-token --login portcullis
  portcullis get-token --login devicecode --authority-host https://localhost:8443
  portcullis get-token --login spn --client-id ID --client-certificate build.pem --authority-host https://localhost:8443

kubectl calls this by itself: `portcullis cluster credentials` writes it into the kubeconfig, and
`portcullis convert-kubeconfig` changes it. A server whose certificate the system does not know is trusted by
SSL_CERT_FILE. Started under the name kubelogin (`ln -s`), an environment variable wins over a flag, as it does there.";
