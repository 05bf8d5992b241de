//! Conversions of one user entry, as data. The real kubectl uses the results elsewhere.

use super::*;

const OLD: [&str; 15] = [
    "get-token",
    "--environment",
    "AzurePublicCloud",
    "--authority-host",
    "https://h/",
    "--server-id",
    "s",
    "--client-id",
    KUBELOGIN_CLIENT_ID,
    "--tenant-id",
    "t",
    "--login",
    "devicecode",
    "--client-secret",
    "old",
];

fn check(flags: SignInArgs, expected: &str) {
    let old: Vec<String> = OLD.iter().map(|each| (*each).to_owned()).collect();
    let expected = expected.replace("KUBELOGIN", KUBELOGIN_CLIENT_ID);
    assert_eq!(plugin_arguments(&flags, &old).join(" "), format!("get-token --login {expected}"));
}

fn with(login: LoginMode) -> SignInArgs {
    SignInArgs { login: Some(login), ..SignInArgs::default() }
}

#[test]
fn each_way_keeps_what_it_needs_and_no_secret_of_another() {
    let all = "--server-id s --client-id KUBELOGIN --tenant-id t --authority-host https://h/";
    check(SignInArgs::default(), &format!("devicecode {all}"));
    check(with(LoginMode::Interactive), &format!("interactive {all}"));
    check(with(LoginMode::Ropc), &format!("ropc {all}"));
    check(with(LoginMode::Azurecli), "azurecli --server-id s --authority-host https://h/");
    check(with(LoginMode::Spn), "spn --server-id s --tenant-id t --authority-host https://h/");
    let workload = SignInArgs {
        client_id: Some("c".into()),
        federated_token_file: Some("f".into()),
        password: Some("no".parse().unwrap()),
        ..with(LoginMode::Workloadidentity)
    };
    let expected = "workloadidentity --server-id s --client-id c --tenant-id t --authority-host https://h/ \
                    --federated-token-file f";
    check(workload, expected);
}

#[test]
fn a_context_that_is_not_there_is_named_with_those_that_are() {
    let text = "contexts:\n- name: a\n  context: {user: u}\n- name: b\n  context: {user: v}\n";
    let directory = tempfile::tempdir().unwrap();
    let files = [directory.path().join("none"), directory.path().join("config")];
    std::fs::write(&files[1], text).unwrap();
    assert_eq!(user_of("b", &files).unwrap(), "v");
    let error = user_of("c", &files).unwrap_err().to_string();
    assert!(error.contains("\"c\"") && error.contains("a, b"), "{error}");
}

#[test]
fn a_variable_is_set_once_beside_the_others() {
    let mut exec = Map::from_iter([("env".to_owned(), json!([{"name": CA_DATA, "value": "x"}]))]);
    set_variable(&mut exec, "AZURE_CONFIG_DIR", "/one");
    set_variable(&mut exec, "AZURE_CONFIG_DIR", "/two");
    let expected = json!([{"name": CA_DATA, "value": "x"}, {"name": "AZURE_CONFIG_DIR", "value": "/two"}]);
    assert_eq!(exec["env"], expected);
}

#[test]
fn an_entry_of_an_old_kubectl_calls_the_plugin_and_loses_its_tokens() {
    let text = "users:\n- name: u\n  user:\n    auth-provider:\n      name: azure\n      config:\n        \
                apiserver-id: s\n        client-id: c\n        tenant-id: t\n        environment: AzurePublicCloud\n        \
                config-mode: '1'\n        access-token: secret\n        refresh-token: secret\n";
    let mut config = Kubeconfig::parse(text).unwrap();
    let user = &mut config.users.as_mut().unwrap()[0];
    let flags = SignInArgs { authority_host: Some("https://h".into()), ..with(LoginMode::Devicecode) };
    assert!(convert(user, &flags, None, "kubelogin", None));
    let expected =
        "get-token --login devicecode --server-id s --client-id c --tenant-id t --authority-host https://h";
    assert_eq!(arguments_of(user).join(" "), expected);
    assert_eq!(user.content["user"]["exec"]["command"], "kubelogin");
    assert!(!config.render().unwrap().contains("secret"));
}

#[test]
fn an_entry_of_another_provider_stays() {
    let mut user: Named =
        serde_json::from_value(json!({"name": "u", "user": {"auth-provider": {"name": "oidc"}}})).unwrap();
    let before = user.clone();
    assert!(!convert(&mut user, &with(LoginMode::Devicecode), None, "kubelogin", None));
    assert_eq!(user, before);
}
