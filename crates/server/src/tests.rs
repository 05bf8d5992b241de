//! Whole servers in this process, asked over TLS.

mod arm;
mod check_access;
mod clusters;
mod consent;
mod coverage;
mod credentials;
mod directory;
mod directory_roles;
mod first_start;
mod foreign;
mod groups;
mod hostile;
mod locks;
mod management_groups;
mod odd;
mod outside;
mod pages;
mod providers;
mod rights;
mod role_definitions;
mod sign_in;
mod sign_in_log;
mod site;
mod strangers;
mod subscriptions;
mod wire;
