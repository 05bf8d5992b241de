//! The files for an API server, as their readers read them.

use std::path::Path;

use super::{configuration::ClusterFiles, *};

fn hooks() -> Value {
    json!({
        "authenticate": {"url": "https://access.example.org/webhooks/x/authenticate"},
        "authorize": {"url": "https://access.example.org/webhooks/x/authorize"},
        "certificateAuthorityData": "Q0E=",
    })
}

fn written(install_dir: &str) -> Vec<(&'static str, String)> {
    let place = ClusterFiles { name: "prod", resource_group: "rg1", install_dir: Path::new(install_dir) };
    FILES.iter().map(|(name, content)| (*name, content(&place, &hooks()).unwrap())).collect()
}

fn text(files: &[(&'static str, String)], name: &str) -> String {
    files.iter().find(|(each, _)| *each == name).unwrap().1.clone()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_certificate_of_a_webhook_is_a_file_beside_its_kubeconfig() {
    let files = written("/etc/kubernetes/portcullis");
    for name in ["authentication-webhook.yaml", "authorization-webhook.yaml"] {
        let config = yaml(&text(&files, name));
        assert_eq!(
            config["users"][0]["user"],
            json!({"client-certificate": "client.pem", "client-key": "client.pem"})
        );
        assert_eq!(config["clusters"][0]["cluster"]["certificate-authority-data"], "Q0E=");
    }
    let issued =
        json!({"clientCertificateData": STANDARD.encode("C"), "clientKeyData": STANDARD.encode("K\n")});
    assert_eq!(client_pem(&issued).unwrap(), b"C\nK\n");
    assert!(client_pem(&json!({"clientCertificateData": "Qw=="})).is_err());
}

#[test]
fn each_release_gets_the_configuration_that_it_reads() {
    let files = written("/etc/kubernetes/portcullis");
    let newer = yaml(&text(&files, "authorization-config.yaml"));
    let older = yaml(&text(&files, "authorization-config-1.30.yaml"));
    assert_eq!(newer["apiVersion"], "apiserver.config.k8s.io/v1");
    assert_eq!(older["apiVersion"], "apiserver.config.k8s.io/v1beta1");
    for (config, switches) in [(&newer, Some(&json!(false))), (&older, None)] {
        let order: Vec<&str> = config["authorizers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|each| each["type"].as_str().unwrap())
            .collect();
        assert_eq!(order, ["Node", "Webhook", "RBAC"]);
        let webhook = &config["authorizers"][1]["webhook"];
        assert_eq!(webhook["failurePolicy"], "Deny");
        assert_eq!(
            webhook["connectionInfo"]["kubeConfigFile"],
            "/etc/kubernetes/portcullis/authorization-webhook.yaml"
        );
        for field in ["cacheAuthorizedRequests", "cacheUnauthorizedRequests"] {
            assert_eq!(webhook.get(field), switches, "{field}");
        }
    }
}

#[test]
fn the_instructions_name_the_place_of_the_files_and_hold_for_kubeadm() {
    let at = "/srv/it's here";
    let files = written(at);
    let readme = text(&files, "README.md");
    assert!(!readme.contains('@'), "{readme}");
    assert!(readme.contains(&format!("--authorization-config={at}/authorization-config.yaml\n")));
    assert!(readme.contains(&format!("--authorization-config={at}/authorization-config-1.30.yaml\n")));
    assert!(readme.contains("--authorization-mode=Node,Webhook,RBAC\n"));
    assert!(readme.contains("portcullis cluster certificate rotate prod -g rg1"));
    let blocks: Vec<Value> =
        readme.split("```yaml\n").skip(1).map(|block| yaml(block.split("```").next().unwrap())).collect();
    let [list, map, manifest] = blocks.as_slice() else { panic!("{} blocks", blocks.len()) };
    assert_eq!(list["apiVersion"], "kubeadm.k8s.io/v1beta4");
    assert_eq!(map["apiVersion"], "kubeadm.k8s.io/v1beta3");
    let of_list: Vec<(&str, &str)> = list["apiServer"]["extraArgs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| (each["name"].as_str().unwrap(), each["value"].as_str().unwrap()))
        .collect();
    for (name, value) in &of_list {
        assert_eq!(map["apiServer"]["extraArgs"][name], *value);
        assert!(readme.contains(&format!("--{name}={value}\n")), "{name}: the flags say the same");
    }
    assert_eq!(of_list.len(), 4);
    for each in [list, map] {
        let volume = &each["apiServer"]["extraVolumes"][0];
        assert_eq!((&volume["hostPath"], &volume["mountPath"]), (&json!(at), &json!(at)));
        assert_eq!(volume["readOnly"], true);
    }
    assert_eq!(manifest["spec"]["volumes"][0]["hostPath"]["path"], at);
    assert_eq!(manifest["spec"]["containers"][0]["volumeMounts"][0]["mountPath"], at);
}

#[test]
fn an_address_of_this_machine_is_known_as_one() {
    for (url, expected) in [
        ("https://localhost:8443/webhooks", true),
        ("https://LOCALHOST", true),
        ("https://127.0.0.1:6443", true),
        ("https://[::1]:6443", true),
        ("https://access.example.org", false),
        ("https://localhost.example.org", false),
        ("https://10.0.0.1:6443", false),
    ] {
        assert_eq!(is_loopback(&host(url)), expected, "{url}");
    }
}
