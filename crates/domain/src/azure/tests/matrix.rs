//! What each built-in role that matters gives, by the scope that it is assigned at: one reviewed picture, decided by the
//! engine itself. A letter that changes here is a change of somebody's access.

use std::fmt::Write;

use super::*;

const SUBSCRIPTION: &str = "/subscriptions/11111111-0000-0000-0000-000000000001";
const GROUP: &str = "/subscriptions/11111111-0000-0000-0000-000000000001/resourceGroups/rg";
const SIBLING: &str = "/subscriptions/11111111-0000-0000-0000-000000000001/resourceGroups/other";
const ABOVE: &str = "/providers/Microsoft.Management/managementGroups/company";

/// Where a role is assigned: the letter of the column, and the scope. `r` is the resource that the action is on.
const PLACES: [(&str, &str); 7] =
    [("/", "/"), ("m", ABOVE), ("s", SUBSCRIPTION), ("g", GROUP), ("r", ""), ("n", ""), ("o", SIBLING)];

const ROLES: [&str; 18] = [
    "Owner",
    "Contributor",
    "Reader",
    "User Access Administrator",
    "Role Based Access Control Administrator",
    "Azure Kubernetes Service Cluster Admin Role",
    "Azure Kubernetes Service Cluster User Role",
    "Azure Kubernetes Service Cluster Monitoring User",
    "Azure Kubernetes Service Contributor Role",
    "Azure Kubernetes Service RBAC Reader",
    "Azure Kubernetes Service RBAC Writer",
    "Azure Kubernetes Service RBAC Admin",
    "Azure Kubernetes Service RBAC Cluster Admin",
    "Azure Kubernetes Service Agent Pool Manager Role",
    "Managed Identity Operator",
    "Managed Identity Contributor",
    "AcrPull",
    "Network Contributor",
];

/// What an action is asked for on.
#[derive(Clone, Copy, Debug)]
enum On {
    ManagementGroup,
    Subscription,
    Group,
    Cluster,
    Identity,
    Registry,
    Network,
    /// One namespace of the cluster.
    Namespace,
}

impl On {
    fn name(self) -> &'static str {
        match self {
            Self::ManagementGroup => "company",
            Self::Subscription => "subscription",
            Self::Group => "group",
            Self::Cluster => "cluster",
            Self::Identity => "identity",
            Self::Registry => "registry",
            Self::Network => "network",
            Self::Namespace => "shop",
        }
    }

    fn scope(self) -> String {
        match self {
            Self::ManagementGroup => ABOVE.into(),
            Self::Subscription => SUBSCRIPTION.into(),
            Self::Group => GROUP.into(),
            Self::Cluster => cluster(),
            Self::Identity => {
                format!("{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i1")
            }
            Self::Registry => format!("{GROUP}/providers/Microsoft.ContainerRegistry/registries/r1"),
            Self::Network => format!("{GROUP}/providers/Microsoft.Network/virtualNetworks/v1"),
            Self::Namespace => format!("{}/namespaces/shop", cluster()),
        }
    }

    /// The resource itself, which holds the namespace.
    fn resource(self) -> String {
        match self {
            Self::Namespace => cluster(),
            Self::ManagementGroup | Self::Subscription | Self::Group => format!("{GROUP}/providers/A.B/c/d"),
            Self::Cluster | Self::Identity | Self::Registry | Self::Network => self.scope(),
        }
    }
}

fn cluster() -> String {
    format!("{GROUP}/providers/Microsoft.ContainerService/managedClusters/c1")
}

const CONTROL: &[(On, &str, &[&str])] = &[
    (
        On::ManagementGroup,
        "Microsoft.Management/managementGroups",
        &["read", "write", "delete", "subscriptions/write", "subscriptions/delete"],
    ),
    (On::Subscription, "Microsoft.Resources/subscriptions", &["read", "resourceGroups/read"]),
    (On::Group, "Microsoft.Resources/subscriptions/resourceGroups", &["read", "write", "delete"]),
    (
        On::Group,
        "Microsoft.Authorization",
        &[
            "roleAssignments/read",
            "roleAssignments/write",
            "roleAssignments/delete",
            "roleDefinitions/read",
            "roleDefinitions/write",
            "roleDefinitions/delete",
            "denyAssignments/read",
            "permissions/read",
            "locks/read",
            "locks/write",
            "locks/delete",
            "roleEligibilityScheduleRequests/write",
        ],
    ),
    (
        On::Cluster,
        "Microsoft.ContainerService/managedClusters",
        &[
            "read",
            "write",
            "delete",
            "listClusterUserCredential/action",
            "listClusterAdminCredential/action",
            "listClusterMonitoringUserCredential/action",
            "accessProfiles/listCredential/action",
            "rotateClusterCertificates/action",
            "start/action",
            "stop/action",
            "runCommand/action",
            "agentPools/read",
            "agentPools/write",
            "agentPools/delete",
            "upgradeProfiles/read",
            "trustedAccessRoleBindings/read",
            "trustedAccessRoleBindings/write",
            "trustedAccessRoleBindings/delete",
            "adminCertificates/read",
            "adminCertificates/revoke/action",
            "listWebhookCredential/action",
            "webhookCertificates/read",
            "webhookCertificates/end/action",
        ],
    ),
    (
        On::Identity,
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        &[
            "read",
            "write",
            "delete",
            "assign/action",
            "federatedIdentityCredentials/read",
            "federatedIdentityCredentials/write",
            "federatedIdentityCredentials/delete",
        ],
    ),
    (On::Registry, "Microsoft.ContainerRegistry/registries", &["read", "pull/read", "push/write"]),
    (On::Network, "Microsoft.Network/virtualNetworks", &["read", "subnets/join/action", "subnets/write"]),
];

const DATA: &[(On, &[&str])] = &[
    (
        On::Namespace,
        &[
            "pods/read",
            "pods/write",
            "pods/delete",
            "pods/exec/action",
            "pods/attach/action",
            "pods/portforward/action",
            "apps/deployments/read",
            "apps/deployments/write",
            "configmaps/write",
            "secrets/read",
            "secrets/write",
            "serviceaccounts/write",
            "serviceaccounts/impersonate/action",
            "events/read",
            "coordination.k8s.io/leases/write",
            "resourcequotas/read",
            "resourcequotas/write",
            "namespaces/read",
            "namespaces/write",
            "namespaces/delete",
            "rbac.authorization.k8s.io/roles/read",
            "rbac.authorization.k8s.io/roles/write",
            "rbac.authorization.k8s.io/roles/bind/action",
            "rbac.authorization.k8s.io/roles/escalate/action",
            "rbac.authorization.k8s.io/rolebindings/write",
            "customresources/read",
            "customresources/write",
        ],
    ),
    (
        On::Cluster,
        &[
            "pods/read",
            "secrets/read",
            "nodes/read",
            "nodes/write",
            "nodes/proxy/action",
            "metrics.k8s.io/nodes/read",
            "users/impersonate/action",
            "groups/impersonate/action",
            "rbac.authorization.k8s.io/clusterroles/write",
            "rbac.authorization.k8s.io/clusterroles/bind/action",
            "rbac.authorization.k8s.io/clusterrolebindings/write",
            "healthz/read",
        ],
    ),
];

/// The engine, with somebody for each role at each scope.
struct Matrix {
    policy: Policy,
    people: Vec<(&'static str, String)>,
}

impl Matrix {
    fn new() -> Self {
        let mut matrix = Self { policy: empty_policy(), people: Vec::new() };
        let company = ResourceName::parse("company").unwrap();
        let subscriptions = vec![SubscriptionId::parse(SUBSCRIPTION.rsplit('/').next().unwrap()).unwrap()];
        matrix.policy.put_management_group(ManagementGroup { name: company, parent: None, subscriptions });
        matrix
    }

    /// Somebody with this role there and nothing else.
    fn person(&mut self, role: &'static str, at: String) -> Caller {
        let wanted = (role, at);
        let known = self.people.iter().position(|each| *each == wanted);
        let number = known.unwrap_or(self.people.len()) as u128 + 1;
        if known.is_none() {
            let id = self.policy.role_named(role).unwrap().id;
            self.policy.put_assignment(assignment(number, object(number), id, scope(&wanted.1)));
            self.people.push(wanted);
        }
        caller(object(number), &[])
    }

    /// The letters of one row: `y` where the role, assigned there, gives the action.
    fn row(&mut self, role: &'static str, on: On, access: &Access) -> String {
        let mut letters = String::new();
        for (name, place) in PLACES {
            let at = match name {
                "r" => on.resource(),
                "n" => format!("{}/namespaces/shop", cluster()),
                _ => place.to_owned(),
            };
            let person = self.person(role, at);
            let allowed = self.policy.decide(&person, access, now()).is_allowed();
            letters.push_str(if allowed { " y" } else { " -" });
        }
        // Nobody else gets anything by it.
        assert!(!self.policy.decide(&caller(object(0), &[]), access, now()).is_allowed());
        letters
    }
}

/// Every action that is asked for, as the picture names it.
fn rows() -> Vec<(String, On, Access)> {
    let control = CONTROL.iter().flat_map(|(on, provider, actions)| {
        actions.iter().map(move |action| {
            let access = Access::control_plane(scope(&on.scope()), &format!("{provider}/{action}"));
            (format!("{} {}/{action}", on.name(), provider.trim_start_matches("Microsoft.")), *on, access)
        })
    });
    let data = DATA.iter().flat_map(|(on, actions)| {
        actions.iter().map(move |action| {
            let full = format!("Microsoft.ContainerService/managedClusters/{action}");
            (format!("{} data: {action}", on.name()), *on, Access::data_plane(scope(&on.scope()), &full))
        })
    });
    control.chain(data).collect()
}

#[test]
fn what_each_role_gives_at_each_scope_is_as_it_was_reviewed() {
    let rows = rows();
    let mut grid = format!(
        "{} actions, each asked for on what it begins with.\n\
         Columns, where the role is assigned: / root, m management group, s subscription, g resource group,\n\
         r the resource itself (of what is none: one in the group), n namespace \"shop\" of the cluster,\n\
         o another resource group. What a role gives nowhere is left out.\n",
        rows.len()
    );
    let mut matrix = Matrix::new();
    let heads: String = PLACES.iter().map(|(name, _)| format!(" {name}")).collect();
    for role in ROLES {
        write!(grid, "\n{role:<91}{heads}\n").unwrap();
        let mut nowhere = 0;
        for (name, on, access) in &rows {
            let letters = matrix.row(role, *on, access);
            if letters.contains('y') {
                writeln!(grid, "  {name:<89}{letters}").unwrap();
            } else {
                nowhere += 1;
            }
        }
        writeln!(grid, "  and nothing of {nowhere} others").unwrap();
    }
    insta::assert_snapshot!("roles_by_scope", grid);
}
