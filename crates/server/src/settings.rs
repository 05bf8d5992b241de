//! The configuration: one TOML file, then the environment, then flags; each overrides the one before.
//! `SettingsFile` is the file's content, [`Settings`] the validated result with defaults.

#[cfg(test)]
mod fuzz;

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use domain::name::Upn;
use jiff::SignedDuration;
use serde::Deserialize;

/// Flags of `portcullis serve`; what is not given comes from the file, or has a default.
#[derive(Args, Clone, Debug, Default)]
pub struct ServeArgs {
    /// Configuration file (TOML). Flags and environment win over it.
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where all state is kept; made if it does not exist [default: ./portcullis-data]
    #[arg(long, value_name = "DIR", env = "PORTCULLIS_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:8443]
    #[arg(long, value_name = "ADDRESS", env = "PORTCULLIS_LISTEN", value_parser = parse_address)]
    pub listen: Option<SocketAddr>,
    /// Address that people and programs use, such as `https://access.example.org` [default: `https://localhost:PORT`]
    #[arg(long, value_name = "URL", env = "PORTCULLIS_EXTERNAL_URL")]
    pub external_url: Option<String>,
    /// Certificate chain to serve with (PEM); followed when it changes. Without it a CA and a certificate are made
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of that certificate (PEM)
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Loopback address of the metrics [default: 127.0.0.1:0, a free port]
    #[arg(long, value_name = "ADDRESS", env = "PORTCULLIS_METRICS_LISTEN", value_parser = parse_address)]
    pub metrics_listen: Option<SocketAddr>,
    /// Authorities (PEM) to trust beside the system's, when issuers and authorities elsewhere are asked
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_OUTSIDE_AUTHORITIES")]
    pub outside_authorities: Option<PathBuf>,
    /// Make sure at this start that an administrator can sign in, whatever became of the others: NAME is made or
    /// enabled, gets a new password, which is written to recovered-admin.json, and administers everything
    /// [without a name: admin at the first domain of the directory]
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "", require_equals = true)]
    pub recover_admin: Option<String>,
    /// Form of the log lines
    #[arg(long, value_enum, env = "PORTCULLIS_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// The content of the configuration file. Unknown keys are refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsFile {
    /// The data directory.
    data_dir: Option<PathBuf>,
    /// Address and port to listen on.
    listen: Option<SocketAddr>,
    /// The URL that users and clients use.
    external_url: Option<String>,
    /// Loopback address of the metrics.
    metrics_listen: Option<SocketAddr>,
    log_format: Option<LogFormat>,
    tls: Option<WrittenTls>,
    /// PEM file of CAs to trust besides the system's for outbound requests.
    outside_authorities: Option<PathBuf>,
    /// Seconds for which a replaced refresh token still returns the same successor; default 60. With 0, a second use
    /// ends the session.
    refresh_reuse_seconds: Option<u32>,
    /// External issuers whose users may call clusters, with the permissions of the clusters' own bindings.
    #[serde(default)]
    authority: Vec<WrittenAuthority>,
}

/// One `[[authority]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAuthority {
    /// The name for logs and for `extra` of the Kubernetes user.
    name: String,
    /// The issuer as in its tokens: `https://HOST/TENANT/v2.0`.
    issuer: String,
    /// The client id of our application at the issuer: the audience of its tokens.
    client_id: String,
    /// File with a secret of that application, to query the groups of users with more than 200 groups.
    client_secret_file: Option<PathBuf>,
    /// `https://HOST` of its Graph; default: from its discovery document.
    graph: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTls {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The storage of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    Directory(PathBuf),
    /// In memory, lost with the process; for tests.
    Memory,
}

/// The server certificate that the operator provides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// The administrator to recover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recover {
    /// `admin` at the first domain of the directory.
    First,
    Named(Upn),
}

/// The checked configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    pub storage: Storage,
    pub listen: SocketAddr,
    /// Without a slash at the end; default: `https://localhost:PORT` with the listening port.
    pub external_url: Option<String>,
    pub tls: Option<TlsFiles>,
    pub metrics_listen: SocketAddr,
    pub log_format: LogFormat,
    /// PEM file of CAs to trust besides the system's for outbound requests.
    pub outside_authorities: Option<PathBuf>,
    pub external_issuers: Vec<app::sign_in::external_issuers::ExternalIssuer>,
    /// The password of the first or recovered administrator; default: random.
    pub first_password: Option<app::Secret<String>>,
    /// How long a replaced refresh token still returns its successor; default: the application's.
    pub refresh_reuse: Option<SignedDuration>,
    /// Recover an administrator at this start.
    pub recover: Option<Recover>,
}

/// Parses an address with its port, from a flag.
pub(crate) fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "expected an address and a port, as 127.0.0.1:8443, 0.0.0.0:8443 or [::]:8443".to_owned()
    })
}

impl Settings {
    /// Reads the file, applies environment and flags, and validates the result.
    pub fn resolve(args: ServeArgs) -> anyhow::Result<Self> {
        let written = match &args.config {
            None => SettingsFile::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("reading the configuration file {}", path.display()))?;
                toml::from_str(&text)
                    .with_context(|| format!("in the configuration file {}", path.display()))?
            }
        };
        let tls = match (args.tls_cert, args.tls_key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            _ => written.tls.map(|tls| TlsFiles { certificate: tls.certificate, key: tls.key }),
        };
        let external_url =
            args.external_url.or(written.external_url).map(|url| check_url(&url)).transpose()?;
        let metrics_listen = args.metrics_listen.or(written.metrics_listen).unwrap_or(ANY_LOOPBACK_PORT);
        if !metrics_listen.ip().is_loopback() {
            bail!(
                "metrics_listen: {metrics_listen} is not a loopback address: metrics are for this machine alone"
            );
        }
        let data_dir = args.data_dir.or(written.data_dir).unwrap_or_else(|| PathBuf::from("portcullis-data"));
        let first_password =
            std::env::var("PORTCULLIS_ADMIN_PASSWORD").ok().filter(|password| !password.is_empty());
        let recover = match args.recover_admin.as_deref() {
            None => None,
            Some("") => Some(Recover::First),
            Some(name) => Some(Recover::Named(Upn::parse(name).context("--recover-admin")?)),
        };
        let refresh_reuse = written.refresh_reuse_seconds.map(reuse).transpose()?;
        Ok(Self {
            refresh_reuse,
            recover,
            storage: Storage::Directory(data_dir),
            listen: args.listen.or(written.listen).unwrap_or(DEFAULT_LISTEN),
            external_url,
            tls,
            metrics_listen,
            log_format: args.log_format.or(written.log_format).unwrap_or_default(),
            outside_authorities: args.outside_authorities.or(written.outside_authorities),
            external_issuers: written
                .authority
                .into_iter()
                .map(external_issuer)
                .collect::<anyhow::Result<_>>()?,
            first_password: first_password.map(app::Secret::new),
        })
    }

    /// For tests: in memory, on free ports.
    pub fn in_memory() -> Self {
        Self {
            storage: Storage::Memory,
            listen: ANY_LOOPBACK_PORT,
            external_url: None,
            tls: None,
            metrics_listen: ANY_LOOPBACK_PORT,
            log_format: LogFormat::Text,
            outside_authorities: None,
            external_issuers: Vec::new(),
            first_password: None,
            refresh_reuse: None,
            recover: None,
        }
    }
}

fn external_issuer(
    written: WrittenAuthority,
) -> anyhow::Result<app::sign_in::external_issuers::ExternalIssuer> {
    let WrittenAuthority { name, issuer, client_id, client_secret_file, graph } = written;
    for (key, address) in [("issuer", Some(&issuer)), ("graph", graph.as_ref())] {
        if let Some(address) = address.filter(|address| !address.starts_with("https://")) {
            bail!("authority \"{name}\": {key}: \"{address}\" is not an https address");
        }
    }
    let secret = client_secret_file.map(|path| {
        let text = std::fs::read_to_string(&path);
        text.with_context(|| format!("authority \"{name}\": client_secret_file: {}", path.display()))
    });
    let client_secret = secret.transpose()?.map(|text| app::Secret::new(text.trim().to_owned()));
    Ok(app::sign_in::external_issuers::ExternalIssuer { name, issuer, client_id, client_secret, graph })
}

fn reuse(seconds: u32) -> anyhow::Result<SignedDuration> {
    if seconds > LONGEST_REUSE {
        bail!(
            "refresh_reuse_seconds: {seconds} is more than {LONGEST_REUSE}: a copied token would go unnoticed for so long"
        );
    }
    Ok(SignedDuration::from_secs(seconds.into()))
}

fn check_url(url: &str) -> anyhow::Result<String> {
    let bare = url.trim_end_matches('/');
    let rest = bare.strip_prefix("https://").unwrap_or_default();
    let host_only = !rest.is_empty() && !rest.contains(['/', '?', '#', '@', ' ']);
    if !host_only || bare.parse::<http::Uri>().is_err() {
        bail!(
            "external_url: \"{url}\" is not an https address without a path, such as https://access.example.org"
        );
    }
    Ok(bare.to_ascii_lowercase())
}

const LONGEST_REUSE: u32 = 600;
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8443);
const ANY_LOOPBACK_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_address_is_a_host_over_https() {
        assert_eq!(check_url("https://Access.example.org:8443/").unwrap(), "https://access.example.org:8443");
        for url in ["", "http://x", "https://", "https://x/path", "https://u@x", "https://x y"] {
            assert!(check_url(url).is_err(), "{url}");
        }
    }

    /// The manual's table has each flag with its environment variable, in one line.
    #[test]
    fn every_flag_stands_in_the_manual() {
        let manual = include_str!("../../../docs/operating.md");
        let rows: Vec<&str> = manual.lines().filter(|line| line.starts_with("| `--")).collect();
        let command = <ServeArgs as clap::Args>::augment_args(clap::Command::new("serve"));
        for argument in command.get_arguments() {
            let flag = format!("| `--{}", argument.get_long().unwrap());
            let is_of_flag =
                |row: &&&str| row.strip_prefix(&flag).is_some_and(|rest| rest.starts_with([' ', '`', '[']));
            let row = rows.iter().find(is_of_flag).unwrap_or_else(|| panic!("no row for {flag}"));
            if let Some(variable) = argument.get_env() {
                assert!(row.contains(&format!("`{}`", variable.to_str().unwrap())), "{row}");
            }
        }
    }

    #[test]
    fn the_reuse_of_refresh_tokens_is_bounded() {
        assert_eq!(reuse(0).unwrap(), SignedDuration::ZERO);
        assert_eq!(reuse(600).unwrap(), SignedDuration::from_mins(10));
        let error = reuse(601).unwrap_err().to_string();
        assert!(error.contains("601") && error.contains("600"), "{error}");
    }

    #[test]
    fn unknown_keys_of_the_file_are_refused_by_name() {
        let error = toml::from_str::<SettingsFile>("listn = \"127.0.0.1:1\"").unwrap_err().to_string();
        assert!(error.contains("listn"), "{error}");
    }
}
