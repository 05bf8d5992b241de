//! The login methods. [`super`] caches their tokens.

use std::{io::IsTerminal, process::Stdio, time::Duration};

use anyhow::{Context, bail};
use jiff::Timestamp;
use serde_json::Value;

use super::flags::{ANY_TENANT, LoginMode, Secret, SignInArgs};
use crate::{
    authority::{Authority, Tokens},
    login::{assertion, browser},
};

/// Signs in by the selected method.
pub(super) async fn sign_in(
    arguments: &SignInArgs,
    authority: &Authority,
    client: &str,
) -> anyhow::Result<Tokens> {
    let scope = format!("{}/.default", arguments.server());
    let personal = personal(&scope);
    match arguments.mode() {
        LoginMode::Portcullis if !somebody_reads() => {
            bail!(
                "you are not signed in, and nobody could enter a code here: run `{}` first",
                login_at(arguments)
            )
        }
        LoginMode::Devicecode if !somebody_reads() => {
            bail!("nobody could read a device code here: {}", elsewhere(arguments))
        }
        LoginMode::Interactive if !somebody_reads() && !browser::can_open() => {
            bail!("there is no browser here, and nobody could read an address: {}", elsewhere(arguments))
        }
        LoginMode::Portcullis | LoginMode::Devicecode => authority.device_code(client, &personal).await,
        LoginMode::Interactive => {
            let place = browser::BrowserTarget {
                redirect: arguments.redirect_url.as_deref(),
                login_hint: arguments.login_hint.as_deref(),
            };
            browser::sign_in(authority, client, &personal, place).await
        }
        LoginMode::Ropc => {
            let user = arguments.username.as_deref();
            let user = user.context("--login ropc needs --username or AAD_USER_PRINCIPAL_NAME")?;
            let password = arguments.password.as_ref().map(Secret::expose);
            let password =
                password.context("--login ropc needs AAD_USER_PRINCIPAL_PASSWORD or --password")?;
            let form = [
                ("grant_type", "password"),
                ("client_id", client),
                ("username", user),
                ("password", password),
                ("scope", personal.as_str()),
            ];
            authority.token(&form).await
        }
        LoginMode::Spn => match (&arguments.client_secret, &arguments.client_certificate) {
            (Some(secret), None) => {
                let form = [
                    ("grant_type", "client_credentials"),
                    ("client_id", client),
                    ("client_secret", secret.expose()),
                    ("scope", scope.as_str()),
                ];
                authority.token(&form).await
            }
            (None, Some(file)) => {
                let assertion = assertion::sign(file, client, authority.address("token")?.as_str())?;
                authority.by_assertion(client, &assertion, &scope).await
            }
            (None, None) => bail!(
                "--login spn needs AAD_SERVICE_PRINCIPAL_CLIENT_SECRET, --client-secret or --client-certificate"
            ),
            (Some(_), Some(_)) => bail!("--login spn takes a secret or a certificate, not both"),
        },
        LoginMode::Workloadidentity => {
            let file = arguments.federated_token_file.as_ref();
            let file = file.context(
                "--login workloadidentity needs --federated-token-file or AZURE_FEDERATED_TOKEN_FILE",
            )?;
            authority.by_assertion(client, &assertion::federated(file)?, &scope).await
        }
        LoginMode::Azurecli | LoginMode::Msi | LoginMode::Azd | LoginMode::Azurepipelines => {
            bail!("this way of signing in does not ask the authority itself")
        }
    }
}

/// Redeems a refresh token, which is replaced by a new one.
pub(super) async fn renew(
    arguments: &SignInArgs,
    authority: &Authority,
    client: &str,
    refresh: &str,
) -> anyhow::Result<Tokens> {
    let scope = personal(&format!("{}/.default", arguments.server()));
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", client),
        ("refresh_token", refresh),
        ("scope", scope.as_str()),
    ];
    authority.token(&form).await
}

/// Gets a token from `az`, which has its own cache.
pub(super) async fn from_az(arguments: &SignInArgs) -> anyhow::Result<(String, Timestamp)> {
    let mut command = tokio::process::Command::new("az");
    command.args(["account", "get-access-token", "--resource", arguments.server(), "--output", "json"]);
    // az accepts only one of them: the subscription determines the tenant.
    match &arguments.subscription {
        Some(subscription) => drop(command.args(["--subscription", subscription])),
        None if arguments.tenant() != ANY_TENANT => drop(command.args(["--tenant", arguments.tenant()])),
        None => {}
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    let patience: Duration = arguments.patience()?;
    let output = tokio::time::timeout(patience, command.output()).await;
    let output = output.with_context(|| {
        format!("az gave no answer within {} seconds: allow more with --timeout", patience.as_secs())
    })?;
    let output = output.context("running az: is the Azure CLI installed?")?;
    if !output.status.success() {
        bail!("az gave no token: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let answer: Value =
        serde_json::from_slice(&output.stdout).context("az gave an answer that is not understood")?;
    let token = answer.get("accessToken").and_then(Value::as_str).context("az gave no token")?;
    let seconds = answer.get("expires_on").and_then(Value::as_i64).unwrap_or(0);
    Ok((token.to_owned(), Timestamp::from_second(seconds).unwrap_or(Timestamp::now())))
}

/// Whether a user can see messages: a plugin's standard error is kubectl's.
fn somebody_reads() -> bool {
    std::io::stderr().is_terminal()
}

/// The advice for an error without a terminal: commands to run in one.
fn elsewhere(arguments: &SignInArgs) -> String {
    format!(
        "type the same command in a terminal, or run `{}` once, and `portcullis convert-kubeconfig --login portcullis`",
        login_at(arguments)
    )
}

fn login_at(arguments: &SignInArgs) -> String {
    let host = arguments.authority_host.as_deref().unwrap_or("URL").trim_end_matches('/');
    format!("portcullis login --url {host}")
}

fn personal(scope: &str) -> String {
    format!("{scope} openid profile offline_access")
}
