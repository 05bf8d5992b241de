//! `portcullis tenant`: settings of the whole tenant.

use clap::Subcommand;
use serde_json::json;

use crate::{
    client::Client,
    output::{Column, OutputArgs},
};

#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Show the tenant that you are signed in to
    #[command(after_help = "Examples:
  portcullis tenant show
  portcullis tenant show -o json")]
    Show(OutputArgs),
    /// Change what holds for everybody
    #[command(after_help = "Examples:
  portcullis tenant update --allow-password-grant
  portcullis tenant update --refuse-password-grant

A program that may send names and passwords can keep them: prefer the browser or a device code.")]
    Update {
        /// Let az, kubelogin and the like send user names and passwords
        #[arg(
            long,
            conflicts_with = "refuse_password_grant",
            required_unless_present = "refuse_password_grant"
        )]
        allow_password_grant: bool,
        /// Let them do so no more
        #[arg(long)]
        refuse_password_grant: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
}

pub(crate) async fn run(command: TenantCommand) -> anyhow::Result<()> {
    let client = Client::open().await?;
    let path = format!("/v1.0/organization/{}", client.session.tenant);
    let output = match command {
        TenantCommand::Show(output) => output,
        // The flags exclude each other, and one of them is given.
        TenantCommand::Update { allow_password_grant, refuse_password_grant: _, output } => {
            client.patch(&path, &json!({"allowPasswordGrant": allow_password_grant})).await?;
            output
        }
    };
    output.one(&COLUMNS, &client.get(&path).await?);
    Ok(())
}

const COLUMNS: [Column; 4] = [
    ("NAME", "/displayName"),
    ("DOMAIN", "/verifiedDomains/0/name"),
    ("PASSWORDS FROM PROGRAMS", "/allowPasswordGrant"),
    ("ID", "/id"),
];
