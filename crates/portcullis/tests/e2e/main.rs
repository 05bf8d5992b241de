//! The end-to-end tests: the program as it is shipped, and the real outside programs that people use with it.
//! `make tools` brings those; without them these tests fail. One test program, so that it is linked once.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by a panic")]

mod at_rest;
mod attach;
mod az;
mod azure;
mod between;
mod commands;
mod commands_by_way;
mod deletion;
mod directory;
mod haste;
mod journey;
mod libraries;
mod limits;
mod login;
mod management_groups;
mod modern;
mod overage;
mod person;
mod pipes;
mod plugin;
mod resources;
mod running;
mod serving;
mod session;
mod subscriptions;
mod ways;
mod webdriver;
