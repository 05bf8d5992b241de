//! `serve --recover-admin`: what the flag makes of an installation whose administrator is shut out, and of the start after.

use app::Secret;
use clap::Parser;
use domain::{change::Record, name::Upn, user::User};
use serde_json::Value;
use server::settings::{Recover, ServeArgs, Settings, Storage};
use testserver::{CLI, Site};

const NEW: &str = "recovered battery";

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    serve: ServeArgs,
}

#[test]
fn the_flag_names_an_administrator_or_the_first_one() {
    let place = tempfile::tempdir().unwrap();
    let directory = format!("--data-dir={}", place.path().display());
    let read = |flags: &[&str]| {
        let arguments = ["serve", &directory].into_iter().chain(flags.iter().copied());
        Settings::resolve(Program::parse_from(arguments).serve).map(|settings| settings.recover)
    };
    assert!(read(&[]).unwrap().is_none());
    assert!(matches!(read(&["--recover-admin"]).unwrap(), Some(Recover::First)));
    let named = read(&["--recover-admin=eve@portcullis.local"]).unwrap();
    assert!(matches!(named, Some(Recover::Named(upn)) if upn.as_str() == "eve@portcullis.local"));
    assert!(read(&["--recover-admin=eve"]).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_starts_the_server_with_the_flag_gets_back_in() {
    let place = tempfile::tempdir().unwrap();
    let storage = || Storage::Directory(place.path().to_owned());
    let site = Site::start(|settings| settings.storage = storage()).await;
    let upn = Upn::parse(&site.admin.name).unwrap();
    site.running
        .app
        .whole_state()
        .transact(|tx| {
            let user = tx.snapshot().directory().user_by_upn(&upn).unwrap().clone();
            tx.put(&Record::User(User { enabled: false, password: None, ..User::clone(&user) }))
        })
        .await
        .unwrap();
    site.running.stop().await.unwrap();

    let mut settings = Settings::in_memory();
    (settings.storage, settings.recover) = (storage(), Some(Recover::First));
    settings.first_password = Some(Secret::new(NEW.to_owned()));
    let running = server::start(settings).await.unwrap();
    let file = std::fs::read_to_string(place.path().join("recovered-admin.json")).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    assert_eq!((&file["userPrincipalName"], &file["password"]), (&upn.as_str().into(), &NEW.into()));
    let authority = reqwest::Certificate::from_pem_bundle(running.authority.as_bytes()).unwrap();
    let http = reqwest::Client::builder().tls_certs_only(authority).build().unwrap();
    let scope = format!("{}/.default", running.url);
    let form = [
        ("grant_type", "password"),
        ("client_id", CLI),
        ("username", upn.as_str()),
        ("password", NEW),
        ("scope", &scope),
    ];
    let url = format!("{}/organizations/oauth2/v2.0/token", running.url);
    let answer = http.post(url).form(&form).send().await.unwrap();
    assert!(answer.status().is_success());
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let caller =
        running.app.sign_in().verify_management_token(answer["access_token"].as_str().unwrap()).unwrap();
    let made = running.app.directory().create_group(&caller, group()).await;
    assert!(made.is_ok(), "administers nothing");
    running.stop().await.unwrap();

    let mut settings = Settings::in_memory();
    settings.recover = Some(Recover::First);
    let refused = server::start(settings).await.err().map(|error| error.to_string());
    assert!(refused.is_some_and(|text| text.contains("needs a data directory")));
}

fn group() -> app::directory::groups::NewGroup {
    app::directory::groups::NewGroup {
        display_name: domain::name::DisplayName::parse("back").unwrap(),
        mail_nickname: "back".into(),
        description: None,
    }
}
