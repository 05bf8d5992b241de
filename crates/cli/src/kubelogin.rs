//! This program under the name `kubelogin` (`ln -s portcullis kubelogin`): kubelogin's commands, with its rule that
//! an environment variable overrides a flag.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{
    cmd::{
        GetTokenArgs,
        convert::{self, ConvertArgs},
        get_token,
        get_token::flags::Precedence,
    },
    execute, output, token_cache,
};

/// Sign in to clusters with kubectl. This is portcullis under the name of kubelogin.
#[derive(Debug, Parser)]
#[command(name = "kubelogin", version)]
pub struct Kubelogin {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Give kubectl a token
    GetToken(Box<GetTokenArgs>),
    /// Rewrite the sign-in of a kubeconfig's users
    ConvertKubeconfig(Box<ConvertArgs>),
    /// Delete every token that is kept
    #[command(alias = "remove-tokens")]
    RemoveCacheDir(CacheArgs),
}

#[derive(Args, Debug)]
struct CacheArgs {
    /// Where tokens are kept [default: portcullis/tokens in the user's cache directory]
    #[arg(long, alias = "cache-dir", value_name = "DIR")]
    token_cache_dir: Option<PathBuf>,
}

/// Whether the program was started under this name.
pub fn is_asked_for(program: &str) -> bool {
    std::path::Path::new(program).file_stem().is_some_and(|name| name == "kubelogin")
}

/// Parses the command line and runs the command.
pub fn run() -> ExitCode {
    let Kubelogin { command } = Kubelogin::parse();
    execute("kubelogin", async {
        match command {
            Command::GetToken(arguments) => get_token::run(*arguments, Precedence::Environment).await,
            Command::ConvertKubeconfig(arguments) => convert::run(&arguments, Precedence::Environment),
            Command::RemoveCacheDir(arguments) => {
                let removed = token_cache::remove(arguments.token_cache_dir)?;
                output::say(format_args!("Deleted {removed} tokens"));
                Ok(())
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides() {
        assert!(is_asked_for("/usr/local/bin/kubelogin"));
        assert!(is_asked_for("kubelogin"));
        assert!(!is_asked_for("/opt/kubelogin/portcullis"));
        assert!(!is_asked_for(""));
    }
}
