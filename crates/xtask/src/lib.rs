//! The chores behind `cargo xtask`, as a library so that tests run them too.

pub mod tidy;
