//! Puts a world together: names become ids, objects become policies. What does not fit is an error that says
//! where it stands in the file.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Display,
    hash::Hash,
    sync::Arc,
};

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Common, Question, World,
    file::{
        self, CustomResources, KnownOperations, ManagementGroup, ReviewSpec, WorldFile, WrittenAssignment,
        WrittenDeny, WrittenRole,
    },
    groups_of,
};
use crate::{
    assignment::{DenyAssignment, PrincipalKind, RoleAssignment},
    azure::{self, kubernetes::Settings},
    condition::Condition,
    id::{AssignmentId, ObjectId, RoleId},
    kube::{self, Attributes, Manifest, Object, Target, User},
    name::ResourceName,
    review::ClusterAccess,
    role::{Permission, RoleDefinition, RoleKind, Stamp, parse_definition_id},
    scope::Scope,
};

/// What is wrong with a world file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct WorldError {
    /// The path of the key, such as `roleAssignments[2].role`.
    pub place: String,
    pub problem: String,
}

pub(super) fn build(file: WorldFile, common: &Common) -> Result<World, WorldError> {
    check_header(&file)?;
    let mut azure = common.azure.clone();
    put_management_groups(&mut azure, &file.management_groups)?;
    let roles = Roles::collect(file.role_definitions, common)?;
    for role in &roles.custom {
        azure.put_role(RoleDefinition::clone(role));
    }
    azure.put_assignments(assignments(file.role_assignments, &roles)?);
    for deny in denies(file.deny_assignments)? {
        azure.put_deny(deny);
    }
    Ok(World {
        access: access(file.cluster)?,
        kube: kubernetes(file.kubernetes)?,
        azure,
        operations: Arc::clone(&common.operations),
        groups_of: groups_of(&members(file.groups)?),
        questions: file.reviews.into_iter().enumerate().map(question).collect(),
    })
}

fn check_header(file: &WorldFile) -> Result<(), WorldError> {
    let headers = [("apiVersion", &file.api_version, API_VERSION), ("kind", &file.kind, KIND)];
    for (key, found, expected) in headers {
        if found != expected {
            return Err(error(key, format!("\"{found}\" is not known, expected {expected}")));
        }
    }
    Ok(())
}

fn access(cluster: file::Cluster) -> Result<ClusterAccess, WorldError> {
    let id = match cluster.id {
        Some(id) => id,
        None if cluster.azure_rbac => {
            return Err(error(
                "cluster.id",
                "expected the resource id of the cluster, since azureRbac is true",
            ));
        }
        None => Scope::root(),
    };
    let settings = Settings {
        custom_resources: match cluster.custom_resources {
            CustomResources::Attributes => azure::kubernetes::CustomResources::Attributes,
            CustomResources::Literal => azure::kubernetes::CustomResources::Literal,
        },
        operations: match cluster.operations {
            KnownOperations::Published => azure::kubernetes::KnownOperations::Published,
            KnownOperations::None => azure::kubernetes::KnownOperations::None,
        },
        subresource_attribute: cluster.subresource_attribute,
        managed_namespaces: cluster.managed_namespaces,
        fleet: cluster.fleet,
        discovery_paths: cluster.discovery_paths,
        skip_users_without_object_id: cluster.skip_users_without_object_id,
        cluster: id.into(),
    };
    Ok(ClusterAccess {
        kubernetes_rbac: cluster.kubernetes_rbac,
        azure_rbac: cluster.azure_rbac,
        admin_groups: cluster.admin_groups,
        settings,
    })
}

fn put_management_groups(azure: &mut azure::Policy, written: &[ManagementGroup]) -> Result<(), WorldError> {
    let mut names = Distinct::new("management group");
    let mut subscriptions = Distinct::new("subscription");
    let mut parents = BTreeMap::new();
    for (position, group) in written.iter().enumerate() {
        let place = format!("managementGroups[{position}]");
        names.add(&format!("{place}.id"), group.id.folded())?;
        for subscription in &group.subscriptions {
            subscriptions.add(&format!("{place}.subscriptions"), *subscription)?;
        }
        parents.insert(group.id.folded(), group.parent.as_ref().map(ResourceName::folded));
        azure.put_management_group(azure::ManagementGroup {
            name: group.id.clone(),
            parent: group.parent.clone(),
            subscriptions: group.subscriptions.clone(),
        });
    }
    for (position, group) in written.iter().enumerate() {
        let above = |name: &String| parents.get(name).cloned().flatten();
        let chain = std::iter::successors(above(&group.id.folded()), above);
        if chain.take(written.len()).any(|name| name == group.id.folded()) {
            let place = format!("managementGroups[{position}].parent");
            return Err(error(place, format!("management group \"{}\" is above itself", group.id)));
        }
    }
    Ok(())
}

fn members(groups: Vec<file::Group>) -> Result<BTreeMap<ObjectId, Vec<ObjectId>>, WorldError> {
    let mut ids = Distinct::new("group");
    for (position, group) in groups.iter().enumerate() {
        ids.add(&format!("groups[{position}].id"), group.id)?;
    }
    Ok(groups.into_iter().map(|group| (group.id, group.members)).collect())
}

/// The roles that assignments can name.
struct Roles<'a> {
    common: &'a Common,
    custom: Vec<Arc<RoleDefinition>>,
}

impl<'a> Roles<'a> {
    fn collect(written: Vec<WrittenRole>, common: &'a Common) -> Result<Self, WorldError> {
        let mut ids = Distinct::new("role definition");
        let mut custom = Vec::new();
        for (position, role) in written.into_iter().enumerate() {
            let place = format!("roleDefinitions[{position}]");
            let id = parse_definition_id(&role.id).ok_or_else(|| {
                error(format!("{place}.id"), format!("\"{}\" is no GUID or resource id", role.id))
            })?;
            if let Some(role) = common.built_in.role(id) {
                return Err(error(
                    format!("{place}.id"),
                    format!("{id} is the built-in role \"{}\"", role.name),
                ));
            }
            ids.add(&format!("{place}.id"), id)?;
            let definition = RoleDefinition {
                id,
                name: role.role_name.into(),
                description: role.description.unwrap_or_default(),
                kind: RoleKind::Custom,
                assignable_scopes: role.assignable_scopes,
                permissions: role.permissions.into_iter().map(Permission::from).collect(),
                created: WRITTEN,
                updated: WRITTEN,
            };
            definition.check().map_err(|problem| error(place, problem))?;
            custom.push(Arc::new(definition));
        }
        Ok(Self { common, custom })
    }

    fn all(&self) -> impl Iterator<Item = &Arc<RoleDefinition>> {
        self.common.built_in.roles().iter().chain(&self.custom)
    }

    /// By name in any case, GUID or full id.
    fn find(&self, text: &str) -> Result<RoleId, String> {
        if let Some(id) = parse_definition_id(text) {
            let known = self.all().any(|role| role.id == id);
            return if known { Ok(id) } else { Err(format!("no role definition has the id {id}")) };
        }
        match self.all().filter(|role| role.is_named(text)).collect::<Vec<_>>().as_slice() {
            [role] => Ok(role.id),
            [] => Err(format!("\"{text}\" is not the name, GUID or resource id of a role definition")),
            several => {
                let ids: Vec<String> = several.iter().map(|role| role.id.to_string()).collect();
                Err(format!("\"{text}\" is the name of {} role definitions: {}", ids.len(), ids.join(", ")))
            }
        }
    }
}

fn assignments(
    written: Vec<WrittenAssignment>,
    roles: &Roles<'_>,
) -> Result<Vec<RoleAssignment>, WorldError> {
    let mut ids = Distinct::new("role assignment");
    let mut assignments = Vec::with_capacity(written.len());
    for (position, assignment) in written.into_iter().enumerate() {
        let place = format!("roleAssignments[{position}]");
        let role = roles.find(&assignment.role).map_err(|problem| error(format!("{place}.role"), problem))?;
        Condition::check_version(assignment.condition_version.as_deref())
            .map_err(|problem| error(format!("{place}.conditionVersion"), problem))?;
        let id = assignment.id.unwrap_or_else(|| {
            let told = format!("{} {role} {}", assignment.principal_id, assignment.scope.folded());
            generated_id(&place, &told)
        });
        ids.add(&format!("{place}.id"), id)?;
        assignments.push(RoleAssignment {
            id,
            principal: assignment.principal_id,
            // No decision looks at it, and the file does not say.
            principal_kind: PrincipalKind::User,
            role,
            scope: assignment.scope,
            condition: assignment.condition,
            description: None,
            created: WRITTEN,
            updated: WRITTEN,
        });
    }
    Ok(assignments)
}

fn denies(written: Vec<WrittenDeny>) -> Result<Vec<DenyAssignment>, WorldError> {
    let mut ids = Distinct::new("deny assignment");
    let mut denies = Vec::with_capacity(written.len());
    for (position, deny) in written.into_iter().enumerate() {
        let place = format!("denyAssignments[{position}]");
        let id = deny.id.unwrap_or_else(|| generated_id(&place, deny.scope.folded()));
        ids.add(&format!("{place}.id"), id)?;
        let deny = DenyAssignment {
            id,
            name: deny.name.unwrap_or_else(|| place.clone()),
            description: String::new(),
            principals: deny.principals,
            exclude_principals: deny.exclude_principals,
            everyone: deny.everyone,
            scope: deny.scope,
            permissions: deny.permissions.into_iter().map(Permission::from).collect(),
            does_not_apply_to_children: false,
            created: WRITTEN,
            updated: WRITTEN,
        };
        deny.check().map_err(|problem| error(place, problem))?;
        denies.push(deny);
    }
    Ok(denies)
}

fn kubernetes(manifests: Vec<Manifest>) -> Result<kube::Policy, WorldError> {
    let mut keys = HashSet::new();
    let mut objects = Vec::with_capacity(manifests.len());
    for (position, mut manifest) in manifests.into_iter().enumerate() {
        let place = format!("kubernetes[{position}] ({} \"{}\")", manifest.kind, manifest.metadata.name);
        // As kubectl does with a manifest that names none.
        if manifest.kind().is_ok_and(kube::manifest::Kind::is_namespaced) {
            manifest.metadata.namespace.get_or_insert_with(|| DEFAULT_NAMESPACE.to_owned());
        }
        let object = Object::try_from(manifest).map_err(|problem| error(&place, problem))?;
        if !keys.insert(object.key()) {
            return Err(error(place, "this object appears twice"));
        }
        objects.push(object);
    }
    let mut policy = kube::Policy::default();
    policy.extend(objects);
    Ok(policy)
}

fn question((position, review): (usize, file::Review)) -> Question {
    Question {
        name: review.name.unwrap_or_else(|| format!("reviews[{position}]")),
        expectation: review.expect,
        attributes: attributes(review.spec),
    }
}

/// What a review asks, under the rules of kube-apiserver for its spec.
fn attributes(spec: ReviewSpec) -> Result<Attributes, String> {
    let (verb, target) = match (spec.resource_attributes, spec.non_resource_attributes) {
        (Some(asked), None) => {
            let target = Target::Resource {
                group: asked.group.unwrap_or_default(),
                version: asked.version.unwrap_or_default(),
                resource: asked.resource.unwrap_or_default(),
                subresource: asked.subresource.unwrap_or_default(),
                namespace: asked.namespace.unwrap_or_default(),
                name: asked.name.unwrap_or_default(),
            };
            (asked.verb, target)
        }
        (None, Some(asked)) => (asked.verb, Target::Path(asked.path.unwrap_or_default())),
        (Some(_), Some(_)) | (None, None) => {
            return Err(
                "exactly one of nonResourceAttributes or resourceAttributes must be specified".to_owned()
            );
        }
    };
    let user = User {
        name: spec.user.unwrap_or_default(),
        uid: spec.uid.unwrap_or_default(),
        groups: spec.groups.into(),
        extra: spec.extra.unwrap_or_default(),
    };
    if user.name.is_empty() && user.groups.is_empty() {
        return Err("at least one of user or groups must be specified".to_owned());
    }
    Ok(Attributes { user, verb: verb.unwrap_or_default(), target })
}

/// What may stand in a file once only.
struct Distinct<T> {
    what: &'static str,
    seen: HashSet<T>,
}

impl<T: Clone + Display + Eq + Hash> Distinct<T> {
    fn new(what: &'static str) -> Self {
        Self { what, seen: HashSet::new() }
    }

    fn add(&mut self, place: &str, value: T) -> Result<(), WorldError> {
        let problem = format!("{} {value} appears twice", self.what);
        if self.seen.insert(value) { Ok(()) } else { Err(error(place, problem)) }
    }
}

/// For an assignment without an id: the same file gives the same one each time.
fn generated_id(place: &str, told: &str) -> AssignmentId {
    AssignmentId::new(Uuid::new_v5(
        &Uuid::NAMESPACE_URL,
        format!("portcullis world {place} {told}").as_bytes(),
    ))
}

fn error(place: impl Into<String>, problem: impl ToString) -> WorldError {
    WorldError { place: place.into(), problem: problem.to_string() }
}

const API_VERSION: &str = "portcullis.io/v1";
const KIND: &str = "World";
const DEFAULT_NAMESPACE: &str = "default";
const WRITTEN: Stamp = Stamp { by: None, at: Timestamp::UNIX_EPOCH };
