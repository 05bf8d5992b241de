//! The part of Microsoft Graph for the directory: users, groups, applications, service principals.
//!
//! It only translates: it parses bodies, calls use cases and renders records in Graph's format. `app` authorizes
//! changes; every member of a tenant may read its directory, as in Entra.

mod applications;
mod call;
mod collection;
mod directory_objects;
mod directory_roles;
mod error;
mod federated_credentials;
mod filter;
#[cfg(test)]
mod fuzz;
mod groups;
mod me;
mod memberships;
mod organization;
mod page;
mod permission_grants;
mod reference;
mod routes;
mod service_principals;
mod users;

pub use routes::{routes, surface};

#[cfg(test)]
mod tests;
