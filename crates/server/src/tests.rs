//! Whole servers in this process, asked over TLS.

mod foreign;
