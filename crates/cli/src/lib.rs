//! The command line: every command except the server. It calls a server over HTTP and shares only the domain crate
//! with it, for `eval`.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod address;
mod authority;
mod client;
pub mod cmd;
mod confirm;
mod exec_credential;
mod files;
#[cfg(test)]
mod fuzz;
mod kubeconfig;
pub mod kubelogin;
pub mod login;
pub mod output;
mod session;
mod token_cache;

use std::process::ExitCode;

use clap::Subcommand;

use cmd::{
    GetTokenArgs, InSubscription, access, admin, app, assignment,
    az_env::{self, AzEnvArgs},
    cluster,
    convert::{self, ConvertArgs},
    get_token::{self, flags::Precedence},
    group, management_group, preflight, resource_group, role, session as account, subscription, tenant, user,
    version,
};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sign in to a server, and remember the session
    Login(login::LoginArgs),
    /// Forget the session, and every token that is kept for kubectl
    #[command(after_help = "Examples:
  portcullis logout")]
    Logout,
    /// Show who is signed in, and where
    #[command(after_help = "Examples:
  portcullis whoami
  portcullis whoami -o json")]
    Whoami(output::OutputArgs),
    /// Clusters, and kubeconfigs for them
    Cluster(InSubscription<cluster::ClusterCommand>),
    /// Subscriptions
    #[command(subcommand)]
    Subscription(subscription::SubscriptionCommand),
    /// Management groups: the tree above the subscriptions
    #[command(subcommand)]
    ManagementGroup(management_group::ManagementGroupCommand),
    /// Resource groups
    ResourceGroup(InSubscription<resource_group::ResourceGroupCommand>),
    /// People of the directory
    #[command(subcommand)]
    User(user::UserCommand),
    /// Who administers the directory
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Groups of the directory
    #[command(subcommand)]
    Group(group::GroupCommand),
    /// Applications and their service principals
    #[command(subcommand)]
    App(app::AppCommand),
    /// Role definitions
    Role(InSubscription<role::RoleCommand>),
    /// Role assignments: who has which role where
    Assignment(InSubscription<assignment::AssignmentCommand>),
    /// What the identities around a cluster need, hold and lack
    Preflight(preflight::PreflightArgs),
    /// What holds for everybody in the directory
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// The server's signing keys
    #[command(subcommand)]
    Keys(access::KeysCommand),
    /// Answer access questions of world files, without a server
    Eval(cmd::EvalArgs),
    /// Give kubectl a token: the credential plugin that kubeconfigs call
    GetToken(Box<GetTokenArgs>),
    /// Print what a shell needs so that az, the Azure libraries and kubectl use a server: eval "$(portcullis az-env)"
    AzEnv(AzEnvArgs),
    /// Rewrite the sign-in of a kubeconfig's users, as kubelogin does
    ConvertKubeconfig(Box<ConvertArgs>),
    /// Show the version of this program
    #[command(after_help = "Examples:
  portcullis version
  portcullis version -o json")]
    Version(output::OutputArgs),
}

/// Runs a command; errors are printed, with advice.
pub fn run(command: Command) -> ExitCode {
    if let Command::Eval(arguments) = command {
        return cmd::evaluate(&arguments);
    }
    execute("portcullis", dispatch(command))
}

/// The answer is no and has been printed; the exit code tells scripts.
#[derive(Debug, thiserror::Error)]
#[error("no")]
struct NegativeAnswer;

/// Runs a command; prints an error with the program's name.
fn execute(program: &str, work: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(work));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<NegativeAnswer>() => ExitCode::FAILURE,
        Err(error) => {
            // Control characters are removed, because names from the server could contain terminal escapes.
            let told = format!("{error:#}").replace(|each: char| each.is_control() && each != '\n', " ");
            output::note(format_args!("{program}: {told}"));
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Login(arguments) => login::run(arguments).await,
        Command::Logout => account::logout(),
        Command::Whoami(output) => account::whoami(&output),
        Command::Cluster(command) => cluster::run(command).await,
        Command::Subscription(command) => subscription::run(command).await,
        Command::ManagementGroup(command) => management_group::run(command).await,
        Command::ResourceGroup(command) => resource_group::run(command).await,
        Command::User(command) => user::run(command).await,
        Command::Admin(command) => admin::run(command).await,
        Command::Group(command) => group::run(command).await,
        Command::App(command) => app::run(command).await,
        Command::Role(command) => role::run(command).await,
        Command::Assignment(command) => assignment::run(command).await,
        Command::Preflight(arguments) => preflight::run(arguments).await,
        Command::Tenant(command) => tenant::run(command).await,
        Command::Keys(command) => access::run(command).await,
        Command::GetToken(arguments) => get_token::run(*arguments, Precedence::Flag).await,
        Command::AzEnv(arguments) => az_env::run(&arguments),
        Command::ConvertKubeconfig(arguments) => convert::run(&arguments, Precedence::Flag),
        Command::Version(output) => {
            version::run(&output);
            Ok(())
        }
        Command::Eval(_) => Ok(()),
    }
}
