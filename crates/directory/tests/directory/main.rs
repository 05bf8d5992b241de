//! The area as its callers have it: in a tenant with members and administrators, beside another tenant.

mod directory_roles;
mod objects;

use directory::Directory;
use state::Error;
use testkit::World;

fn area(world: &World) -> &Directory {
    world.app.directory()
}

fn is_forbidden<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::Forbidden(_)))
}

fn is_missing<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::NotFound { .. }))
}
