//! The one binary: hands `serve` and `demo` to the server, everything else to the command line. Started under the name
//! `kubelogin`, it answers with kubelogin's commands, which are among its own.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Access and identity for Kubernetes clusters, as AKS has them, in one program.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server; with no arguments at all it makes everything that it needs
    Serve(server::ServeArgs),
    /// Show the whole product in one walk, in a temporary directory
    Demo(server::DemoArgs),
    #[command(flatten)]
    Client(cli::Command),
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    match command {
        Command::Serve(arguments) => run(server::serve(arguments)),
        Command::Demo(arguments) => run(server::demo(arguments)),
        Command::Client(command) => cli::run(command),
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
    eprintln!("portcullis: {error:#}");
    ExitCode::FAILURE
}
