//! The chores behind `cargo xtask`, as a library so that tests run them too.

pub mod documents;
pub mod modules;
pub mod mutants;
pub mod tidy;
