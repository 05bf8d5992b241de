//! The first start: the first administrator's password is not lost.

use server::{Settings, settings::Storage, start};

#[test]
fn no_first_administrator_is_made_whose_password_cannot_be_written_down() {
    // Each start has a runtime of its own: the store is let go with it.
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let place = tempfile::tempdir().unwrap();
    let settings =
        || Settings { storage: Storage::Directory(place.path().to_owned()), ..Settings::in_memory() };
    // Something stands in the way, as a full disk would.
    let file = place.path().join("first-admin.json");
    std::fs::create_dir_all(file.join("x")).unwrap();
    let error = format!("{:#}", runtime().block_on(start(settings())).unwrap_err());
    assert!(error.contains("first-admin.json"), "{error}");
    std::fs::remove_dir_all(&file).unwrap();
    let later = runtime();
    let running = later.block_on(start(settings())).unwrap();
    let first = running.first_administrator.as_ref().unwrap();
    let written: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(written["password"], first.password.expose().as_str());
    assert_eq!(written["tenantId"], running.installation.tenant.to_string());
    later.block_on(running.stop()).unwrap();
}

#[tokio::test]
async fn a_server_that_others_reach_and_that_names_localhost_is_known() {
    for (listen, url, expected) in [
        ("0.0.0.0:0", None, true),
        ("0.0.0.0:0", Some("https://127.0.0.1:8443"), true),
        ("0.0.0.0:0", Some("https://access.example.org"), false),
        ("127.0.0.1:0", None, false),
    ] {
        let settings = Settings {
            listen: listen.parse().unwrap(),
            external_url: url.map(str::to_owned),
            ..Settings::in_memory()
        };
        let running = start(settings).await.unwrap();
        assert_eq!(running.is_out_of_reach(), expected, "{listen} {url:?}");
        running.stop().await.unwrap();
    }
}
