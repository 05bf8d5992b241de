//! Applications that exist in every tenant without being created, under the ids that clients have built in.

use domain::id::AppId;
use uuid::{Uuid, uuid};

/// A first-party client or resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WellKnown {
    pub app_id: Uuid,
    pub name: &'static str,
    /// May use flows that prove no secret.
    pub public_client: bool,
    /// May send user names and passwords.
    pub password_grant: bool,
    pub redirect_uris: &'static [&'static str],
}

pub fn find(app_id: AppId) -> Option<&'static WellKnown> {
    ALL.iter().find(|each| each.app_id == app_id.uuid())
}

/// The audience of cluster tokens.
pub const CLUSTER_AUDIENCE: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";
/// Microsoft Graph's application, another name of ours.
pub const GRAPH_AUDIENCE: &str = "00000003-0000-0000-c000-000000000000";
pub const PORTAL: Uuid = uuid!("c44b4083-3bb0-49c1-b47d-974e53cbdf3c");

/// The built-in role Owner.
pub const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";

const LOOPBACK: &[&str] = &["http://localhost", "http://127.0.0.1"];

pub const ALL: &[WellKnown] = &[
    WellKnown {
        app_id: uuid!("04b07795-8ddb-461a-bbee-02f9e1bf7b46"),
        name: "Azure CLI",
        public_client: true,
        password_grant: false,
        redirect_uris: LOOPBACK,
    },
    WellKnown {
        app_id: uuid!("80faf920-1908-4b52-b5ef-a8e7bedfc67a"),
        name: "Kubelogin",
        public_client: true,
        password_grant: false,
        redirect_uris: LOOPBACK,
    },
    WellKnown {
        app_id: uuid!("b0c5f1a2-6d3e-4c1b-9f7a-2e8d4a6c0f31"),
        name: "Portcullis command line",
        public_client: true,
        password_grant: true,
        redirect_uris: LOOPBACK,
    },
    WellKnown {
        app_id: uuid!("6dae42f8-4368-4678-94ff-3960e28e3630"),
        name: "Kubernetes Service AAD Server",
        public_client: false,
        password_grant: false,
        redirect_uris: &[],
    },
    WellKnown {
        app_id: PORTAL,
        name: "Portcullis portal",
        public_client: false,
        password_grant: false,
        redirect_uris: &[],
    },
];
