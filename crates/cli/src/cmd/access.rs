//! `portcullis keys`: the server's signing keys.

use clap::Subcommand;
use serde_json::json;

use crate::{client::Client, output::OutputArgs};

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Sign with a new key from now on; tokens that are valid stay valid
    #[command(after_help = "Examples:
  portcullis keys rotate")]
    Rotate(OutputArgs),
}

pub(crate) async fn run(command: KeysCommand) -> anyhow::Result<()> {
    let KeysCommand::Rotate(output) = command;
    let client = Client::open().await?;
    let path = format!("/v1.0/organization/{}/rotateSigningKeys", client.session.tenant);
    let answer = client.post(&path, &json!({})).await?;
    output.one(&[("KEY", "/keyId")], &answer);
    Ok(())
}
