//! Whole servers in this process, asked over TLS.

mod clusters;
mod consent;
mod directory;
mod foreign;
mod outside;
mod site;
