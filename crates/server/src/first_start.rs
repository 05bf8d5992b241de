//! The data directory and its files, created at the first start:
//!
//! ```text
//!   portcullis.store    all state, secrets in it sealed
//!   sealing.key         opens those secrets; keep it apart from backups of the state
//!   ca.crt, ca.key      CA of the server's own certificate
//!   server.crt, .key    that certificate
//!   first-admin.json    credentials of the first administrator
//! ```

use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use app::{FirstAdministrator, Installation, Secret};
use crypto::{
    cert::{Authority, Certificate},
    random::Random,
    seal::Sealer,
};
use domain::name::Upn;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The directory that holds all state.
#[derive(Clone, Debug)]
pub struct DataDirectory {
    path: PathBuf,
}

/// The server's own certificate and its CA, in PEM.
#[derive(Debug)]
pub struct OwnTls {
    pub authority: String,
    pub certificate: String,
    pub key: Secret<String>,
}

/// The content of `first-admin.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FirstAdminFile {
    pub url: String,
    pub ca_file: PathBuf,
    pub tenant_id: String,
    pub subscription_id: String,
    pub user_principal_name: String,
    pub password: String,
}

impl DataDirectory {
    /// Opens or creates the directory, accessible by its owner only.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("making the data directory {}", path.display()))?;
        let path =
            path.canonicalize().with_context(|| format!("opening the data directory {}", path.display()))?;
        Ok(Self { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn authority_file(&self) -> PathBuf {
        self.path.join("ca.crt")
    }

    pub fn first_admin_file(&self) -> PathBuf {
        self.path.join("first-admin.json")
    }

    /// The sealing key. It is created only with the directory: without the original key the sealed secrets of an
    /// existing store could not be opened.
    fn sealing_key(&self, random: &dyn Random) -> anyhow::Result<Secret<[u8; 32]>> {
        let path = self.path.join(SEALING_KEY);
        if let Some(key) = self.read_sealing_key(&path)? {
            return Ok(key);
        }
        if self.path.join("portcullis.store").exists() {
            bail!(
                "{} is missing, and without it the secrets in {} cannot be opened: restore it from where it is kept",
                path.display(),
                self.path.display()
            );
        }
        let mut key = [0; 32];
        random.fill(&mut key)?;
        let key = Secret::new(key);
        write_secret(&path, key.expose())?;
        Ok(key)
    }

    /// The sealer for secrets at rest; during a rotation it also opens values of the earlier key.
    pub fn sealer(&self, random: &dyn Random) -> anyhow::Result<Sealer> {
        let sealer = Sealer::new(&self.sealing_key(random)?)?;
        match self.read_sealing_key(&self.earlier_sealing_key())? {
            Some(earlier) => Ok(sealer.with_earlier(&earlier)?),
            None => Ok(sealer),
        }
    }

    /// Creates a new sealing key and keeps the current one as the earlier key, until
    /// [`Self::forget_earlier_sealing_key`]. If an earlier key exists, an interrupted rotation is continued.
    pub fn begin_sealing_key_rotation(&self, random: &dyn Random) -> anyhow::Result<()> {
        let current = self.sealing_key(random)?;
        let earlier = self.read_sealing_key(&self.earlier_sealing_key())?;
        // Equal keys: the rotation was interrupted before the new key was written.
        if earlier.is_some_and(|earlier| earlier.expose() != current.expose()) {
            return Ok(());
        }
        let mut key = [0; 32];
        random.fill(&mut key)?;
        let key = Secret::new(key);
        write_secret(&self.earlier_sealing_key(), current.expose())?;
        write_secret(&self.path.join(SEALING_KEY), key.expose())
    }

    /// Deletes the earlier key, once nothing is sealed with it.
    pub fn forget_earlier_sealing_key(&self) -> anyhow::Result<()> {
        let path = self.earlier_sealing_key();
        fs::remove_file(&path).with_context(|| format!("deleting {}", path.display()))
    }

    fn earlier_sealing_key(&self) -> PathBuf {
        self.path.join("sealing.key.earlier")
    }

    /// Reads a sealing key file, if it exists.
    fn read_sealing_key(&self, path: &Path) -> anyhow::Result<Option<Secret<[u8; 32]>>> {
        match fs::read(path) {
            Ok(bytes) => {
                let key: [u8; 32] = bytes.as_slice().try_into().with_context(|| {
                    format!(
                        "{} has {} bytes, expected 32: restore it from where it is kept",
                        path.display(),
                        bytes.len()
                    )
                })?;
                Ok(Some(Secret::new(key)))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// The server's own certificate for `names`; issued again if missing, close to expiry, or for other names.
    pub fn own_tls(&self, names: &[String], now: Timestamp, random: &dyn Random) -> anyhow::Result<OwnTls> {
        let authority = self.own_authority(now, random)?;
        let (certificate_file, key_file) = (self.path.join("server.crt"), self.path.join("server.key"));
        let names_file = self.path.join("server.names");
        let listed = names.join("\n");
        if let (Ok(certificate), Ok(key), Ok(known)) = (
            fs::read_to_string(&certificate_file),
            fs::read_to_string(&key_file),
            fs::read_to_string(&names_file),
        ) {
            let good = Certificate::from_pem(&certificate)
                .is_ok_and(|parsed| now.checked_add(RENEW_BEFORE).is_ok_and(|soon| soon < parsed.not_after));
            if good && known == listed {
                let authority = authority.certificate_pem().to_owned();
                return Ok(OwnTls { authority, certificate, key: Secret::new(key) });
            }
        }
        let issued = authority.issue_server(names, now, now.checked_add(SERVER_LIFE)?, random)?;
        write_secret(&key_file, issued.key_pem.expose().as_bytes())?;
        write_public(&certificate_file, issued.certificate_pem.as_bytes())?;
        write_public(&names_file, listed.as_bytes())?;
        let authority = authority.certificate_pem().to_owned();
        Ok(OwnTls { authority, certificate: issued.certificate_pem, key: issued.key_pem })
    }

    /// Writes `first-admin.json`, readable by its owner only. It is written before the installation exists, without
    /// ids, so that the password is not lost; the password works without them.
    pub fn write_first_admin(
        &self,
        url: &str,
        installation: Option<&Installation>,
        first: &FirstAdministrator,
    ) -> anyhow::Result<()> {
        self.write_admin(&self.first_admin_file(), url, installation, first.upn.as_str(), &first.password)
    }

    /// As [`Self::write_first_admin`], for a recovered administrator. Returns the path of the file.
    pub fn write_recovered_admin(
        &self,
        url: &str,
        installation: &Installation,
        upn: &str,
        password: &Secret<String>,
    ) -> anyhow::Result<PathBuf> {
        let path = self.path.join("recovered-admin.json");
        self.write_admin(&path, url, Some(installation), upn, password)?;
        Ok(path)
    }

    fn write_admin(
        &self,
        path: &Path,
        url: &str,
        installation: Option<&Installation>,
        upn: &str,
        password: &Secret<String>,
    ) -> anyhow::Result<()> {
        let id =
            |id: fn(&Installation) -> String, none: &str| installation.map_or_else(|| none.to_owned(), id);
        let file = FirstAdminFile {
            url: url.to_owned(),
            ca_file: self.authority_file(),
            tenant_id: id(|made| made.tenant.to_string(), "organizations"),
            subscription_id: id(|made| made.subscription.to_string(), ""),
            user_principal_name: upn.to_owned(),
            password: password.expose().clone(),
        };
        let mut text = serde_json::to_string_pretty(&file)?;
        text.push('\n');
        write_secret(path, text.as_bytes())
    }

    fn own_authority(&self, now: Timestamp, random: &dyn Random) -> anyhow::Result<Authority> {
        let (certificate_file, key_file) = (self.authority_file(), self.path.join("ca.key"));
        match (fs::read_to_string(&certificate_file), fs::read(&key_file)) {
            (Ok(certificate), Ok(key)) => Authority::open(&certificate, &Secret::new(key))
                .with_context(|| format!("opening the authority {}", certificate_file.display())),
            (Err(_), Err(_)) => {
                let (authority, key) = Authority::generate("Portcullis server CA", now, random)?;
                write_secret(&key_file, key.expose())?;
                write_public(&certificate_file, authority.certificate_pem().as_bytes())?;
                Ok(authority)
            }
            _ => bail!(
                "of {} and {} only one can be read: restore the other, or remove both to make a new authority",
                certificate_file.display(),
                key_file.display()
            ),
        }
    }
}

/// The first administrator: `admin@portcullis.local`, with the given password or a random one.
pub fn first_administrator(
    password: Option<Secret<String>>,
    random: &dyn Random,
) -> Result<FirstAdministrator, app::Error> {
    let password = match password {
        Some(password) => password,
        None => {
            let mut bytes = [0; 18];
            random.fill(&mut bytes).map_err(app::Error::internal)?;
            Secret::new(crypto::random::url_safe(&bytes))
        }
    };
    let upn = Upn::parse(FIRST_ADMINISTRATOR).map_err(app::Error::internal)?;
    Ok(FirstAdministrator { upn, password })
}

/// Replaces a file atomically, readable by its owner only.
fn write_secret(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write(path, bytes, 0o600)
}

fn write_public(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write(path, bytes, 0o644)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let beside = path.with_extension("new");
    let attempt = || -> std::io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        // Else a loss of power could bring back the earlier file: of a key, after something was sealed by the new one.
        path.parent().map_or(Ok(()), |directory| fs::File::open(directory)?.sync_all())
    };
    attempt().with_context(|| format!("writing {}", path.display()))
}

const SEALING_KEY: &str = "sealing.key";
pub const FIRST_ADMINISTRATOR: &str = "admin@portcullis.local";
const SERVER_LIFE: SignedDuration = SignedDuration::from_hours(24 * 365);
const RENEW_BEFORE: SignedDuration = SignedDuration::from_hours(24 * 30);
