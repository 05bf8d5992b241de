//! The flags and environment variables of kubelogin, shared by `get-token` and `convert-kubeconfig`. Unsupported
//! flags are refused by name; no flag that affects the token is silently ignored.

use std::{ffi::OsString, path::PathBuf, str::FromStr, time::Duration};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use jiff::SignedDuration;

use crate::authority::{CLIENT_ID, CLUSTER_SERVER_ID, KUBELOGIN_CLIENT_ID};

#[derive(Args, Clone, Debug, Default)]
pub struct SignInArgs {
    /// How to sign in [default: devicecode] [env: AAD_LOGIN_METHOD]
    #[arg(short, long, value_enum)]
    pub(crate) login: Option<LoginMode>,
    /// Application id of the cluster's server: the audience of the token [default: that of AKS]
    #[arg(long, value_name = "ID")]
    pub(crate) server_id: Option<String>,
    /// Application id of the client [env: AZURE_CLIENT_ID, AAD_SERVICE_PRINCIPAL_CLIENT_ID]
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// Secret of the client, for spn [env: AZURE_CLIENT_SECRET, AAD_SERVICE_PRINCIPAL_CLIENT_SECRET]
    #[arg(long, value_name = "SECRET")]
    pub(crate) client_secret: Option<Secret>,
    /// Certificate and private key of the client (PEM), for spn [env: AZURE_CLIENT_CERTIFICATE_PATH,
    /// AAD_SERVICE_PRINCIPAL_CLIENT_CERTIFICATE]
    #[arg(long, value_name = "FILE")]
    pub(crate) client_certificate: Option<PathBuf>,
    /// Tenant, by id or domain [default: organizations] [env: AZURE_TENANT_ID]
    #[arg(short, long, value_name = "ID")]
    pub(crate) tenant_id: Option<String>,
    /// Address of the authority, such as https://localhost:8443 [env: AZURE_AUTHORITY_HOST]
    #[arg(long, value_name = "URL")]
    pub(crate) authority_host: Option<String>,
    /// Subscription of the session of az, for azurecli, where az is signed in to several
    #[arg(short, long, value_name = "ID")]
    pub(crate) subscription: Option<String>,
    /// User principal name, for ropc [env: AZURE_USERNAME, AAD_USER_PRINCIPAL_NAME]
    #[arg(long, value_name = "NAME")]
    pub(crate) username: Option<String>,
    /// Password, for ropc; better in the environment [env: AZURE_PASSWORD, AAD_USER_PRINCIPAL_PASSWORD]
    #[arg(long, value_name = "PASSWORD")]
    pub(crate) password: Option<Secret>,
    /// Token of the workload, for workloadidentity [env: AZURE_FEDERATED_TOKEN_FILE]
    #[arg(long, value_name = "FILE")]
    pub(crate) federated_token_file: Option<PathBuf>,
    /// Where tokens are kept [default: portcullis/tokens in the user's cache directory]
    #[arg(long, alias = "cache-dir", value_name = "DIR")]
    pub(crate) token_cache_dir: Option<PathBuf>,
    /// Address that the browser comes back to, for interactive [default: a free port of localhost]
    #[arg(long, value_name = "URL")]
    pub(crate) redirect_url: Option<String>,
    /// User name that the sign-in page shall propose, for interactive
    #[arg(long, value_name = "NAME")]
    pub(crate) login_hint: Option<String>,
    /// How long az may take, for azurecli, such as 30s [default: 60s] [env: AZURE_CLI_TIMEOUT]
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<String>,
    /// Read ARM_CLIENT_ID, ARM_CLIENT_SECRET, ARM_CLIENT_CERTIFICATE_PATH and ARM_TENANT_ID in place of the others
    #[arg(long)]
    pub(crate) use_azurerm_env_vars: bool,
    /// Read none of these environment variables
    #[arg(long)]
    pub(crate) disable_environment_override: bool,
    /// The cloud's name; the authority is named by --authority-host
    #[arg(short, long, value_name = "NAME", hide = true)]
    pub(crate) environment: Option<String>,
    /// Nothing is ever asked of a public host about the authority
    #[arg(long, hide = true)]
    pub(crate) disable_instance_discovery: bool,
    /// Verbosity of kubelogin's log
    #[arg(short, long, value_name = "LEVEL", hide = true)]
    pub(crate) v: Option<u8>,
    /// Refused, see [`SignInArgs::check`]
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "")]
    pub(crate) legacy: Option<String>,
    /// Refused
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "")]
    pub(crate) pop_enabled: Option<String>,
    /// Refused
    #[arg(long, hide = true)]
    pub(crate) pop_claims: Option<String>,
    /// Refused
    #[arg(long, hide = true)]
    pub(crate) client_certificate_password: Option<Secret>,
    /// Refused
    #[arg(long, hide = true)]
    pub(crate) identity_resource_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LoginMode {
    /// The session of `portcullis login`
    Portcullis,
    /// A code that a person enters at a page of the server
    Devicecode,
    /// The browser of this machine
    Interactive,
    /// Service principal, by secret or certificate
    Spn,
    /// User name and password
    Ropc,
    /// The token of a workload, which the application trusts
    Workloadidentity,
    /// The session of az
    Azurecli,
    #[value(hide = true)]
    Msi,
    #[value(hide = true)]
    Azd,
    #[value(hide = true)]
    Azurepipelines,
}

/// Which one wins if both a flag and an environment variable are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precedence {
    /// The flag, as everywhere in this program.
    Flag,
    /// The environment variable, as in kubelogin.
    Environment,
}

/// A value that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl SignInArgs {
    /// Refuses unsupported flags, with the alternative.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let on = |flag: &Option<String>| flag.as_ref().is_some_and(|value| value != "false");
        if on(&self.pop_enabled) || self.pop_claims.is_some() {
            bail!("--pop-enabled, --pop-claims: the server issues bearer tokens alone: leave them out");
        }
        if on(&self.legacy) {
            bail!(
                "--legacy: the server issues no tokens with an audience that begins with \"spn:\": leave it out"
            );
        }
        if self.client_certificate_password.is_some() {
            bail!(
                "--client-certificate-password: certificates are read in PEM form without a password: convert yours \
                 with `openssl pkcs12 -in FILE -nodes -out FILE.pem`"
            );
        }
        let instead = "use workloadidentity or spn in its place";
        match self.login {
            Some(LoginMode::Msi) => {
                bail!("--login msi: there is no metadata service on these machines: {instead}")
            }
            Some(LoginMode::Azd) => bail!("--login azd: the Azure Developer CLI is not asked: use azurecli"),
            Some(LoginMode::Azurepipelines) => {
                bail!("--login azurepipelines: Azure Pipelines is not asked: {instead}")
            }
            _ => {}
        }
        if self.identity_resource_id.is_some() {
            bail!("--identity-resource-id: there is no metadata service on these machines: {instead}");
        }
        Ok(())
    }

    /// Sets options from environment variables.
    pub(crate) fn read_environment(
        &mut self,
        precedence: Precedence,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> anyhow::Result<()> {
        if self.disable_environment_override {
            return Ok(());
        }
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        if let Some(text) = take(&self.login, precedence, &["AAD_LOGIN_METHOD"], variable)? {
            let parsed = LoginMode::from_str(&text, false);
            let known: Vec<_> = LoginMode::value_variants().iter().filter_map(LoginMode::name).collect();
            self.login = Some(parsed.map_err(|_| {
                anyhow::anyhow!("AAD_LOGIN_METHOD: \"{text}\": expected one of {}", known.join(", "))
            })?);
        }
        let (client, secret, certificate, tenant) = match self.use_azurerm_env_vars {
            true => (
                &["ARM_CLIENT_ID"][..],
                &["ARM_CLIENT_SECRET"][..],
                &["ARM_CLIENT_CERTIFICATE_PATH"][..],
                &["ARM_TENANT_ID"][..],
            ),
            false => (
                &["AZURE_CLIENT_ID", "AAD_SERVICE_PRINCIPAL_CLIENT_ID"][..],
                &["AZURE_CLIENT_SECRET", "AAD_SERVICE_PRINCIPAL_CLIENT_SECRET"][..],
                &["AZURE_CLIENT_CERTIFICATE_PATH", "AAD_SERVICE_PRINCIPAL_CLIENT_CERTIFICATE"][..],
                &["AZURE_TENANT_ID"][..],
            ),
        };
        // For workload identity the environment wins: it is specific to the workload, a kubeconfig may be shared.
        let workload = match self.login {
            Some(LoginMode::Workloadidentity) => precedence,
            _ => Precedence::Flag,
        };
        fill(&mut self.client_id, precedence, client, variable)?;
        fill(&mut self.client_secret, precedence, secret, variable)?;
        fill(&mut self.client_certificate, precedence, certificate, variable)?;
        fill(&mut self.tenant_id, precedence, tenant, variable)?;
        fill(&mut self.username, precedence, &["AZURE_USERNAME", "AAD_USER_PRINCIPAL_NAME"], variable)?;
        fill(&mut self.password, precedence, &["AZURE_PASSWORD", "AAD_USER_PRINCIPAL_PASSWORD"], variable)?;
        fill(&mut self.federated_token_file, workload, &["AZURE_FEDERATED_TOKEN_FILE"], variable)?;
        fill(&mut self.authority_host, workload, &["AZURE_AUTHORITY_HOST"], variable)?;
        fill(&mut self.timeout, precedence, &["AZURE_CLI_TIMEOUT"], variable)
    }

    pub(crate) fn mode(&self) -> LoginMode {
        self.login.unwrap_or(LoginMode::Devicecode)
    }

    pub(crate) fn server(&self) -> &str {
        self.server_id.as_deref().unwrap_or(CLUSTER_SERVER_ID)
    }

    pub(crate) fn tenant(&self) -> &str {
        self.tenant_id.as_deref().unwrap_or(ANY_TENANT)
    }

    pub(crate) fn client(&self) -> anyhow::Result<&str> {
        let own = matches!(self.mode(), LoginMode::Spn | LoginMode::Workloadidentity);
        match self.client_id.as_deref() {
            Some(named)
                if self.mode() == LoginMode::Ropc && named.eq_ignore_ascii_case(KUBELOGIN_CLIENT_ID) =>
            {
                // The password grant is allowed for this program's client id, not for kubelogin's.
                Ok(CLIENT_ID)
            }
            Some(named) => Ok(named),
            None if own => bail!("give the application id of the client with --client-id or AZURE_CLIENT_ID"),
            None if self.mode() == LoginMode::Ropc => Ok(CLIENT_ID),
            None => Ok(KUBELOGIN_CLIENT_ID),
        }
    }

    /// The timeout for `az`.
    pub(crate) fn patience(&self) -> anyhow::Result<Duration> {
        let Some(text) = &self.timeout else { return Ok(Duration::from_secs(60)) };
        let parsed = text.parse::<SignedDuration>().ok().and_then(|length| Duration::try_from(length).ok());
        parsed
            .filter(|length| !length.is_zero())
            .with_context(|| format!("--timeout: \"{text}\": expected a duration such as 30s"))
    }
}

impl LoginMode {
    pub(crate) fn name(&self) -> Option<String> {
        self.to_possible_value().filter(|value| !value.is_hide_set()).map(|value| value.get_name().to_owned())
    }
}

/// The value of the first set variable, if `precedence` lets it apply.
fn take<T>(
    given: &Option<T>,
    precedence: Precedence,
    names: &[&str],
    variable: impl Fn(&str) -> Option<OsString>,
) -> anyhow::Result<Option<String>> {
    if given.is_some() && precedence == Precedence::Flag {
        return Ok(None);
    }
    let Some((name, value)) = names.iter().find_map(|name| variable(name).map(|value| (name, value))) else {
        return Ok(None);
    };
    match value.into_string() {
        Ok(text) => Ok(Some(text)),
        Err(_) => bail!("{name}: expected text in UTF-8"),
    }
}

fn fill<T: FromStr>(
    given: &mut Option<T>,
    precedence: Precedence,
    names: &[&str],
    variable: impl Fn(&str) -> Option<OsString>,
) -> anyhow::Result<()> {
    if let Some(text) = take(given, precedence, names, variable)? {
        *given = text.parse().ok();
    }
    Ok(())
}

pub(crate) const ANY_TENANT: &str = "organizations";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &mut SignInArgs, precedence: Precedence) {
        let set =
            [("AZURE_CLIENT_ID", "a"), ("AAD_SERVICE_PRINCIPAL_CLIENT_ID", "b"), ("ARM_CLIENT_ID", "c")];
        let find = |name: &str| set.iter().find(|(each, _)| *each == name).map(|(_, value)| value.into());
        arguments.read_environment(precedence, find).unwrap();
    }

    #[test]
    fn the_environment_counts_as_the_name_of_the_program_says() {
        let check = |mut arguments: SignInArgs, precedence, expected: &str| {
            read(&mut arguments, precedence);
            assert_eq!(arguments.client_id.as_deref(), Some(expected));
        };
        let given = || SignInArgs { client_id: Some("flag".into()), ..SignInArgs::default() };
        check(SignInArgs::default(), Precedence::Flag, "a");
        check(given(), Precedence::Flag, "flag");
        check(given(), Precedence::Environment, "a");
        check(SignInArgs { use_azurerm_env_vars: true, ..given() }, Precedence::Environment, "c");
        check(SignInArgs { disable_environment_override: true, ..given() }, Precedence::Environment, "flag");
    }

    #[test]
    fn durations_are_read_and_others_refused() {
        let patience =
            |text: &str| SignInArgs { timeout: Some(text.into()), ..SignInArgs::default() }.patience();
        assert_eq!(patience("1m30s").unwrap(), Duration::from_secs(90));
        assert!(patience("0s").is_err());
        assert!(patience("soon").unwrap_err().to_string().contains("\"soon\""));
    }

    #[test]
    fn secrets_are_not_printed() {
        let arguments = SignInArgs { password: Some(Secret("hidden".into())), ..SignInArgs::default() };
        assert!(!format!("{arguments:?}").contains("hidden"));
    }
}
