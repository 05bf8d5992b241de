//! `portcullis get-token`: the credential plugin that kubectl runs, with kubelogin's flags.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use crate::{
    authority::{Authority, CLIENT_ID, CLUSTER_SERVER_ID, KUBELOGIN_CLIENT_ID, Tokens, http_client},
    exec_credential,
    login::{assertion, browser},
    session::Session,
    token_cache::{CacheEntry, CacheKey},
};

#[derive(Args, Clone, Debug)]
pub struct GetTokenArgs {
    /// How to sign in
    #[arg(short, long, value_enum, env = "AAD_LOGIN_METHOD", default_value_t = LoginMode::Devicecode)]
    pub(crate) login: LoginMode,
    /// Application id of the cluster's server: the audience of the token
    #[arg(long, default_value = CLUSTER_SERVER_ID)]
    server_id: String,
    /// Application id of the client
    #[arg(long, env = "AAD_SERVICE_PRINCIPAL_CLIENT_ID")]
    client_id: Option<String>,
    #[arg(long, env = "AAD_SERVICE_PRINCIPAL_CLIENT_SECRET", hide_env_values = true)]
    client_secret: Option<String>,
    /// Certificate and private key of the client (PEM)
    #[arg(long, value_name = "FILE", env = "AAD_SERVICE_PRINCIPAL_CLIENT_CERTIFICATE")]
    client_certificate: Option<PathBuf>,
    #[arg(short, long, env = "AZURE_TENANT_ID", default_value = "organizations")]
    tenant_id: String,
    /// Address of the authority
    #[arg(long, env = "AZURE_AUTHORITY_HOST")]
    authority_host: Option<String>,
    #[arg(long, env = "AAD_USER_PRINCIPAL_NAME")]
    username: Option<String>,
    #[arg(long, env = "AAD_USER_PRINCIPAL_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// File with the token of a workload identity
    #[arg(long, value_name = "FILE", env = "AZURE_FEDERATED_TOKEN_FILE")]
    federated_token_file: Option<PathBuf>,
    /// Where tokens are kept [default: the user's cache directory]
    #[arg(long, value_name = "DIR")]
    token_cache_dir: Option<PathBuf>,
    /// Taken for kubelogin's sake; the authority is named by --authority-host
    #[arg(short, long, default_value = "AzurePublicCloud", hide = true)]
    environment: String,
    /// Taken for kubelogin's sake
    #[arg(long, hide = true)]
    legacy: bool,
    /// Taken for kubelogin's sake
    #[arg(long, hide = true)]
    use_azurerm_env_vars: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LoginMode {
    /// The session of `portcullis login`
    Portcullis,
    Devicecode,
    /// The browser of this machine
    Interactive,
    /// Service principal
    Spn,
    /// User name and password
    Ropc,
    Workloadidentity,
    Azurecli,
    Msi,
}

pub async fn run(arguments: GetTokenArgs) -> anyhow::Result<()> {
    let (token, expires) = token(&arguments).await?;
    println!("{}", exec_credential::render(exec_credential::version(), &token, expires));
    Ok(())
}

async fn token(arguments: &GetTokenArgs) -> anyhow::Result<(String, Timestamp)> {
    if arguments.login == LoginMode::Portcullis
        && let Some(session) = Session::find()?.filter(|session| arguments.fits(session))
    {
        return session.cluster_token(&arguments.server_id).await;
    }
    if arguments.login == LoginMode::Azurecli {
        return from_az(arguments);
    }
    let base = arguments
        .authority_host
        .as_deref()
        .context("give the address of the authority with --authority-host")?;
    let authority =
        Authority::new(http_client(authority_certificate()?.as_deref())?, base, &arguments.tenant_id);
    let client = arguments.client();
    let entry = CacheEntry::open(arguments.cache_key(base, &client), arguments.token_cache_dir.clone())?;
    let scope = format!("{}/.default", arguments.server_id);
    let cached = entry.read();
    if let Some(cached) = cached.as_ref().filter(|cached| cached.is_fresh()) {
        return Ok((cached.access_token.clone(), cached.expires));
    }
    let refresh = cached.and_then(|cached| cached.refresh_token);
    let renewed = match refresh {
        Some(refresh) => renew(&authority, &client, &refresh, &scope).await.ok(),
        None => None,
    };
    let tokens = match renewed {
        Some(tokens) => tokens,
        None => arguments.sign_in(&authority, &client, &scope).await?,
    };
    let expires = tokens.expires();
    entry.write(&tokens.access_token, expires, tokens.refresh_token.clone())?;
    Ok((tokens.access_token, expires))
}

impl GetTokenArgs {
    async fn sign_in(&self, authority: &Authority, client: &str, scope: &str) -> anyhow::Result<Tokens> {
        let personal = format!("{scope} openid profile offline_access");
        match self.login {
            LoginMode::Portcullis | LoginMode::Devicecode => authority.device_code(client, &personal).await,
            LoginMode::Interactive => browser::sign_in(authority, client, &personal).await,
            LoginMode::Ropc => {
                let user = self.username.as_deref().context("--login ropc needs --username")?;
                let password = self
                    .password
                    .as_deref()
                    .context("--login ropc needs --password or AAD_USER_PRINCIPAL_PASSWORD")?;
                let form = [
                    ("grant_type", "password"),
                    ("client_id", client),
                    ("username", user),
                    ("password", password),
                    ("scope", personal.as_str()),
                ];
                authority.token(&form).await
            }
            LoginMode::Spn => match (&self.client_secret, &self.client_certificate) {
                (Some(secret), None) => {
                    let form = [
                        ("grant_type", "client_credentials"),
                        ("client_id", client),
                        ("client_secret", secret.as_str()),
                        ("scope", scope),
                    ];
                    authority.token(&form).await
                }
                (None, Some(file)) => {
                    let assertion = assertion::sign(file, client, &authority.address("token"))?;
                    by_assertion(authority, client, &assertion, scope).await
                }
                _ => bail!("--login spn needs --client-secret or --client-certificate, one of them"),
            },
            LoginMode::Workloadidentity => {
                let file = self.federated_token_file.as_ref();
                let file = file.context(
                    "--login workloadidentity needs --federated-token-file or AZURE_FEDERATED_TOKEN_FILE",
                )?;
                let token =
                    std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
                by_assertion(authority, client, token.trim(), scope).await
            }
            LoginMode::Azurecli => bail!("the Azure CLI signs in by itself"),
            LoginMode::Msi => bail!("--login msi is not supported: use workloadidentity"),
        }
    }

    fn client(&self) -> String {
        let named = self.client_id.as_deref().unwrap_or(KUBELOGIN_CLIENT_ID);
        // Kubelogin's client may not send passwords; this program's own may.
        if self.login == LoginMode::Ropc && named.eq_ignore_ascii_case(KUBELOGIN_CLIENT_ID) {
            return CLIENT_ID.to_owned();
        }
        named.to_owned()
    }

    fn cache_key(&self, base: &str, client: &str) -> CacheKey {
        CacheKey {
            authority: base.trim_end_matches('/').to_owned(),
            tenant: self.tenant_id.clone(),
            client: client.to_owned(),
            server: self.server_id.clone(),
            mode: format!("{:?}", self.login),
            user: self.username.clone().unwrap_or_default(),
        }
    }

    /// Whether the session is one with this authority and tenant.
    fn fits(&self, session: &Session) -> bool {
        let same_authority = self
            .authority_host
            .as_ref()
            .is_none_or(|host| host.trim_end_matches('/').eq_ignore_ascii_case(&session.url));
        same_authority
            && (self.tenant_id == "organizations" || self.tenant_id.eq_ignore_ascii_case(&session.tenant))
    }
}

async fn renew(authority: &Authority, client: &str, refresh: &str, scope: &str) -> anyhow::Result<Tokens> {
    let scope = format!("{scope} openid profile offline_access");
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", client),
        ("refresh_token", refresh),
        ("scope", scope.as_str()),
    ];
    authority.token(&form).await
}

async fn by_assertion(
    authority: &Authority,
    client: &str,
    assertion: &str,
    scope: &str,
) -> anyhow::Result<Tokens> {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client),
        ("client_assertion_type", assertion::TYPE),
        ("client_assertion", assertion),
        ("scope", scope),
    ];
    authority.token(&form).await
}

fn from_az(arguments: &GetTokenArgs) -> anyhow::Result<(String, Timestamp)> {
    let mut command = std::process::Command::new("az");
    command.args(["account", "get-access-token", "--resource", &arguments.server_id, "--output", "json"]);
    if arguments.tenant_id != "organizations" {
        command.args(["--tenant", &arguments.tenant_id]);
    }
    let output = command.output().context("running az: is the Azure CLI installed?")?;
    if !output.status.success() {
        bail!("az gave no token: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let answer: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("az gave an answer that is not understood")?;
    let token = answer.get("accessToken").and_then(serde_json::Value::as_str).context("az gave no token")?;
    let seconds = answer.get("expires_on").and_then(serde_json::Value::as_i64).unwrap_or(0);
    Ok((token.to_owned(), Timestamp::from_second(seconds).unwrap_or(Timestamp::now())))
}

/// The authority's certificate: in the environment, where the kubeconfig put it, or in a file.
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

/// Base64 of the PEM text of the authority that signed the server's certificate.
pub(crate) const CA_DATA: &str = "PORTCULLIS_CA_DATA";
