//! Whole servers in this process, asked over TLS.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by a panic")]

mod arm;
mod check_access;
mod clusters;
mod consent;
mod coverage;
mod credentials;
mod deletions;
mod directory;
mod directory_roles;
mod external_issuers;
mod first_start;
mod groups;
mod hostile;
mod locks;
mod management_groups;
mod metrics;
mod odd;
mod outbound;
mod ownership;
mod pages;
mod providers;
mod recover;
mod rights;
mod role_definitions;
mod sign_in;
mod sign_in_log;
mod strangers;
mod subscriptions;
mod wire;
