//! Many programs of one person at the same moment, on one session of the real `az`: none of them fails, and the session
//! goes on.

use std::process::{Command, Stdio};

use crate::{azure::Azure, running::Journey};

/// Runs all at once, each as often as it says; all succeed.
#[track_caller]
fn at_once(journey: &Journey, commands: impl IntoIterator<Item = Command>) {
    let children: Vec<_> = commands
        .into_iter()
        .map(|mut command| {
            command
                .env("HOME", journey.path("az-admin"))
                .env("PORTCULLIS_CONFIG_DIR", journey.path("az-admin"));
            let shown = format!("{command:?}");
            let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
            (shown, child.unwrap())
        })
        .collect();
    for (shown, child) in children {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", shown.rsplit('"').nth(1).unwrap_or_default());
    }
}

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
        at_once(&journey, (0..8).map(|_| azure.command(&["account", "get-access-token"])));
        azure.let_access_tokens_end();
        at_once(&journey, (0..4).map(|_| azure.kubelogin_command()));
        azure.let_access_tokens_end();
        at_once(&journey, (0..4).map(|_| azure.kubectl_command(&config, &["get", "namespaces"])));
    }
    // The session is as good as before.
    azure.let_access_tokens_end();
    azure.az(&["group", "list"]).ok();
}
