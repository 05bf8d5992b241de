//! Applications and service principals. Administrators and owners change them.

use state::{Kind, UniqueName};
use std::{collections::BTreeSet, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use crypto::{cert::Certificate, secret::Secret};
use domain::{
    application::{Application, ServicePrincipal, ServicePrincipalKind},
    change::{Record, RecordKey},
    credential::{ClientCertificate, ClientSecret},
    id::{AppId, ObjectId},
    name::DisplayName,
};
use jiff::Timestamp;
use uuid::Uuid;

use crate::audience::Audience;
use crate::{
    Directory,
    audience::{ServiceName, has_name},
    owners::{owned_application, owned_service_principal},
    users::{delete_memberships_of, next_stamp},
};
use state::{Caller, Error, Tx};

#[derive(Clone, Debug, Default)]
pub struct ApplicationUpdate {
    pub display_name: Option<DisplayName>,
    pub redirect_uris: Option<Vec<String>>,
    pub identifier_uris: Option<Vec<String>>,
    pub public_client: Option<bool>,
    pub password_grant: Option<bool>,
    pub certificates: Option<Vec<CertificateForm>>,
    pub other: serde_json::Map<String, serde_json::Value>,
}

/// A certificate as a client sends it.
#[derive(Clone, Debug)]
pub struct CertificateForm {
    /// DER or the body of a PEM text, in base64; white space does not count. Absent for one that is there already, which
    /// its id names: answers do not give the content, and clients send back what they have read.
    pub base64: Option<String>,
    pub key_id: Option<Uuid>,
    pub display_name: Option<String>,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
}

/// A secret to be made for an application or service principal.
#[derive(Debug)]
pub struct NewSecret {
    pub display_name: Option<String>,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
}

/// A secret as it is shown once, at its making.
#[derive(Debug)]
pub struct IssuedSecret {
    pub record: ClientSecret,
    pub text: Secret<String>,
}

impl Directory {
    pub async fn create_application(
        &self,
        caller: &Caller,
        display_name: DisplayName,
        update: ApplicationUpdate,
    ) -> Result<Arc<Application>, Error> {
        let mut application = Application {
            id: self.state.new_id()?,
            tenant: caller.tenant,
            app_id: self.state.new_id()?,
            display_name,
            redirect_uris: Vec::new(),
            identifier_uris: Vec::new(),
            public_client: false,
            password_grant: false,
            secrets: Vec::new(),
            certificates: Vec::new(),
            federated: Vec::new(),
            owners: BTreeSet::from([caller.object_id]),
            other: serde_json::Map::new(),
            created: self.state.now(),
        };
        change(&mut application, update)?;
        self.state
            .transact(|tx| {
                tx.require_administrator(caller, "microsoft.directory/applications/create")?;
                self.check_identifier_uris(tx, &application)?;
                tx.take_name(UniqueName::AppId, &application.app_id.to_string());
                tx.create(&Record::Application(application.clone()))
            })
            .await?;
        Ok(Arc::new(application))
    }

    pub async fn update_application(
        &self,
        caller: &Caller,
        id: ObjectId,
        update: ApplicationUpdate,
    ) -> Result<(), Error> {
        self.state
            .transact(|tx| {
                let mut application = owned_application(tx, caller, id, UPDATE)?;
                if update.password_grant.is_some_and(|wanted| wanted && !application.password_grant) {
                    tx.require_administrator(caller, UPDATE)?;
                }
                change(&mut application, update.clone())?;
                if update.identifier_uris.is_some() {
                    self.check_identifier_uris(tx, &application)?;
                }
                tx.put(&Record::Application(application))
            })
            .await
    }

    /// Deletes an application and its service principal.
    pub async fn delete_application(&self, caller: &Caller, id: ObjectId) -> Result<(), Error> {
        self.state
            .transact(|tx| {
                let action = "microsoft.directory/applications/delete";
                let application = owned_application(tx, caller, id, action)?;
                let directory = tx.snapshot().directory();
                if let Some(principal) =
                    directory.service_principal_by_app_id(caller.tenant, application.app_id)
                {
                    keep_shut_out(tx, caller, principal, action)?;
                    let principal = principal.id;
                    delete_memberships_of(tx, principal)?;
                    tx.delete(&RecordKey::ServicePrincipal(principal));
                }
                tx.release_name(UniqueName::AppId, &application.app_id.to_string());
                tx.delete(&RecordKey::Application(id));
                Ok(())
            })
            .await
    }

    pub async fn add_application_secret(
        &self,
        caller: &Caller,
        id: ObjectId,
        new: NewSecret,
    ) -> Result<IssuedSecret, Error> {
        let issued = self.issue_secret(new)?;
        self.transact_application(caller, id, CREDENTIALS, |application| {
            application.secrets.push(issued.record.clone());
            Ok(())
        })
        .await?;
        Ok(issued)
    }

    pub async fn remove_application_secret(
        &self,
        caller: &Caller,
        id: ObjectId,
        key_id: Uuid,
    ) -> Result<(), Error> {
        self.transact_application(caller, id, CREDENTIALS, |application| {
            let before = application.secrets.len();
            application.secrets.retain(|secret| secret.key_id != key_id);
            match application.secrets.len() == before {
                true => Err(Error::not_found(Kind::PasswordCredential, key_id)),
                false => Ok(()),
            }
        })
        .await
    }

    /// Makes the service principal of an application in the caller's tenant.
    pub async fn create_service_principal(
        &self,
        caller: &Caller,
        app_id: AppId,
    ) -> Result<Arc<ServicePrincipal>, Error> {
        let now = self.state.now();
        let id = self.state.new_id()?;
        self.state
            .transact(|tx| {
                tx.require_administrator(caller, "microsoft.directory/servicePrincipals/create")?;
                let directory = tx.snapshot().directory();
                let application = directory.application_by_app_id(app_id);
                let application = application.filter(|each| each.tenant == caller.tenant);
                let application = application.ok_or_else(|| Error::not_found(Kind::Application, app_id))?;
                if directory.service_principal_by_app_id(caller.tenant, app_id).is_some() {
                    return Err(Error::already_exists(Kind::ServicePrincipal, app_id));
                }
                let principal = ServicePrincipal {
                    id,
                    tenant: caller.tenant,
                    app_id,
                    display_name: application.display_name.clone(),
                    kind: ServicePrincipalKind::Application,
                    enabled: true,
                    secrets: Vec::new(),
                    certificates: Vec::new(),
                    federated: Vec::new(),
                    owners: BTreeSet::from([caller.object_id]),
                    tokens_valid_after: now,
                    created: now,
                };
                tx.create(&Record::ServicePrincipal(principal.clone()))?;
                Ok(Arc::new(principal))
            })
            .await
    }

    pub async fn set_service_principal_enabled(
        &self,
        caller: &Caller,
        id: ObjectId,
        enabled: bool,
    ) -> Result<(), Error> {
        self.state
            .transact(|tx| {
                let action = "microsoft.directory/servicePrincipals/update";
                let mut principal = owned_service_principal(tx, caller, id, action)?;
                keep_shut_out(tx, caller, &principal, action)?;
                principal.enabled = enabled;
                if !enabled {
                    principal.tokens_valid_after = next_stamp(tx, principal.tokens_valid_after);
                }
                tx.put(&Record::ServicePrincipal(principal))
            })
            .await
    }

    /// Gives a service principal a secret of its own. A managed identity has none: nobody is to know one.
    pub async fn add_service_principal_secret(
        &self,
        caller: &Caller,
        id: ObjectId,
        new: NewSecret,
    ) -> Result<IssuedSecret, Error> {
        let issued = self.issue_secret(new)?;
        self.state
            .transact(|tx| {
                let mut principal = owned_service_principal(tx, caller, id, PRINCIPAL_CREDENTIALS)?;
                if let ServicePrincipalKind::ManagedIdentity(_) = principal.kind {
                    let name = &principal.display_name;
                    return Err(Error::invalid(
                        "passwordCredential",
                        format!("\"{name}\" is a managed identity, which cannot have a secret"),
                    ));
                }
                principal.secrets.push(issued.record.clone());
                tx.put(&Record::ServicePrincipal(principal))
            })
            .await?;
        Ok(issued)
    }

    pub async fn remove_service_principal_secret(
        &self,
        caller: &Caller,
        id: ObjectId,
        key_id: Uuid,
    ) -> Result<(), Error> {
        self.state
            .transact(|tx| {
                let mut principal = owned_service_principal(tx, caller, id, PRINCIPAL_CREDENTIALS)?;
                let before = principal.secrets.len();
                principal.secrets.retain(|secret| secret.key_id != key_id);
                if principal.secrets.len() == before {
                    return Err(Error::not_found(Kind::PasswordCredential, key_id));
                }
                tx.put(&Record::ServicePrincipal(principal))
            })
            .await
    }

    pub async fn delete_service_principal(&self, caller: &Caller, id: ObjectId) -> Result<(), Error> {
        self.state
            .transact(|tx| {
                let action = "microsoft.directory/servicePrincipals/delete";
                let principal = owned_service_principal(tx, caller, id, action)?;
                if let ServicePrincipalKind::ManagedIdentity(resource) = &principal.kind {
                    return Err(Error::Conflict(format!(
                        "the managed identity \"{}\" goes with its resource only: delete {resource}",
                        principal.display_name
                    )));
                }
                keep_shut_out(tx, caller, &principal, action)?;
                delete_memberships_of(tx, id)?;
                tx.delete(&RecordKey::ServicePrincipal(id));
                Ok(())
            })
            .await
    }

    pub(crate) async fn transact_application(
        &self,
        caller: &Caller,
        id: ObjectId,
        action: &'static str,
        mut body: impl FnMut(&mut Application) -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        self.state
            .transact(|tx| {
                let mut application = owned_application(tx, caller, id, action)?;
                body(&mut application)?;
                tx.put(&Record::Application(application))
            })
            .await
    }

    /// Each address is of one service: of one application, or of the installation itself.
    fn check_identifier_uris(&self, tx: &Tx, application: &Application) -> Result<(), Error> {
        let own = Audience::new(&self.state.settings().external_url);
        for uri in &application.identifier_uris {
            let name = ServiceName::parse(uri);
            let of_another = matches!(name, ServiceName::Id(id) if id != application.app_id);
            // A list of scopes would read it as two.
            let several = uri.contains(char::is_whitespace);
            if name.is_empty() || several || of_another || own.is_reserved(uri) {
                let problem = format!("\"{}\" is not for this application to have", uri.escape_debug());
                return Err(Error::invalid("identifierUris", problem));
            }
            let mut others =
                tx.snapshot().directory().applications().filter(|each| each.id != application.id);
            if others.any(|each| has_name(each, name)) {
                return Err(Error::already_exists(Kind::ApplicationIdentifier, uri));
            }
        }
        Ok(())
    }

    fn issue_secret(&self, new: NewSecret) -> Result<IssuedSecret, Error> {
        let text = Secret::new(crypto::random::url_safe(&self.state.random_bytes::<30>()?));
        let start = new.start.unwrap_or_else(|| self.state.now());
        let end = match new.end {
            Some(end) => end,
            None => {
                start.checked_add(DEFAULT_LIFE).map_err(|error| Error::invalid("startDateTime", error))?
            }
        };
        if end <= start {
            return Err(Error::invalid("endDateTime", format!("{end} is not after the start {start}")));
        }
        let record = ClientSecret {
            key_id: Uuid::from_bytes(self.state.new_id::<domain::id::kind::Object>()?.uuid().into_bytes()),
            display_name: new.display_name,
            hint: text.expose().chars().take(3).collect(),
            digest: crypto::digest::sha256_hex(text.expose().as_bytes()),
            start,
            end,
        };
        Ok(IssuedSecret { record, text })
    }
}

fn change(application: &mut Application, update: ApplicationUpdate) -> Result<(), Error> {
    for uri in update.redirect_uris.iter().flatten() {
        check_redirect_uri(uri)?;
    }
    if let Some(name) = update.display_name {
        application.display_name = name;
    }
    application.redirect_uris = update.redirect_uris.unwrap_or_else(|| application.redirect_uris.clone());
    application.identifier_uris =
        update.identifier_uris.unwrap_or_else(|| application.identifier_uris.clone());
    application.public_client = update.public_client.unwrap_or(application.public_client);
    application.password_grant = update.password_grant.unwrap_or(application.password_grant);
    if let Some(forms) = update.certificates {
        let known = std::mem::take(&mut application.certificates);
        let read = |form: CertificateForm| match form.base64.clone() {
            Some(base64) => read_certificate(&base64, form),
            None => known.iter().find(|each| Some(each.key_id) == form.key_id).cloned().ok_or_else(|| {
                Error::invalid(
                    "keyCredentials.key",
                    "expected the certificate, or the keyId of one that is there",
                )
            }),
        };
        application.certificates = forms.into_iter().map(read).collect::<Result<_, _>>()?;
    }
    application.other.extend(update.other);
    Ok(())
}

fn read_certificate(base64: &str, form: CertificateForm) -> Result<ClientCertificate, Error> {
    let invalid = |problem: &dyn std::fmt::Display| Error::invalid("keyCredentials.key", problem.to_string());
    let text: String = base64.chars().filter(|each| !each.is_whitespace()).collect();
    let der = STANDARD.decode(&text).map_err(|error| invalid(&error))?;
    let certificate = Certificate::from_der(&der).map_err(|error| invalid(&error))?;
    certificate.rsa_key().map_err(|error| invalid(&error))?;
    let thumbprint = certificate.thumbprint();
    Ok(ClientCertificate {
        key_id: Uuid::new_v5(&Uuid::NAMESPACE_OID, thumbprint.as_bytes()),
        display_name: form.display_name,
        der: STANDARD.encode(&der),
        thumbprint,
        start: form.start.unwrap_or(certificate.not_before).max(certificate.not_before),
        end: form.end.unwrap_or(certificate.not_after).min(certificate.not_after),
    })
}

/// Only an administrator lets in again whom somebody has shut out; without its principal an application would be in.
fn keep_shut_out(tx: &Tx, caller: &Caller, principal: &ServicePrincipal, action: &str) -> Result<(), Error> {
    match principal.enabled {
        true => Ok(()),
        false => tx.require_administrator(caller, action),
    }
}

/// RFC 6749 §3.1.2: absolute, without fragment; plain http only to loopback.
fn check_redirect_uri(uri: &str) -> Result<(), Error> {
    let loopback = ["http://localhost", "http://127.0.0.1", "http://[::1]"].iter().any(|host| {
        uri.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':']))
    });
    let secure = uri.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    let clean =
        !uri.contains(['#', '*', '\\', '@']) && !uri.chars().any(|each| each.is_control() || each == ' ');
    if (loopback || secure) && clean && uri.len() <= 2048 {
        return Ok(());
    }
    Err(Error::invalid(
        "redirectUris",
        format!(
            "\"{uri}\": expected an absolute https address, or http on a loopback host, without fragment"
        ),
    ))
}

const UPDATE: &str = "microsoft.directory/applications/basic/update";
const CREDENTIALS: &str = "microsoft.directory/applications/credentials/update";
const PRINCIPAL_CREDENTIALS: &str = "microsoft.directory/servicePrincipals/credentials/update";
const DEFAULT_LIFE: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 365);
