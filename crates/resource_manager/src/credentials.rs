//! What lets people reach a cluster: where it is, and administrator certificates (W1).

use state::Kind;
use std::sync::Arc;

use crypto::secret::Secret;
use domain::{
    change::Record,
    cluster::{AdminCertificate, Cluster, Revocation, Serving},
};
use jiff::SignedDuration;

use crate::{ResourceManager, clusters::ClusterName, locks};
use kubernetes::admin_certificates::PULL;
use state::{Caller, Error, authorize};

/// Where a cluster's API is, and whom to trust there.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub server: String,
    /// PEM.
    pub certificate_authority: String,
}

/// An administrator certificate with its key, shown once.
#[derive(Debug)]
pub struct IssuedCertificate {
    pub certificate_pem: String,
    pub key_pem: Secret<String>,
    pub record: AdminCertificate,
}

/// Which kubeconfig of a person is asked for. They say the same; the rights to pull them differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    User,
    MonitoringUser,
}

impl ResourceManager {
    /// Where the cluster's API is, for a person who signs in with the directory.
    pub fn user_endpoint(
        &self,
        caller: &Caller,
        name: &ClusterName,
        credential: Credential,
    ) -> Result<(Arc<Cluster>, Endpoint), Error> {
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, credential.action(), &name.scope()?, self.state.now())?;
        let cluster = name.require(&snapshot)?.clone();
        if !cluster.directory {
            return Err(Error::invalid(
                "",
                "the directory is not enabled for this cluster, so nobody can sign in to it: enable it with `az aks update --enable-aad`; its local accounts are for administrators (`az aks get-credentials --admin`)",
            ));
        }
        locks::check(&snapshot, &name.scope()?, locks::Operation::Write)?;
        let endpoint = self.endpoint(&cluster);
        Ok((cluster, endpoint))
    }

    /// Refuses whoever may not ask for credentials in their older form.
    pub fn require_access_profile(&self, caller: &Caller, name: &ClusterName) -> Result<(), Error> {
        authorize::control_plane(
            &self.state.snapshot(),
            caller,
            ACCESS_PROFILE,
            &name.scope()?,
            self.state.now(),
        )
        .map(drop)
    }

    /// Issues an administrator certificate: personal, good for eight hours, on record.
    pub async fn issue_admin_certificate(
        &self,
        caller: &Caller,
        name: &ClusterName,
    ) -> Result<(Arc<Cluster>, Endpoint, IssuedCertificate), Error> {
        let scope = name.scope()?;
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, PULL, &scope, self.state.now())?;
        let cluster = name.require(&snapshot)?.clone();
        check_local_accounts(&cluster)?;
        let now = self.state.now();
        let expires = now.checked_add(ADMIN_LIFE).map_err(Error::internal)?;
        let mut record = AdminCertificate {
            cluster: cluster.id,
            serial: String::new(),
            generation: cluster.authority.generation,
            object_id: caller.object_id,
            user: caller.name.clone(),
            issued: now,
            expires,
            revoked: None,
            session: Some(caller.session),
        };
        let user = record.user_name();
        let issued = self.sign_client_certificate(&cluster, &user, AdminCertificate::GROUP, now, expires)?;
        record.serial = issued.serial;
        self.state
            .transact(|tx| {
                tx.authorize(caller, PULL, &scope)?;
                let current = name.require(tx.snapshot())?;
                check_local_accounts(current)?;
                locks::check(tx.snapshot(), &scope, locks::Operation::Write)?;
                if current.authority != cluster.authority {
                    return Err(Error::Conflict(
                        "the cluster's certificates were rotated meanwhile: try again".into(),
                    ));
                }
                tx.create(&Record::AdminCertificate(record.clone()))
            })
            .await?;
        let endpoint = self.endpoint(&cluster);
        let certificate =
            IssuedCertificate { certificate_pem: issued.certificate_pem, key_pem: issued.key_pem, record };
        Ok((cluster, endpoint, certificate))
    }

    /// Administrator certificates of a cluster on record, newest first.
    pub fn list_admin_certificates(
        &self,
        caller: &Caller,
        name: &ClusterName,
    ) -> Result<Vec<Arc<AdminCertificate>>, Error> {
        let snapshot = self.state.snapshot();
        let action = "Microsoft.ContainerService/managedClusters/adminCertificates/read";
        authorize::control_plane(&snapshot, caller, action, &name.scope()?, self.state.now())?;
        let cluster = name.require(&snapshot)?;
        let mut certificates: Vec<_> = snapshot.admin_certificates(cluster.id).cloned().collect();
        certificates.sort_by(|one, other| other.issued.cmp(&one.issued).then(one.serial.cmp(&other.serial)));
        Ok(certificates)
    }

    /// Revokes one administrator certificate. When this returns, it opens nothing any more.
    pub async fn revoke_admin_certificate(
        &self,
        caller: &Caller,
        name: &ClusterName,
        serial: &str,
    ) -> Result<AdminCertificate, Error> {
        let scope = name.scope()?;
        let serial = serial.trim().replace(':', "").to_ascii_lowercase();
        self.state
            .transact(|tx| {
                let action = "Microsoft.ContainerService/managedClusters/adminCertificates/revoke/action";
                tx.authorize(caller, action, &scope)?;
                let cluster = name.require(tx.snapshot())?;
                let found = tx.snapshot().admin_certificate(cluster.id, &serial);
                let found = found.ok_or_else(|| Error::not_found(Kind::AdministratorCertificate, &serial))?;
                let mut record = AdminCertificate::clone(found);
                record.revoked.get_or_insert(Revocation { at: tx.now(), by: caller.object_id });
                tx.put(&Record::AdminCertificate(record.clone()))?;
                Ok(record)
            })
            .await
    }

    fn endpoint(&self, cluster: &Cluster) -> Endpoint {
        match &cluster.serving {
            Serving::Embedded => Endpoint {
                server: format!("{}/clusters/{}", self.state.settings().external_url, cluster.id),
                certificate_authority: self.state.settings().authority_certificate.clone(),
            },
            Serving::Attached { server, certificate_authority } => {
                Endpoint { server: server.clone(), certificate_authority: certificate_authority.clone() }
            }
        }
    }
}

impl Credential {
    fn action(self) -> &'static str {
        match self {
            Self::User => "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action",
            Self::MonitoringUser => {
                "Microsoft.ContainerService/managedClusters/listClusterMonitoringUserCredential/action"
            }
        }
    }
}

fn check_local_accounts(cluster: &Cluster) -> Result<(), Error> {
    if cluster.local_accounts_disabled {
        return Err(Error::invalid(
            "",
            "Getting static credential is not allowed because this cluster is set to disable local accounts.",
        ));
    }
    if !cluster.is_embedded() {
        return Err(Error::invalid(
            "",
            "this cluster is attached: its administrator certificates are issued by its own operator",
        ));
    }
    Ok(())
}

const ACCESS_PROFILE: &str =
    "Microsoft.ContainerService/managedClusters/accessProfiles/listCredential/action";
const ADMIN_LIFE: SignedDuration = SignedDuration::from_hours(8);
