//! `portcullis keys`: the server's signing keys.

use clap::Subcommand;
use serde_json::json;

use crate::{client::Client, confirm::ConfirmArgs, output::OutputArgs};

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Sign with a new key from now on; tokens that are valid stay valid, unless --now is given
    #[command(after_help = "Examples:
  portcullis keys rotate
  portcullis keys rotate --now

With --now, for a key that somebody else may have, every key so far is refused at once: each token that was signed until
now opens nothing any more, anywhere, and the public keys at the server's address are new ones. Nobody has to sign in
again: refresh tokens go on. A program that holds a token until it ends, as kubectl's plugin and az do, is refused with
it for up to an hour, or until it signs in again. The keys of a cluster's own service accounts are others.")]
    Rotate {
        /// Refuse every key so far at once, and each token that it signed
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        confirm: ConfirmArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
}

pub(crate) async fn run(command: KeysCommand) -> anyhow::Result<()> {
    let KeysCommand::Rotate { now, confirm, output } = command;
    if now {
        confirm.ask("Refuse every token that was signed until now, everybody's, at once?")?;
    }
    let client = Client::open().await?;
    let action = if now { "revokeSigningKeys" } else { "rotateSigningKeys" };
    let path = format!("/v1.0/organization/{}/{action}", client.session.tenant);
    let answer = client.post(&path, &json!({})).await?;
    output.one(&[("KEY", "/keyId")], &answer);
    Ok(())
}
