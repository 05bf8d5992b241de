//! Many programs of one person at the same moment, on one session of the real `az`: none of them fails, and the session
//! goes on.

use std::process::{Command, Stdio};

use crate::{azure::Azure, running::Journey};

/// Runs all at once; all succeed. `az` keeps its sessions in a file that it reads while another `az` writes it: one that
/// has not found its person there, and so has asked the server nothing, is started again. What the server refuses is
/// told in other words (AADSTS), and fails.
#[track_caller]
fn at_once(journey: &Journey, command: impl Fn() -> Command, count: usize) {
    let mut left = count;
    while left > 0 {
        left = try_at_once(journey, (0..left).map(|_| command()));
    }
}

/// Gives how many did not find their person.
#[track_caller]
fn try_at_once(journey: &Journey, commands: impl Iterator<Item = Command>) -> usize {
    let children: Vec<_> = commands
        .map(|mut command| {
            command
                .env("HOME", journey.path("az-admin"))
                .env("PORTCULLIS_CONFIG_DIR", journey.path("az-admin"));
            let shown = format!("{command:?}");
            let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
            (shown, child.unwrap())
        })
        .collect();
    let mut unread = 0;
    for (shown, child) in children {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains(UNREAD) && !said.contains("AADSTS") {
            unread += 1;
            continue;
        }
        assert!(output.status.success(), "{}: {said}", shown.rsplit('"').nth(1).unwrap_or_default());
    }
    unread
}

const UNREAD: &str = "does not exist in MSAL token cache";

#[test]
fn programs_of_one_person_renew_at_once_and_keep_their_session() {
    let journey = Journey::begin();
    let azure = Azure::administrator(&journey);
    azure.json(&["group", "create", "-n", "web", "-l", "local"]);
    let create =
        ["aks", "create", "-g", "web", "-n", "c1", "--no-ssh-key", "--enable-aad", "--enable-azure-rbac"];
    azure.json(&create);
    journey.assign(&journey.first("userPrincipalName"), "Azure Kubernetes Service RBAC Cluster Admin");
    let config = azure.credentials("web", "c1", &[]);
    for _ in 0..2 {
        azure.let_access_tokens_end();
        at_once(&journey, || azure.command(&["account", "get-access-token"]), 8);
        azure.let_access_tokens_end();
        at_once(&journey, || azure.kubelogin_command(), 4);
        azure.let_access_tokens_end();
        at_once(&journey, || azure.kubectl_command(&config, &["get", "namespaces"]), 4);
    }
    // The session is as good as before.
    azure.let_access_tokens_end();
    azure.az(&["group", "list"]).ok();
}
