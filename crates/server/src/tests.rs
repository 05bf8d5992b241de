//! Whole servers in this process, asked over TLS.

mod consent;
mod directory;
mod foreign;
mod hostile;
mod outside;
mod site;
