//! The authority: its documents are for everybody; what gives tokens asks for a client, its proof, and the proof of
//! whom the token is for. Beside it the health pages, which are open.

use super::{Asked, Body, Differences, Who, check_complete, stage};
use testserver::Site;

/// One request of a route: what is wrong with it, query or form, and the answer.
struct Case(&'static str, &'static str, &'static str);

const OPEN: &[Case] = &[Case("nobody", "", "200")];

/// Documents, and answers that tell nothing of anybody.
const DOCUMENTS: [&str; 5] = [
    "/{tenant}/v2.0/.well-known/openid-configuration",
    "/{tenant}/.well-known/openid-configuration",
    "/{tenant}/discovery/v2.0/keys",
    "/{tenant}/discovery/keys",
    "/{tenant}/userrealm/{user}",
];
const INSTANCE: &str = "/{tenant}/discovery/instance";
const AUTHORIZE: [&str; 2] = ["/{tenant}/oauth2/v2.0/authorize", "/{tenant}/oauth2/authorize"];
const DEVICE: [&str; 2] = ["/{tenant}/oauth2/v2.0/devicecode", "/{tenant}/oauth2/devicecode"];
const TOKEN: [&str; 2] = ["/{tenant}/oauth2/v2.0/token", "/{tenant}/oauth2/token"];
const LOGOUT: [&str; 2] = ["/{tenant}/oauth2/v2.0/logout", "/{tenant}/oauth2/logout"];
const USER_INFO: &str = "/oidc/userinfo";
const FINISH: &str = "/oauth2/finish";
const HEALTH: [&str; 3] = ["/livez", "/readyz", "/healthz"];

const INSTANCE_CASES: &[Case] = &[
    Case("nobody", "", "400 invalid_request 900144"),
    Case(
        "an address elsewhere",
        "authorization_endpoint=https://evil.example/x/oauth2/authorize",
        "400 invalid_instance 50049",
    ),
    Case("an address here", "authorization_endpoint={url}/common/oauth2/v2.0/authorize", "200"),
];

const AUTHORIZE_CASES: &[Case] = &[
    Case("nobody", "", "400"),
    Case("an unknown client", "client_id=00000000-0000-0000-0000-000000000001&response_type=code", "400"),
    Case(
        "a client elsewhere",
        "client_id={cli}&response_type=code&redirect_uri=https://evil.example/",
        "400",
    ),
    Case(
        "a client without an address",
        "client_id={appid}&response_type=code&redirect_uri=https://a.example/",
        "400",
    ),
    // The person is still to be asked.
    Case("a good client", GOOD_AUTHORIZE, "303 /portal/authorize"),
];
const GOOD_AUTHORIZE: &str = "client_id={cli}&response_type=code&redirect_uri=http://localhost:1&scope=openid&\
     code_challenge=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU&code_challenge_method=S256";

const FINISH_CASES: &[Case] = &[Case("nobody", "", "400"), Case("another browser", "request=x", "400")];

const DEVICE_CASES: &[Case] = &[
    Case("nobody", "", "400 invalid_request 900144"),
    Case(
        "an unknown client",
        "client_id=00000000-0000-0000-0000-000000000001",
        "400 unauthorized_client 700016",
    ),
    Case("a client with a secret", "client_id={appid}&scope=openid", "401 invalid_client 7000218"),
    Case("a good client", "client_id={cli}&scope=openid", "200"),
];

const TOKEN_CASES: &[Case] = &[
    Case("nobody", "", "400 invalid_request 900144"),
    Case("no client", "grant_type=client_credentials", "400 invalid_request 900144"),
    Case(
        "an unknown client",
        "grant_type=client_credentials&client_id=00000000-0000-0000-0000-000000000001&client_secret=x",
        "400 unauthorized_client 700016",
    ),
    Case(
        "a client without proof",
        "grant_type=client_credentials&client_id={appid}&scope={url}/.default",
        "401 invalid_client 7000218",
    ),
    Case(
        "a client with a wrong secret",
        "grant_type=client_credentials&client_id={appid}&client_secret=wrong&scope={url}/.default",
        "401 invalid_client 7000215",
    ),
    Case(
        "a client with a forged assertion",
        "grant_type=client_credentials&client_id={appid}&scope={url}/.default&client_assertion=x&\
         client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "401 invalid_client 700027",
    ),
    Case(
        "a disabled client",
        "grant_type=client_credentials&client_id={disabled}&client_secret={disabledsecret}&scope={url}/.default",
        "401 unauthorized_client 7000112",
    ),
    Case(
        "a public client for itself",
        "grant_type=client_credentials&client_id={cli}&scope={url}/.default",
        "401 invalid_client 7000218",
    ),
    Case(
        "a wrong password",
        "grant_type=password&client_id={cli}&username=victim@portcullis.local&password=wrong&scope=openid",
        "400 invalid_grant 50126",
    ),
    Case(
        "somebody who does not exist",
        "grant_type=password&client_id={cli}&username=none@portcullis.local&password=wrong&scope=openid",
        "400 invalid_grant 50126",
    ),
    Case(
        "somebody disabled",
        "grant_type=password&client_id={cli}&username=disabled@portcullis.local&\
         password=correct horse battery&scope=openid",
        "400 invalid_grant 50057",
    ),
    Case(
        "a client that may not send passwords",
        "grant_type=password&client_id={azurecli}&username=victim@portcullis.local&\
         password=correct horse battery&scope=openid",
        "400 unauthorized_client 70001",
    ),
    Case(
        "a made-up code",
        "grant_type=authorization_code&client_id={cli}&code=x&redirect_uri=http://localhost:1&code_verifier=x",
        "400 invalid_grant 70000",
    ),
    Case(
        "a made-up refresh token",
        "grant_type=refresh_token&client_id={cli}&refresh_token=x",
        "400 invalid_grant 70000",
    ),
    Case(
        "a made-up device code",
        "grant_type=device_code&client_id={cli}&device_code=x",
        "400 invalid_grant 70000",
    ),
    Case(
        "a made-up token of a person",
        "grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&client_id={appid}&client_secret={secret}&\
         assertion=x&requested_token_use=on_behalf_of&scope={url}/.default",
        "400 invalid_grant 50013",
    ),
    Case(
        "a client for a service that is none",
        "grant_type=client_credentials&client_id={appid}&client_secret={secret}&scope=https://none.example/.default",
        "400 invalid_resource 500011",
    ),
    Case(
        "a good client",
        "grant_type=client_credentials&client_id={appid}&client_secret={secret}&scope={url}/.default",
        "200",
    ),
];

const LOGOUT_CASES: &[Case] = &[
    Case("nobody", "", "303 /portal/signed-out"),
    Case("a foreign page", "post_logout_redirect_uri=https://evil.example/", "303 /portal/signed-out"),
];

fn rows() -> Vec<(&'static str, &'static str, &'static [Case])> {
    let of = |method: &'static str, paths: &'static [&'static str], cases: &'static [Case]| {
        paths.iter().map(move |path| (method, *path, cases))
    };
    of("GET", &DOCUMENTS, OPEN)
        .chain(of("GET", &[INSTANCE], INSTANCE_CASES))
        .chain(of("GET", &AUTHORIZE, AUTHORIZE_CASES))
        .chain(of("POST", &AUTHORIZE, AUTHORIZE_CASES))
        .chain(of("GET", &[FINISH], FINISH_CASES))
        .chain(of("POST", &DEVICE, DEVICE_CASES))
        .chain(of("POST", &TOKEN, TOKEN_CASES))
        .chain(of("GET", &LOGOUT, LOGOUT_CASES))
        .chain(of("POST", &LOGOUT, LOGOUT_CASES))
        .chain(of("GET", &HEALTH, OPEN))
        .collect()
}

fn asked(method: &'static str, path: &str, fields: &'static str) -> Asked {
    match method {
        "GET" => Asked { method, path: format!("{path}?{fields}"), body: Body::None },
        _ => Asked { method, path: path.to_owned(), body: Body::Form(fields) },
    }
}

#[tokio::test]
async fn every_route_of_the_authority_asks_for_what_it_must() {
    let info = ["GET", "POST"].map(|method| (method, USER_INFO.to_owned()));
    check_complete(
        ::oauth::surface().chain(server::health::surface()),
        rows().iter().map(|(method, path, _)| (*method, (*path).to_owned())).chain(info.clone()),
    );
    let mut site = Site::start(|_| {}).await;
    site.http = stage::browser(&site);
    let mut values = stage::directory(&site).await;
    let people = stage::people(&site, "openid profile", &stage::cluster()).await;
    stage::disabled_application(&site, &mut values).await;
    let mut differences = Differences::default();
    // Failed attempts are counted in the store; nothing that decides access changes.
    let before = stage::revision(&site).await;
    for (method, path, cases) in rows() {
        for Case(name, fields, expected) in cases {
            let asked = asked(method, path, fields);
            let who = Who { name, header: None };
            let found = super::answer(asked.request(&site, &values)).await;
            differences.check(&asked, who.name, &found, expected);
        }
    }
    for (method, path) in info {
        let asked = asked(method, &path, "");
        let found = super::answer(asked.request(&site, &values)).await;
        differences.check(&asked, "nobody", &found, "401 invalid_request");
        // Here a token for one's own data is the right one.
        for who in people.wrong.iter().filter(|who| who.name != "a token for one's own data") {
            let expected = match who.name {
                "name and password" => "401 invalid_request",
                _ => "401 invalid_token",
            };
            differences.refused(&site, &values, &asked, who, expected).await;
        }
        for who in [&people.nobody, &people.stranger] {
            differences.refused(&site, &values, &asked, who, "200").await;
        }
    }
    stage::check_access_unchanged(&site, before);
    differences.finish();
}
