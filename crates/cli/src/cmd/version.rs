//! `portcullis version`: the version of this program.

use serde_json::json;

use crate::output::OutputArgs;

pub(crate) fn run(output: &OutputArgs) {
    let version = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "os": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
    });
    output.one(&[("VERSION", "/version"), ("OS", "/os"), ("ARCHITECTURE", "/architecture")], &version);
}
