//! One write as data: which record was put or deleted. The snapshot is built by applying these in order, and nothing
//! else changes it.

use serde::{Deserialize, Serialize};

use crate::{
    application::{Application, ServicePrincipal},
    assignment::{DenyAssignment, RoleAssignment},
    cluster::{AdminCertificate, Cluster},
    group::{Group, Membership},
    id::{AssignmentId, ClusterId, ObjectId, RoleId, SubscriptionId, TenantId},
    key::SigningKey,
    lock::Lock,
    management_group::ManagementGroup,
    object::{Object, ObjectKey},
    resource::Resource,
    role::RoleDefinition,
    subscription::{ResourceGroup, Subscription},
    tenant::Tenant,
    unfinished::Unfinished,
    user::User,
};

/// A live record: always in memory; a decision may depend on it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Record {
    Tenant(Tenant),
    User(User),
    Group(Group),
    Membership(Membership),
    Application(Application),
    ServicePrincipal(ServicePrincipal),
    ManagementGroup(ManagementGroup),
    Subscription(Subscription),
    ResourceGroup(ResourceGroup),
    Resource(Resource),
    Role(RoleDefinition),
    Assignment(RoleAssignment),
    DenyAssignment(DenyAssignment),
    /// A resource lock of Resource Manager (`Microsoft.Authorization/locks`).
    Lock(Lock),
    Cluster(Box<Cluster>),
    AdminCertificate(AdminCertificate),
    SigningKey(SigningKey),
    /// Work that takes several transactions.
    Unfinished(Unfinished),
    /// An object of a cluster, stored as its own JSON: cluster, group, resource, namespace and name are in the store key.
    #[serde(skip)]
    Object(Object),
}

/// Where a record is: its kind and identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKey {
    Tenant(TenantId),
    User(ObjectId),
    Group(ObjectId),
    Membership(Membership),
    Application(ObjectId),
    ServicePrincipal(ObjectId),
    /// Lower case.
    ManagementGroup(String),
    Subscription(SubscriptionId),
    /// Name in lower case.
    ResourceGroup(SubscriptionId, String),
    /// Resource id in lower case.
    Resource(String),
    Role(RoleId),
    Assignment(AssignmentId),
    DenyAssignment(AssignmentId),
    /// As [`Lock::key`] makes it.
    Lock(String),
    Cluster(ClusterId),
    AdminCertificate(ClusterId, String),
    SigningKey(String),
    /// As [`Work::key`](crate::unfinished::Work::key) makes it.
    Unfinished(String),
    Object(ObjectKey),
}

#[derive(Clone, Debug)]
pub enum Change {
    Put(Record),
    Delete(RecordKey),
}

impl Record {
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Tenant(record) => RecordKey::Tenant(record.id),
            Self::User(record) => RecordKey::User(record.id),
            Self::Group(record) => RecordKey::Group(record.id),
            Self::Membership(record) => RecordKey::Membership(*record),
            Self::Application(record) => RecordKey::Application(record.id),
            Self::ServicePrincipal(record) => RecordKey::ServicePrincipal(record.id),
            Self::ManagementGroup(record) => RecordKey::ManagementGroup(record.name.folded()),
            Self::Subscription(record) => RecordKey::Subscription(record.id),
            Self::ResourceGroup(record) => {
                RecordKey::ResourceGroup(record.subscription, record.name.folded())
            }
            Self::Resource(record) => RecordKey::Resource(record.id.folded().to_owned()),
            Self::Role(record) => RecordKey::Role(record.id),
            Self::Assignment(record) => RecordKey::Assignment(record.id),
            Self::DenyAssignment(record) => RecordKey::DenyAssignment(record.id),
            Self::Lock(record) => RecordKey::Lock(Lock::key(&record.scope, record.name.as_str())),
            Self::Cluster(record) => RecordKey::Cluster(record.id),
            Self::AdminCertificate(record) => {
                RecordKey::AdminCertificate(record.cluster, record.serial.clone())
            }
            Self::SigningKey(record) => RecordKey::SigningKey(record.key.kid.clone()),
            Self::Unfinished(record) => RecordKey::Unfinished(record.work.key()),
            Self::Object(record) => RecordKey::Object(record.key.clone()),
        }
    }
}

impl Change {
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Put(record) => record.key(),
            Self::Delete(key) => key.clone(),
        }
    }
}
