//! The commands, one file for each noun.

pub mod access;
pub mod admin;
pub mod app;
pub mod assignment;
pub mod attach;
pub mod az_env;
pub mod cluster;
pub mod convert;
pub mod eval;
pub mod get_token;
pub mod group;
pub mod management_group;
pub mod preflight;
pub mod resource_group;
pub mod role;
pub mod session;
pub mod subscription;
pub mod tenant;
pub mod user;
pub mod version;

pub use get_token::GetTokenArgs;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};

/// A noun whose verbs act in a subscription.
#[derive(Args, Debug)]
pub struct InSubscription<C: Subcommand> {
    #[command(subcommand)]
    pub(crate) command: C,
    /// Name or id of the subscription to act in [default: that of the session]
    #[arg(long, global = true, value_name = "NAME|ID")]
    pub(crate) subscription: Option<String>,
}

/// Arguments of `portcullis eval`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EVAL_EXAMPLES)]
pub struct EvalArgs {
    /// World files: access rules, and questions with the answers that are expected
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    output: crate::output::OutputArgs,
}

/// Runs `portcullis eval`: 0 if every expectation held, 1 if one did not, 2 if a file could not be read.
pub(crate) fn evaluate(arguments: &EvalArgs) -> ExitCode {
    let json = arguments.output.output == crate::output::Output::Json;
    ExitCode::from(eval::run(&arguments.files, json))
}

const EVAL_EXAMPLES: &str = "\
Examples:
  portcullis eval access.yaml
  portcullis eval tests/*.yaml -o json

It exits with 0 if every expectation held, 1 if one did not, 2 if a file could not be read.";
