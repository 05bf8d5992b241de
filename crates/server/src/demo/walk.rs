//! The steps of the demo: each is a request, its expected outcome, and the actual one.

use std::{path::Path, process::Command};

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    company::{Answer, Company, upn},
    step::Step,
    table,
};
use crate::say::say;

#[derive(Debug)]
pub(super) struct Walk<'a> {
    company: &'a Company,
    kubectl: bool,
    steps: Vec<Step>,
}

/// The credential of a request.
enum Proof<'a> {
    Token(&'a str),
    /// An administrator's kubeconfig.
    Certificate(&'a str),
}

/// A request to a cluster, as HTTP path and as kubectl arguments.
struct Question<'a> {
    who: &'static str,
    cluster: &'a str,
    words: &'a [&'a str],
    path: &'a str,
}

impl<'a> Walk<'a> {
    pub(super) fn new(company: &'a Company) -> Self {
        let kubectl = Command::new("kubectl")
            .arg("version")
            .arg("--client")
            .output()
            .is_ok_and(|run| run.status.success());
        Self { company, kubectl, steps: Vec::new() }
    }

    pub(super) async fn run(&mut self) -> anyhow::Result<()> {
        self.administrator_certificate().await?;
        self.manual_bindings().await?;
        self.admin_group().await?;
        self.azure_rbac().await
    }

    /// Prints the steps as a table and returns how many differ from the expected outcome.
    pub(super) fn print(&self) -> anyhow::Result<usize> {
        let how = if self.kubectl { "kubectl" } else { "HTTP requests (kubectl is not installed)" };
        say(format_args!("Asked with {how}.\n\n{}", table::render(&self.steps)))?;
        Ok(self.steps.iter().filter(|step| !step.is_as_expected()).count())
    }

    /// W1: a personal certificate, bound to cluster-admin, on record and revocable.
    async fn administrator_certificate(&mut self) -> anyhow::Result<()> {
        let company = self.company;
        let pull = |action: &str| {
            format!("{}{}/{action}?api-version=2026-06-01", company.url, company.cluster_id("manual"))
        };
        let (dave, carol) =
            (company.management_token("dave").await?, company.management_token("carol").await?);
        let refused = company.ask("POST", &pull("listClusterAdminCredential"), &carol, json!({})).await?;
        self.note("W1", "carol", "the administrator kubeconfig of manual", false, &refused);
        let pulled = company.ask("POST", &pull("listClusterAdminCredential"), &dave, json!({})).await?;
        self.note("W1", "dave", "the administrator kubeconfig of manual", true, &pulled);
        let role = company.role_held("dave", &company.cluster_id("manual")).await?;
        self.because(format!("Azure RBAC: holds {role} at the cluster"));
        let value = pulled.body.pointer("/kubeconfigs/0/value").and_then(Value::as_str).unwrap_or_default();
        let kubeconfig = String::from_utf8(STANDARD.decode(value)?)?;
        let nodes = format!("{}/api/v1/nodes", company.cluster_url("manual").await?);
        let answer = company.ask_with_certificate(&kubeconfig, &nodes).await?;
        self.note("W1", "dave", "nodes of manual, with the certificate", true, &answer);
        let reason = self.reason_for("manual", "/api/v1/nodes", Proof::Certificate(&kubeconfig)).await?;
        self.because(reason);
        let certificates =
            format!("{}/adminCertificates?api-version=2026-06-01", company.cluster_id("manual"));
        let listed = company.make("GET", &certificates, Value::Null).await?;
        let serial = listed.pointer("/value/0/serialNumber").and_then(Value::as_str).unwrap_or_default();
        let revoke = format!(
            "{}/adminCertificates/{serial}/revoke?api-version=2026-06-01",
            company.cluster_id("manual")
        );
        company.make("POST", &revoke, json!({})).await?;
        let answer = company.ask_with_certificate(&kubeconfig, &nodes).await?;
        self.note("W1", "dave", "nodes of manual, after it was revoked", false, &answer);
        let listed = company.make("GET", &certificates, Value::Null).await?;
        if listed.pointer("/value/0/revokedAt").is_some_and(Value::is_string) {
            self.on_record(&format!("certificate {} is revoked", shorten(serial)));
        }
        Ok(())
    }

    /// W2: nothing is allowed until a binding allows it.
    async fn manual_bindings(&mut self) -> anyhow::Result<()> {
        let pods = Question {
            who: "alice",
            cluster: "manual",
            words: &["get", "pods", "-n", "default"],
            path: "/api/v1/namespaces/default/pods",
        };
        self.ask("W2", &pods, "pods of manual, before any binding", false).await?;
        let company = self.company;
        let alice = json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": upn("alice")});
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "alice-reads"}, "subjects": [alice],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}});
        // The cluster's administrator creates the binding, with a new certificate.
        let pull = format!(
            "{}{}/listClusterAdminCredential?api-version=2026-06-01",
            company.url,
            company.cluster_id("manual")
        );
        let pulled = company.ask("POST", &pull, &company.management_token("dave").await?, json!({})).await?;
        let value = pulled.body.pointer("/kubeconfigs/0/value").and_then(Value::as_str).unwrap_or_default();
        let kubeconfig = String::from_utf8(STANDARD.decode(value)?)?;
        let path = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";
        let url = format!("{}{path}", company.cluster_url("manual").await?);
        let answer = company.post_with_certificate(&kubeconfig, &url, binding).await?;
        self.note("W2", "dave", "a RoleBinding: alice may view default", true, &answer);
        let place = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";
        let reason = self.reason_for("manual", place, Proof::Certificate(&kubeconfig)).await?;
        self.because(reason);
        self.ask("W2", &pods, "pods of manual, after the binding", true).await?;
        let secrets = Question {
            words: &["get", "secrets", "-n", "default"],
            path: "/api/v1/namespaces/default/secrets",
            ..pods
        };
        self.ask("W2", &secrets, "secrets of manual: view does not hold them", false).await
    }

    /// W3: members of a configured group administer the cluster.
    async fn admin_group(&mut self) -> anyhow::Result<()> {
        let nodes =
            |who| Question { who, cluster: "admins", words: &["get", "nodes"], path: "/api/v1/nodes" };
        self.ask("W3", &nodes("bob"), "nodes of admins, being on call", true).await?;
        self.ask("W3", &nodes("carol"), "nodes of admins, not being on call", false).await?;
        let company = self.company;
        let (group, bob) = (company.group_id("on-call").await?, company.object_id("bob").await?);
        company.make("DELETE", &format!("/v1.0/groups/{group}/members/{bob}/$ref"), Value::Null).await?;
        self.ask("W3", &nodes("bob"), "nodes of admins, after leaving the group", false).await
    }

    /// W4: roles of Azure RBAC, down to a namespace.
    async fn azure_rbac(&mut self) -> anyhow::Result<()> {
        let pods = |who, namespace: &'static str| Question {
            who,
            cluster: "azure",
            words: match namespace {
                "web" => &["get", "pods", "-n", "web"],
                _ => &["get", "pods", "-n", "kube-system"],
            },
            path: match namespace {
                "web" => "/api/v1/namespaces/web/pods",
                _ => "/api/v1/namespaces/kube-system/pods",
            },
        };
        self.ask("W4", &pods("alice", "web"), "pods in web of azure: RBAC Writer", true).await?;
        self.ask("W4", &pods("alice", "kube-system"), "pods in kube-system of azure: no role", false).await?;
        self.ask("W4", &pods("carol", "web"), "pods in web of azure: no role", false).await?;
        let company = self.company;
        let kept = company.cluster_token("alice").await?;
        let token = company.build_token().await?;
        let base = company.cluster_url("azure").await?;
        let answer =
            company.ask("GET", &format!("{base}/api/v1/namespaces/web/pods"), &token, Value::Null).await?;
        self.note("W4", "build", "pods in web of azure: RBAC Reader", true, &answer);
        let reason = self.reason_for("azure", "/api/v1/namespaces/web/pods", Proof::Token(&token)).await?;
        self.because(reason);
        let answer =
            company.ask("GET", &format!("{base}/api/v1/namespaces/web/secrets"), &token, Value::Null).await?;
        self.note("W4", "build", "secrets of azure: Reader has none", false, &answer);
        let alice = company.object_id("alice").await?;
        company.make("PATCH", &format!("/v1.0/users/{alice}"), json!({"accountEnabled": false})).await?;
        let answer =
            company.ask("GET", &format!("{base}/api/v1/namespaces/web/pods"), &kept, Value::Null).await?;
        self.note("W4", "alice", "pods in web of azure, once disabled", false, &answer);
        let shown =
            company.make("GET", &format!("/v1.0/users/{alice}?$select=accountEnabled"), Value::Null).await?;
        if shown.get("accountEnabled") == Some(&Value::Bool(false)) {
            self.on_record("alice is disabled, and her token counts no more");
        }
        company
            .make("PATCH", &format!("/v1.0/users/{alice}"), json!({"accountEnabled": true}))
            .await
            .map(drop)
    }

    async fn ask(
        &mut self,
        way: &'static str,
        question: &Question<'_>,
        what: &str,
        expected: bool,
    ) -> anyhow::Result<()> {
        let company = self.company;
        if self.kubectl {
            let (allowed, refusal) = self.by_kubectl(question)?;
            let reason = match allowed {
                true => {
                    let token = company.cluster_token(question.who).await?;
                    self.reason_for(question.cluster, question.path, Proof::Token(&token)).await?
                }
                false => refusal,
            };
            self.steps.push(Step {
                way,
                who: question.who,
                what: what.to_owned(),
                expected,
                allowed,
                reason,
            });
            return Ok(());
        }
        let token = company.cluster_token(question.who).await?;
        let url = format!("{}{}", company.cluster_url(question.cluster).await?, question.path);
        let answer = company.ask("GET", &url, &token, Value::Null).await?;
        self.note(way, question.who, what, expected, &answer);
        let reason = self.reason_for(question.cluster, question.path, Proof::Token(&token)).await?;
        self.because(reason);
        Ok(())
    }

    /// The cluster's reason, from a SelfSubjectAccessReview for the list at `path`.
    async fn reason_for(&self, cluster: &str, path: &str, proof: Proof<'_>) -> anyhow::Result<String> {
        let company = self.company;
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let attributes = match parts.as_slice() {
            ["api", "v1", "namespaces", namespace, resource] => {
                json!({"verb": "list", "namespace": namespace, "resource": resource})
            }
            ["api", "v1", resource] => json!({"verb": "list", "resource": resource}),
            ["apis", group, "v1", "namespaces", namespace, resource] => {
                json!({"verb": "create", "group": group, "namespace": namespace, "resource": resource})
            }
            _ => anyhow::bail!("{path} is not the path of a collection"),
        };
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes}});
        let url = format!(
            "{}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            company.cluster_url(cluster).await?
        );
        let answer = match proof {
            Proof::Token(token) => company.ask("POST", &url, token, review).await?,
            Proof::Certificate(kubeconfig) => company.post_with_certificate(kubeconfig, &url, review).await?,
        };
        let reason = answer.body.pointer("/status/reason").and_then(Value::as_str).unwrap_or_default();
        Ok(why(reason))
    }

    /// Signs in and writes the kubeconfig with this program's commands, then runs kubectl.
    fn by_kubectl(&self, question: &Question<'_>) -> anyhow::Result<(bool, String)> {
        let company = self.company;
        let home = company.place.join(question.who);
        let kubeconfig = home.join(format!("{}.kubeconfig", question.cluster));
        if !home.join("session.json").exists() {
            std::fs::create_dir_all(&home)?;
            let authority = company.authority_file.to_string_lossy().into_owned();
            let arguments = [
                "login",
                "--url",
                &company.url,
                "--ca-file",
                &authority,
                "--username",
                &upn(question.who),
                "--password-stdin",
            ];
            own_command(&home, &arguments, Some(super::company::PASSWORD))?;
        }
        if !kubeconfig.exists() {
            let file = kubeconfig.to_string_lossy().into_owned();
            own_command(
                &home,
                &["cluster", "credentials", question.cluster, "-g", "demo", "--file", &file],
                None,
            )?;
        }
        let run = Command::new("kubectl")
            .args(question.words)
            .env("KUBECONFIG", &kubeconfig)
            .env("PORTCULLIS_CONFIG_DIR", &home)
            .env("HOME", &home)
            .output()
            .context("running kubectl")?;
        let said = String::from_utf8_lossy(&run.stderr).trim().to_owned();
        Ok((run.status.success(), why(&said)))
    }

    /// Adds the reason to the last step, if it was allowed.
    fn because(&mut self, reason: String) {
        if let Some(step) = self.steps.last_mut().filter(|step| step.allowed) {
            step.reason = reason;
        }
    }

    /// Adds a fact known to the administrator to the last step, if it was refused: the response to an unauthenticated
    /// caller gives no reason.
    fn on_record(&mut self, fact: &str) {
        if let Some(step) = self.steps.last_mut().filter(|step| !step.allowed) {
            step.reason = format!("{}: {fact}", step.reason);
        }
    }

    fn note(&mut self, way: &'static str, who: &'static str, what: &str, expected: bool, answer: &Answer) {
        let allowed = (200..300).contains(&answer.status);
        let message = answer
            .body
            .get("message")
            .or_else(|| answer.body.pointer("/error/message"))
            .and_then(Value::as_str);
        let reason = match (allowed, message) {
            (true, _) => format!("HTTP {}", answer.status),
            (false, Some(message)) => why(message),
            (false, None) => format!("HTTP {}", answer.status),
        };
        self.steps.push(Step { way, who, what: what.to_owned(), expected, allowed, reason });
    }
}

/// The reason in a refusal message.
fn why(message: &str) -> String {
    for start in ["Azure RBAC:", "RBAC:", "no binding", "no rule"] {
        if let Some(place) = message.find(start) {
            let reason = message.get(place..).unwrap_or_default();
            return shorten(reason.split(". If access was").next().unwrap_or_default());
        }
    }
    shorten(message)
}

/// Shortens resource ids for readability.
fn shorten(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.rsplit_once("/managedClusters/") {
        Some((_, rest)) if word.starts_with("/subscriptions/") => rest.to_owned(),
        _ => word.replace("Microsoft.ContainerService/managedClusters/", ""),
    });
    words.collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

fn own_command(home: &Path, arguments: &[&str], input: Option<&str>) -> anyhow::Result<()> {
    use std::{io::Write, process::Stdio};
    let mut child = Command::new(std::env::current_exe()?)
        .args(arguments)
        .env("PORTCULLIS_CONFIG_DIR", home)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting this program")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.unwrap_or_default().as_bytes())?;
    }
    let done = child.wait_with_output()?;
    anyhow::ensure!(
        done.status.success(),
        "portcullis {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(())
}
