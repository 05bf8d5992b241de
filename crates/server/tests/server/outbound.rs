//! What may not happen on the way to other hosts.

use app::state::outbound::{Outbound, OutboundBody, OutboundRequest};
use reqwest::StatusCode;
use server::outbound::Https;
use testserver::Site;

#[tokio::test]
async fn other_hosts_are_asked_over_https_and_never_lead_on() {
    let site = Site::start(|_| {}).await;
    let directory = tempfile::tempdir().unwrap();
    let authorities = directory.path().join("authorities.pem");
    std::fs::write(&authorities, &site.running.authority).unwrap();
    let trusting = Https::new(Some(&authorities)).unwrap();
    let ask = async |way: &Https, url: String| {
        way.send(OutboundRequest { url, body: OutboundBody::None, bearer: None }).await
    };
    let keys = site.url("/common/discovery/v2.0/keys");
    assert!(ask(&trusting, keys.clone()).await.is_ok());
    // An authority that nobody named.
    let refused = ask(&Https::new(None).unwrap(), keys.clone()).await.unwrap_err();
    assert!(refused.contains("no answer"), "{refused}");
    // An answer that leads elsewhere.
    let redirect = ask(&trusting, site.url("/portal")).await.unwrap_err();
    assert!(redirect.contains(StatusCode::SEE_OTHER.as_str()), "{redirect}");
    assert!(ask(&trusting, site.url("/nowhere")).await.unwrap_err().contains("404"));
    for other in [keys.replace("https://", "http://"), "file:///etc/passwd".into(), "x".into(), String::new()]
    {
        assert!(ask(&trusting, other.clone()).await.is_err(), "{other}");
    }
    assert!(Https::new(Some(&directory.path().join("missing.pem"))).is_err());
}
