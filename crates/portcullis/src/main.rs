//! The one binary: hands `serve` and `demo` to the server, everything else to the command line. Started under the name
//! `kubelogin`, it answers with kubelogin's commands.

#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Access and identity for Kubernetes clusters, as AKS has them, in one program.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, after_help = FIRST_STEPS)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server; with no arguments at all it makes everything that it needs
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(server::ServeArgs),
    /// Show the stored records that cannot be read, and take one out or mend it; the server must not run
    #[command(after_help = REPAIR_EXAMPLES)]
    Repair(server::RepairArgs),
    /// Seal all secrets at rest by a new key; the server must not run
    #[command(after_help = ROTATE_SEALING_KEY_EXAMPLES)]
    RotateSealingKey(server::RotateSealingKeyArgs),
    /// Show the whole product in one walk, in a temporary directory
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(server::DemoArgs),
    #[command(flatten)]
    Client(cli::Command),
    /// Print what a shell needs to complete commands and flags
    Completion(CompletionArgs),
}

#[derive(Args, Debug)]
#[command(after_help = COMPLETION_EXAMPLES)]
struct CompletionArgs {
    /// The shell that completes
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

fn main() -> ExitCode {
    if std::env::args().next().is_some_and(|program| cli::kubelogin::is_asked_for(&program)) {
        return cli::kubelogin::run();
    }
    let Arguments { command } = Arguments::parse();
    match command {
        Command::Serve(arguments) => run(server::serve(arguments)),
        Command::Repair(arguments) => run(server::repair(arguments)),
        Command::RotateSealingKey(arguments) => run(server::rotate_sealing_key(arguments)),
        Command::Demo(arguments) => run(server::demo(arguments)),
        Command::Client(command) => cli::run(command),
        Command::Completion(arguments) => {
            let mut script = Vec::new();
            clap_complete::generate(arguments.shell, &mut Arguments::command(), "portcullis", &mut script);
            cli::output::print(&script);
            ExitCode::SUCCESS
        }
    }
}

fn run(work: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    match runtime.block_on(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    if error.is::<server::ReaderGone>() {
        return ExitCode::from(cli::output::READER_GONE);
    }
    cli::output::note(format_args!("portcullis: {error:#}"));
    ExitCode::FAILURE
}

const FIRST_STEPS: &str = "\
Examples:
  portcullis serve
  portcullis login --from portcullis-data/first-admin.json
  portcullis cluster create c1 -g rg1
  portcullis cluster credentials c1 -g rg1

Then kubectl works: it signs in by `portcullis get-token`. Each command says more with --help.";

const SERVE_EXAMPLES: &str = "\
Examples:
  portcullis serve
  portcullis serve --data-dir /var/lib/portcullis --listen 0.0.0.0:8443 --external-url https://access.example.org
  portcullis serve --config /etc/portcullis.toml";

const ROTATE_SEALING_KEY_EXAMPLES: &str = "\
Examples:
  portcullis rotate-sealing-key --data-dir /var/lib/portcullis";
const REPAIR_EXAMPLES: &str = "\
Examples:
  portcullis repair --data-dir /var/lib/portcullis
  portcullis repair --remove /live/access/group/6f1e2b7a-0000-4000-8000-00000000000a > removed.json
  portcullis repair --replace /live/access/group/6f1e2b7a-0000-4000-8000-00000000000a --with mended.json";

const DEMO_EXAMPLES: &str = "\
Examples:
  portcullis demo
  portcullis demo --check";

const COMPLETION_EXAMPLES: &str = "\
Examples:
  portcullis completion bash > ~/.local/share/bash-completion/completions/portcullis
  portcullis completion zsh > ~/.zfunc/_portcullis
  portcullis completion fish > ~/.config/fish/completions/portcullis.fish
  portcullis completion powershell >> $PROFILE";

#[cfg(test)]
mod tests;
