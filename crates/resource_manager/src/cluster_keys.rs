//! The keys of a cluster: its certificate authority and the key of its service accounts, sealed at rest.

use crypto::cert::{Authority as OpenAuthority, Issued, Subject};
use domain::{
    cluster::{Authority, Cluster, SealedKey},
    id::ClusterId,
    name::ResourceName,
};
use jiff::Timestamp;

use crate::ResourceManager;
use state::{
    Error,
    sealed_keys::{SERVICE_ACCOUNT_KEY, authority_place},
};

/// What a new cluster is made with.
pub(crate) struct ClusterKeys {
    pub(crate) id: ClusterId,
    pub(crate) authority: Authority,
    pub(crate) service_account_key: SealedKey,
}

impl ResourceManager {
    pub(crate) async fn make_cluster_keys(&self, name: &ResourceName) -> Result<ClusterKeys, Error> {
        Ok(ClusterKeys {
            id: self.state.new_id()?,
            authority: self.make_authority(name)?,
            service_account_key: self.state.make_sealed_key(SERVICE_ACCOUNT_KEY).await?,
        })
    }

    pub(crate) fn make_authority(&self, name: &ResourceName) -> Result<Authority, Error> {
        let made =
            OpenAuthority::generate(&format!("{name} cluster CA"), self.state.now(), self.state.random());
        let (authority, key) = made.map_err(Error::internal)?;
        let place = authority_place(authority.certificate_pem());
        let sealed_key = self.state.seal().seal(&place, key.expose())?;
        let certificate_pem = authority.certificate_pem().to_owned();
        Ok(Authority { generation: 1, certificate_pem, sealed_key })
    }

    pub(crate) fn sign_client_certificate(
        &self,
        cluster: &Cluster,
        name: &str,
        organization: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Issued, Error> {
        let authority = &cluster.authority;
        let key =
            self.state.seal().open(&authority_place(&authority.certificate_pem), &authority.sealed_key)?;
        let open = OpenAuthority::open(&authority.certificate_pem, &key);
        open.and_then(|open| {
            open.issue_client(Subject { name, organization }, from, until, self.state.random())
        })
        .map_err(Error::internal)
    }
}
