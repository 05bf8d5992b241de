//! The area as its callers have it: in a tenant with people whose rights a test gives, beside another tenant.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod assignments;
mod locks;
mod management_groups;
mod roles;
mod subscriptions;
mod tenants;

use domain::name::ResourceName;
use resource_manager::ResourceManager;
use state::Error;
use testkit::World;

fn name(text: &str) -> ResourceName {
    ResourceName::parse(text).unwrap()
}

fn area(world: &World) -> &ResourceManager {
    world.app.resource_manager()
}

fn is_forbidden<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::Forbidden(_)))
}

fn is_missing<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::NotFound { .. }))
}
