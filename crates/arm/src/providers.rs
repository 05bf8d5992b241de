//! Resource providers: the served resource types and their API versions. All are registered in every subscription.
//! Any well-formed version is accepted; the listed ones are for clients that choose from the list.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::id::SubscriptionId;
use http::StatusCode;
use serde_json::{Value, json};

use crate::{call::Call, error::ArmError};

struct Provider {
    namespace: &'static str,
    /// Type, and whether its resources have a location.
    types: &'static [(&'static str, bool)],
    /// The newest first.
    versions: &'static [&'static str],
}

pub(crate) fn list(call: &Call<'_>) -> Result<Response, ArmError> {
    let subscription = call.subscription()?;
    call.app.resource_manager().find_subscription(&call.caller, subscription)?;
    let value: Vec<Value> = PROVIDERS.iter().map(|each| each.render(subscription)).collect();
    Ok(Json(json!({"value": value})).into_response())
}

pub(crate) fn show(call: &Call<'_>) -> Result<Response, ArmError> {
    let subscription = call.subscription()?;
    call.app.resource_manager().find_subscription(&call.caller, subscription)?;
    Ok(Json(find(call)?.render(subscription)).into_response())
}

pub(crate) fn register(call: &Call<'_>) -> Result<Response, ArmError> {
    let subscription = call.subscription()?;
    let provider = find(call)?;
    call.app.resource_manager().register_provider(&call.caller, subscription, provider.namespace)?;
    Ok(Json(provider.render(subscription)).into_response())
}

fn find(call: &Call<'_>) -> Result<&'static Provider, ArmError> {
    let namespace = call.name("namespace");
    let found = PROVIDERS.iter().find(|provider| provider.namespace.eq_ignore_ascii_case(namespace));
    found.ok_or_else(|| {
        let namespace: String = namespace.chars().take(80).collect();
        let text = format!("The resource namespace '{namespace}' is invalid.");
        ArmError::new(StatusCode::NOT_FOUND, "InvalidResourceNamespace", text)
    })
}

impl Provider {
    fn render(&self, subscription: SubscriptionId) -> Value {
        let types = self.types.iter().map(|(name, placed)| {
            let locations: &[&str] = if *placed { &["Local"] } else { &[] };
            json!({
                "resourceType": name,
                "locations": locations,
                "apiVersions": self.versions,
                "defaultApiVersion": self.versions.first(),
                "capabilities": "None",
            })
        });
        json!({
            "id": format!("/subscriptions/{subscription}/providers/{}", self.namespace),
            "namespace": self.namespace,
            "registrationState": "Registered",
            "registrationPolicy": "RegistrationRequired",
            "resourceTypes": types.collect::<Vec<_>>(),
        })
    }
}

const fn provider(
    namespace: &'static str,
    types: &'static [(&'static str, bool)],
    versions: &'static [&'static str],
) -> Provider {
    Provider { namespace, types, versions }
}

const PROVIDERS: &[Provider] = &[
    provider(
        "Microsoft.Authorization",
        &[
            ("roleDefinitions", false),
            ("roleAssignments", false),
            ("denyAssignments", false),
            ("permissions", false),
            ("locks", false),
            ("checkAccess", false),
        ],
        &["2022-04-01", "2020-05-01", "2018-09-01-preview", "2016-09-01", "2015-07-01"],
    ),
    provider("Microsoft.Compute", &[("virtualMachineScaleSets", true), ("disks", true)], &["2024-07-01"]),
    provider("Microsoft.ContainerRegistry", &[("registries", true)], &["2023-07-01", "2019-05-01"]),
    provider(
        "Microsoft.ContainerService",
        &[
            ("managedClusters", true),
            ("managedClusters/agentPools", true),
            ("managedClusters/trustedAccessRoleBindings", true),
            ("locations", false),
            ("locations/kubernetesVersions", true),
        ],
        &["2026-06-01", "2025-05-01", "2024-09-01", "2024-02-01"],
    ),
    provider(
        "Microsoft.ManagedIdentity",
        &[
            ("identities", false),
            ("userAssignedIdentities", true),
            ("userAssignedIdentities/federatedIdentityCredentials", true),
        ],
        &["2024-11-30", "2023-01-31"],
    ),
    provider(
        "Microsoft.Management",
        &[("managementGroups", false), ("getEntities", false), ("checkNameAvailability", false)],
        &["2021-04-01", "2020-05-01"],
    ),
    provider(
        "Microsoft.Network",
        &[
            ("virtualNetworks", true),
            ("networkSecurityGroups", true),
            ("publicIPAddresses", true),
            ("privateDnsZones", true),
        ],
        &["2024-05-01", "2023-11-01"],
    ),
    provider("Microsoft.OperationalInsights", &[("workspaces", true)], &["2023-09-01", "2022-10-01"]),
    provider("Microsoft.OperationsManagement", &[("solutions", true)], &["2015-11-01-preview"]),
    provider(
        "Microsoft.Resources",
        &[
            ("tenants", false),
            ("subscriptions", false),
            ("subscriptions/resourceGroups", true),
            ("subscriptions/locations", false),
            ("subscriptions/providers", false),
            ("resourceGroups", true),
            ("providers", false),
        ],
        &["2024-11-01", "2022-12-01", "2021-04-01"],
    ),
    provider("Microsoft.Storage", &[("storageAccounts", true)], &["2024-01-01", "2023-05-01"]),
    provider("Microsoft.Subscription", &[("aliases", false)], &["2021-10-01", "2020-09-01"]),
];
