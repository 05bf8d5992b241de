//! Limits that the system sets on the process: what cannot be written is an error of that write, told without telling
//! where the server keeps its files, and the server goes on.

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};

use crate::running::Journey;

/// As another client of the command line would, by password.
async fn token(journey: &Journey, http: &reqwest::Client) -> String {
    let form = [
        ("grant_type", "password"),
        ("client_id", "b0c5f1a2-6d3e-4c1b-9f7a-2e8d4a6c0f31"),
        ("username", &journey.first("userPrincipalName")),
        ("password", &journey.first("password")),
        ("scope", &format!("{}/.default", journey.url)),
    ];
    let answer = http.post(format!("{}/organizations/oauth2/v2.0/token", journey.url)).form(&form);
    let answer: Value = answer.send().await.unwrap().json().await.unwrap();
    answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[tokio::test]
async fn a_file_as_large_as_it_may_be_is_an_error_of_the_write_and_not_the_end() {
    let journey = Journey::begin();
    let http = journey.http();
    let token = token(&journey, &http).await;
    let process = Pid::from_raw(i32::try_from(journey.server.id()).unwrap()).unwrap();
    let limit = |bytes: Option<u64>| {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(process), Resource::Fsize, limit).unwrap();
    };
    let groups = format!("{}/v1.0/groups", journey.url);
    let make = async |name: String| {
        let body = json!({"displayName": name, "description": "x".repeat(1000)});
        let answer = http.post(&groups).bearer_auth(&token).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let size = std::fs::metadata(journey.path("data/portcullis.store")).unwrap().len();
    limit(Some(size));
    let mut kept = 0;
    let (status, text) = loop {
        let (status, text) = make(format!("g{kept}")).await;
        if status != 201 {
            break (status, text);
        }
        kept += 1;
        assert!(kept < 50_000, "the limit was never reached");
    };
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("disk is full"), "{text}");
    let data = journey.path("data");
    for told in [data.to_str().unwrap(), "os error", ".store"] {
        assert!(!text.contains(told), "{text}");
    }
    // Reads go on, and with room there are writes again.
    let read = http.get(&groups).bearer_auth(&token).send().await.unwrap();
    assert_eq!(read.status().as_u16(), 200);
    limit(None);
    let (status, text) = make("after".into()).await;
    assert_eq!(status, 201, "{text}");
}
