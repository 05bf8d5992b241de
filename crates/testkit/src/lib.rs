//! Fixtures for tests: an application on an in-memory store with one or two tenants, a clock that tests set, random
//! numbers that repeat in each run, and an in-process client of a router.
//!
//! Only tests and benchmarks use it. It makes no assertions about the product; those are in the tests. `testserver`
//! starts a whole server with its own address.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let world = testkit::World::with_two_tenants().await;
//! let alice = world.home.user("alice@example.org").await;
//! let stranger = world.tenant("elsewhere.example").admin.clone();
//! assert!(world.app.directory().find_user(&world.home.admin, &alice.to_string()).is_ok());
//! assert!(world.app.directory().find_user(&stranger, &alice.to_string()).is_err());
//! # });
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a world that cannot be made ends its test"
)]

mod client;
mod random;
mod rendezvous;
mod tenant;
mod world;

#[cfg(test)]
mod tests;

pub use client::{Answer, Client, Form, form};
pub use random::Seeded;
pub use rendezvous::Rendezvous;
pub use tenant::{Registered, Tenant, new_user};
pub use world::{Builder, World, sealer};

/// The default external URL of a world.
pub const BASE: &str = "https://localhost:8443";
/// The domain of the first tenant.
pub const HOME: &str = "example.org";
/// The domain of the second tenant.
pub const ELSEWHERE: &str = "elsewhere.example";
/// The password of every user that is created here.
pub const PASSWORD: &str = "correct horse battery";

/// Client ids that every installation has.
pub mod clients {
    /// `portcullis`.
    pub const CLI: &str = "b0c5f1a2-6d3e-4c1b-9f7a-2e8d4a6c0f31";
    /// `az`.
    pub const AZURE_CLI: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
    /// The server application of clusters: the audience of cluster tokens.
    pub const CLUSTER: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";
}

/// Built-in role definitions of Azure.
pub mod roles {
    pub const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
    pub const CONTRIBUTOR: &str = "b24988ac-6180-42a0-ab88-20f7382dd24c";
    pub const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
}

/// The claims of a token, unverified.
pub fn claims(token: &str) -> serde_json::Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
