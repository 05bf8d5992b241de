//! What the files of a data directory give away: whoever copies the data file without the sealing key has no
//! password, key or token.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::running::Journey;

#[test]
fn the_data_file_gives_no_secret_away() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["cluster", "create", "c1", "-g", "rg"], None).ok();
    journey.person("alice");
    let config = journey.credentials("admin", "c1", &["--admin"]);
    let kubectl = |arguments: &[&str]| journey.kubectl("admin", &config, arguments).ok();
    kubectl(&["create", "secret", "generic", "s", "--from-literal=password=correct-horse-battery"]);
    kubectl(&["create", "configmap", "c", "--from-literal=plain=a-value-that-is-no-secret"]);
    let read = |name: &str| std::fs::read_to_string(journey.path(name)).unwrap();
    let first: serde_json::Value = serde_json::from_str(&read("data/first-admin.json")).unwrap();
    let tokens: Vec<String> = std::fs::read_dir(journey.path("alice"))
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok())
        .flat_map(|text| text.split('"').map(str::to_owned).collect::<Vec<_>>())
        .filter(|text| text.len() > 40)
        .collect();
    assert!(!tokens.is_empty(), "the session of a person holds no token?");
    let mut secrets = vec![
        "correct-horse-battery".to_owned(),
        STANDARD.encode("correct-horse-battery"),
        "a long Password 1".to_owned(),
        first["password"].as_str().unwrap().to_owned(),
        "PRIVATE KEY".to_owned(),
    ];
    secrets.extend(tokens);
    let data = std::fs::read(journey.path("data/portcullis.store")).unwrap();
    let holds = |text: &str| memchr::memmem::find(&data, text.as_bytes()).is_some();
    assert!(holds("a-value-that-is-no-secret"), "this test does not see what the file holds");
    for secret in secrets {
        assert!(!holds(&secret), "the data file holds {secret:?}");
    }
}
