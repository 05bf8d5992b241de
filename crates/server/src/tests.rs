//! Whole servers in this process, asked over TLS.

mod consent;
mod coverage;
mod directory;
mod foreign;
mod groups;
mod outside;
mod rights;
mod site;
