//! Who calls an embedded cluster, and as whom.
//!
//! The order is: a client certificate of the cluster's own authority; a token of one of its service accounts;
//! a token of the directory; nothing at all. Credentials that are presented and do not count are refused, they
//! never become nobody. What was presented is kept with the caller, so that it can be looked at again: a watch
//! ends when its credentials end.

use crypto::cert::{Certificate, ClientVerifier};
use domain::{cluster::AdminCertificate, id::ClusterId, kube::User, snapshot::Snapshot};

use super::{
    ObjectError, RequestedAccess, Target,
    caller::{Impersonation, KubeCaller, Presented, Token},
};
use crate::admin_certificates::valid_admin_certificate;
use sign_in::tokens::service_account::{ReviewedToken, Unauthenticated, common_audiences, embedded};
use state::{Error, well_known::CLUSTER_AUDIENCE};

use crate::Kubernetes;

/// Who was recognized, before impersonation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub user: User,
    pub anonymous: bool,
}

impl Kubernetes {
    /// Recognizes the caller and checks every part of an impersonation.
    pub fn kube_caller(
        &self,
        cluster: ClusterId,
        presented: Presented,
        impersonation: Option<Impersonation>,
    ) -> Result<KubeCaller, ObjectError> {
        let caller = KubeCaller { cluster, presented, impersonation };
        self.current_user(&caller)?;
        Ok(caller)
    }

    /// The user that counts for the caller at this moment; an error when the credentials have ended, the cluster is
    /// stopped or the impersonation is not allowed any more.
    pub fn current_user(&self, caller: &KubeCaller) -> Result<User, ObjectError> {
        let snapshot = self.state.snapshot();
        let identity = self.identify(&snapshot, caller.cluster, &caller.presented).map_err(|because| {
            tracing::debug!(cluster.id = %caller.cluster, reason = %because, "credentials refused");
            ObjectError::Unauthenticated
        })?;
        if embedded(&snapshot, caller.cluster).is_some_and(|cluster| cluster.stopped) {
            return Err(ObjectError::App(Error::Unavailable(STOPPED.into())));
        }
        match &caller.impersonation {
            None => Ok(identity.user),
            Some(impersonation) => self.impersonate(&snapshot, caller.cluster, &identity.user, impersonation),
        }
    }

    /// Whom everything that a caller holds counts for, whoever they act as: a person or application of the directory
    /// by object id, as on every surface; the service accounts of a namespace together, for whoever writes there makes
    /// as many as they like.
    pub fn account_of(&self, caller: &KubeCaller) -> String {
        let user = match self.identify(&self.state.snapshot(), caller.cluster, &caller.presented) {
            Ok(identity) => identity.user,
            Err(_) => User::default(),
        };
        if let Some(id) = user.object_id() {
            return id.to_string();
        }
        let name =
            match user.name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')) {
                Some((namespace, _)) => format!("system:serviceaccounts:{namespace}"),
                None => user.name,
            };
        format!("{}/{name}", caller.cluster)
    }

    /// Refuses credentials that are none of the cluster's.
    pub fn check_credentials(
        &self,
        cluster: ClusterId,
        presented: &Presented,
    ) -> Result<(), Unauthenticated> {
        self.identify(&self.state.snapshot(), cluster, presented).map(drop)
    }

    /// Who presents these credentials to the cluster.
    fn identify(
        &self,
        snapshot: &Snapshot,
        cluster: ClusterId,
        presented: &Presented,
    ) -> Result<Identity, Unauthenticated> {
        if let Some(certificate) = &presented.certificate
            && let Some(user) = self.certificate_user(snapshot, cluster, certificate)?
        {
            return Ok(authenticated(user));
        }
        match &presented.token {
            Token::Bearer(token) => {
                let own = [self.sign_in.service_account_issuer(cluster)];
                self.token_user(snapshot, cluster, token, &own).map(|token| authenticated(token.user))
            }
            Token::None if presented.certificate.is_some() => {
                Err(Unauthenticated("the certificate is not one of this cluster".into()))
            }
            Token::Unusable => Err(Unauthenticated("the authorization header holds no bearer token".into())),
            Token::None => Ok(Identity {
                user: User {
                    name: User::ANONYMOUS.to_owned(),
                    groups: [User::UNAUTHENTICATED.to_owned()].into(),
                    ..User::default()
                },
                anonymous: true,
            }),
        }
    }

    /// Whom a token stands for, if it was made for one of `audiences`; where none is named, for the cluster's own
    /// API server. For a TokenReview.
    pub fn review_presented_token(
        &self,
        caller: &KubeCaller,
        access: &RequestedAccess,
        token: &str,
        audiences: &[String],
    ) -> Result<Result<ReviewedToken, Unauthenticated>, ObjectError> {
        self.allow(caller, access)?;
        let own = [self.sign_in.service_account_issuer(caller.cluster)];
        let audiences = if audiences.is_empty() { &own } else { audiences };
        let reviewed = self.token_user(&self.state.snapshot(), caller.cluster, token, audiences);
        Ok(reviewed.map(|token| ReviewedToken { user: authenticated(token.user).user, ..token }))
    }

    /// Finds who presents this token: a service account of the cluster, a person of an external issuer who was recognized
    /// before ([`recognize_external`](sign_in::SignIn::recognize_external)), or a member of the directory. One of
    /// `audiences` must be among the token's own.
    fn token_user(
        &self,
        snapshot: &Snapshot,
        cluster: ClusterId,
        token: &str,
        audiences: &[String],
    ) -> Result<ReviewedToken, Unauthenticated> {
        if let Some(reviewed) = self.sign_in.service_account_user(snapshot, cluster, token, audiences)? {
            return Ok(reviewed);
        }
        if embedded(snapshot, cluster).is_none_or(|cluster| !cluster.directory) {
            return Err(Unauthenticated(
                "the cluster has local accounts only, and this is none of them".into(),
            ));
        }
        // Whoever signs in to clusters signs in to each of them, and so to its API server.
        let own = self.sign_in.service_account_issuer(cluster);
        if let Some(found) = self.sign_in.external_user(token) {
            let audiences = common_audiences(&[own, found.audience.clone()], audiences)?;
            return Ok(ReviewedToken { user: found.user.clone(), audiences });
        }
        let user =
            self.sign_in.verify_cluster_token(token).map_err(|error| Unauthenticated(error.to_string()))?;
        if is_reserved(&user.name) || user.groups.iter().any(|group| is_reserved(group)) {
            return Err(Unauthenticated(format!("the directory must not name anybody {:?}", user.name)));
        }
        let tenant =
            user.object_id().and_then(|oid| snapshot.directory().principal(oid)).map(|found| found.tenant());
        if embedded(snapshot, cluster).map(|cluster| cluster.tenant) != tenant {
            return Err(Unauthenticated("the caller is of another tenant than the cluster".into()));
        }
        let audiences = common_audiences(&[own, CLUSTER_AUDIENCE.to_owned()], audiences)?;
        Ok(ReviewedToken { user, audiences })
    }

    /// `None`: a certificate that another authority signed, which says nothing here.
    fn certificate_user(
        &self,
        snapshot: &Snapshot,
        cluster: ClusterId,
        der: &[u8],
    ) -> Result<Option<User>, Unauthenticated> {
        let Some(cluster) = embedded(snapshot, cluster) else { return Ok(None) };
        let now = self.state.now();
        let verifier = ClientVerifier::new(&cluster.authority.certificate_pem)
            .map_err(|error| Unauthenticated(format!("the cluster's authority cannot be read: {error}")))?;
        let certificate = Certificate::from_der(der).map_err(|error| Unauthenticated(error.to_string()))?;
        if !verifier.accepts(der, now) {
            return Ok(None);
        }
        let refused =
            || Unauthenticated(format!("certificate {} is not, or no longer, accepted", certificate.serial));
        let record =
            valid_admin_certificate(snapshot, cluster, &certificate.serial, now).ok_or_else(refused)?;
        if certificate.common_name != record.user_name()
            || certificate.organizations != [AdminCertificate::GROUP]
        {
            return Err(refused());
        }
        Ok(Some(User {
            name: record.user_name(),
            groups: [AdminCertificate::GROUP.to_owned()].into(),
            ..User::default()
        }))
    }

    /// The user that the headers ask for, each part decided on its own.
    fn impersonate(
        &self,
        snapshot: &Snapshot,
        cluster: ClusterId,
        caller: &User,
        impersonation: &Impersonation,
    ) -> Result<User, ObjectError> {
        for access in impersonation.access() {
            self.allow_user(snapshot, cluster, caller, &access)?;
        }
        let Impersonation { user, groups, uid, extra } = impersonation;
        let mut groups = groups.clone();
        if groups.is_empty()
            && let Some((namespace, _)) = service_account_of(user)
        {
            groups.push("system:serviceaccounts".to_owned());
            groups.push(format!("system:serviceaccounts:{namespace}"));
        }
        let marker = if user == User::ANONYMOUS { User::UNAUTHENTICATED } else { User::AUTHENTICATED };
        let opposite = if user == User::ANONYMOUS { User::AUTHENTICATED } else { User::UNAUTHENTICATED };
        if !groups.iter().any(|group| group == marker || group == opposite) {
            groups.push(marker.to_owned());
        }
        let impersonated =
            User { name: user.clone(), uid: uid.clone(), groups: groups.into(), extra: extra.clone() };
        Ok(impersonated)
    }
}

impl Impersonation {
    /// Every decision that the impersonation takes, the user first.
    fn access(&self) -> Vec<RequestedAccess> {
        let mut access = vec![match service_account_of(&self.user) {
            Some((namespace, name)) => {
                RequestedAccess::resource("impersonate", "", "serviceaccounts", namespace, name)
            }
            None => RequestedAccess::resource("impersonate", "", "users", "", &self.user),
        }];
        access.extend(
            self.groups.iter().map(|group| RequestedAccess::resource("impersonate", "", "groups", "", group)),
        );
        if !self.uid.is_empty() {
            access.push(RequestedAccess::resource(
                "impersonate",
                AUTHENTICATION_GROUP,
                "uids",
                "",
                &self.uid,
            ));
        }
        for (key, values) in &self.extra {
            access.extend(values.iter().map(|value| RequestedAccess {
                verb: "impersonate".to_owned(),
                target: Target::Resource {
                    group: AUTHENTICATION_GROUP.to_owned(),
                    version: "v1".to_owned(),
                    resource: "userextras".to_owned(),
                    subresource: key.clone(),
                    namespace: String::new(),
                    name: value.clone(),
                },
            }));
        }
        access
    }
}

/// Namespace and name of the service account that a user name stands for.
pub(super) fn service_account_of(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    (!namespace.is_empty() && !name.is_empty()).then_some((namespace, name))
}

fn authenticated(mut user: User) -> Identity {
    if !user.in_group(User::AUTHENTICATED) {
        let more = std::iter::once(User::AUTHENTICATED.to_owned());
        user.groups = user.groups.iter().cloned().chain(more).collect();
    }
    Identity { user, anonymous: false }
}

fn is_reserved(name: &str) -> bool {
    name.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED))
}

const RESERVED: &str = "system:";
const STOPPED: &str = "the cluster is stopped: start it with `az aks start`";
const AUTHENTICATION_GROUP: &str = "authentication.k8s.io";
