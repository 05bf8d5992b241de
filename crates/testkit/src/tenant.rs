//! One tenant of a world, with methods that create objects as its administrator. All objects that are created, found
//! or signed in here belong to this tenant.

use std::{collections::BTreeMap, sync::Arc};

use app::{
    App, Caller, Secret,
    directory::{
        applications::{ApplicationUpdate, NewSecret},
        audience::Resource,
        groups::NewGroup,
        users::NewUser,
    },
    resource_manager::{
        aliases::NewSubscription,
        assignments::NewAssignment,
        clusters::{ClusterName, NewCluster},
    },
    sign_in::tokens::{TokenRequest, Version, claims::ClientProof},
};
use domain::{
    assignment::RoleAssignment,
    cluster::{Cluster, Serving},
    id::{AppId, AssignmentId, ObjectId, RoleId, SubscriptionId, TenantId},
    name::{DisplayName, ResourceName, Upn},
    scope::Scope,
};
use uuid::Uuid;

use crate::{PASSWORD, clients};

#[derive(Clone, Debug)]
pub struct Tenant {
    pub(crate) app: App,
    pub id: TenantId,
    pub domain: String,
    /// Its first subscription.
    pub subscription: SubscriptionId,
    /// `admin@DOMAIN`, who administers the directory and owns all subscriptions.
    pub admin: Caller,
}

/// An application and its service principal in the same tenant.
#[derive(Clone, Copy, Debug)]
pub struct Registered {
    pub application: ObjectId,
    pub app_id: AppId,
    pub principal: ObjectId,
}

impl Tenant {
    /// Creates a user with this user principal name.
    pub async fn user(&self, upn: &str) -> ObjectId {
        self.user_with(upn, |_| {}).await
    }

    pub async fn user_with(&self, upn: &str, change: impl FnOnce(&mut NewUser)) -> ObjectId {
        let mut new = new_user(upn);
        change(&mut new);
        self.app.directory().create_user(&self.admin, new).await.unwrap().id
    }

    /// Creates a user and returns them as a caller.
    pub async fn person(&self, upn: &str) -> Caller {
        let id = self.user(upn).await;
        self.caller(id)
    }

    pub async fn group(&self, name: &str, members: &[ObjectId]) -> ObjectId {
        let new = NewGroup {
            display_name: DisplayName::parse(name).unwrap(),
            mail_nickname: name.to_owned(),
            description: None,
        };
        let group = self.app.directory().create_group(&self.admin, new).await.unwrap().id;
        for member in members {
            self.app.directory().add_member(&self.admin, group, *member).await.unwrap();
        }
        group
    }

    pub async fn application(&self, name: &str) -> Registered {
        self.application_with(name, ApplicationUpdate::default()).await
    }

    pub async fn application_with(&self, name: &str, update: ApplicationUpdate) -> Registered {
        let name = DisplayName::parse(name).unwrap();
        let made = self.app.directory().create_application(&self.admin, name, update).await.unwrap();
        let principal =
            self.app.directory().create_service_principal(&self.admin, made.app_id).await.unwrap().id;
        Registered { application: made.id, app_id: made.app_id, principal }
    }

    /// Adds a secret to an application.
    pub async fn secret(&self, application: ObjectId) -> String {
        let new = NewSecret { display_name: None, start: None, end: None };
        let issued =
            self.app.directory().add_application_secret(&self.admin, application, new).await.unwrap();
        issued.text.expose().clone()
    }

    /// Creates a subscription that the administrator owns.
    pub async fn subscription(&self, name: &str) -> SubscriptionId {
        let alias = ResourceName::parse(name).unwrap();
        self.app
            .resource_manager()
            .put_alias(&self.admin, &alias, NewSubscription::default())
            .await
            .unwrap()
            .0
            .id
    }

    /// Creates a resource group in the first subscription.
    pub async fn resource_group(&self, name: &str) -> Scope {
        let group = ResourceName::parse(name).unwrap();
        let made = self.app.resource_manager().put_resource_group(
            &self.admin,
            self.subscription,
            &group,
            "local",
            BTreeMap::new(),
        );
        made.await.unwrap();
        Scope::parse(&format!("/subscriptions/{}/resourceGroups/{name}", self.subscription)).unwrap()
    }

    /// Creates an embedded cluster in the resource group `rg`, which is created if missing.
    pub async fn cluster(&self, name: &str) -> Arc<Cluster> {
        self.cluster_with(name, |_| {}).await
    }

    pub async fn cluster_with(&self, name: &str, change: impl FnOnce(&mut NewCluster)) -> Arc<Cluster> {
        self.resource_group("rg").await;
        let mut new = NewCluster::new(Serving::Embedded, "local");
        change(&mut new);
        self.app.resource_manager().put_cluster(&self.admin, &self.cluster_name(name), new).await.unwrap().0
    }

    /// The name of a cluster that [`Tenant::cluster`] creates.
    pub fn cluster_name(&self, name: &str) -> ClusterName {
        ClusterName {
            subscription: self.subscription,
            resource_group: ResourceName::parse("rg").unwrap(),
            name: ResourceName::parse(name).unwrap(),
        }
    }

    /// The scope of the first subscription.
    pub fn scope(&self) -> Scope {
        Scope::subscription(self.subscription)
    }

    /// The scope of its root management group, above all of its subscriptions.
    pub fn root(&self) -> Scope {
        Scope::management_group(&ResourceName::parse(&self.id.to_string()).unwrap())
    }

    /// Assigns a role of [`roles`](crate::roles), or any other.
    pub async fn assign(&self, principal: ObjectId, role: &str, scope: &Scope) -> Arc<RoleAssignment> {
        let id = AssignmentId::new(Uuid::new_v5(&principal.uuid(), format!("{role}{scope}").as_bytes()));
        let new = NewAssignment {
            principal,
            principal_kind: None,
            role: RoleId::parse(role).unwrap(),
            condition: None,
            description: None,
        };
        self.app.resource_manager().put_assignment(&self.admin, id, scope, new).await.unwrap().0
    }

    /// A user or service principal of this tenant as a caller, with the client id of the command line.
    #[track_caller]
    pub fn caller(&self, id: ObjectId) -> Caller {
        let snapshot = self.app.whole_snapshot();
        let directory = snapshot.directory();
        let client = AppId::parse(clients::CLI).unwrap();
        let user = directory.user(id).map(|user| Caller::of_user(user, client));
        let principal = || {
            let principal = directory.service_principal(id)?;
            Some(Caller::of_service_principal(principal, principal.app_id))
        };
        let caller = user.or_else(principal).unwrap_or_else(|| panic!("nobody has the id {id}"));
        assert_eq!(caller.tenant, self.id, "{id} belongs to another tenant");
        caller
    }

    /// A token for Graph and Resource Manager.
    pub async fn token(&self, caller: &Caller) -> String {
        self.token_for(caller, Resource::Management(self.app.settings().external_url.clone())).await
    }

    /// A token for clusters.
    pub async fn cluster_token(&self, caller: &Caller) -> String {
        self.token_for(caller, Resource::Cluster).await
    }

    /// An access token, as issued at sign-in, for a principal of this tenant.
    pub async fn token_for(&self, caller: &Caller, resource: Resource) -> String {
        assert_eq!(caller.tenant, self.id, "{} belongs to another tenant", caller.name);
        let request = TokenRequest {
            tenant: self.id,
            subject: caller.object_id,
            client: caller.app_id,
            client_proof: ClientProof::None,
            resource,
            version: Version::V2,
            session: caller.session,
            methods: vec!["pwd".into()],
        };
        self.app.sign_in().issue_access_token(&request).await.unwrap().token
    }
}

/// The data of an enabled user.
pub fn new_user(upn: &str) -> NewUser {
    NewUser {
        upn: Upn::parse(upn).unwrap(),
        display_name: DisplayName::parse(upn).unwrap(),
        enabled: true,
        password: Some(Secret::new(PASSWORD.to_owned())),
        must_change_password: false,
        mail_nickname: None,
        mail: None,
        given_name: None,
        surname: None,
        job_title: None,
    }
}
