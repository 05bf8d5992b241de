//! Files and answers that the command line reads, as nobody wrote them: read or refused, in time and in words.

use fuzzing::{says_something, text};

use crate::{address, kubeconfig::Kubeconfig};

/// What YAML has beside values.
pub(crate) const YAML: [&str; 8] = ["&a [", "*a", "*a,", "<<: *a", "!!binary ", "---\n", "- - - ", "? "];

#[test]
fn kubeconfigs() {
    let config = "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster: &a {server: 'https://c.example'}\n\
                  users:\n- name: u\n  user:\n    exec: {command: portcullis, args: [get-token], env: null}\n\
                  contexts: []\ncurrent-context: \"x\"\nextensions: *a\n";
    text(&[config], &YAML, |text| match Kubeconfig::parse(text) {
        Ok(config) => {
            let written = serde_saphyr::to_string(&config).unwrap();
            assert_eq!(Kubeconfig::parse(&written).unwrap(), config, "{written}");
        }
        Err(error) => says_something(format!("{error:#}")),
    });
}

#[test]
fn addresses() {
    let examples =
        ["https://id.example:8443", "/subscriptions/s/resourceGroups/g", "https://id.example/t/v2.0"];
    text(&examples, &["//", "..", "%2F", "@", "\\", "http://"], |text| {
        if let Err(error) = address::Server::parse(text) {
            says_something(error);
        }
        if let Err(error) = address::resource_id(text) {
            says_something(error);
        }
    });
}
