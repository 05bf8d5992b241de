//! Forms of every endpoint as no client sends them, through the whole router: each is answered, none as a fault of ours.

use http::StatusCode;

use super::world::{CLI, PASSWORD, World};

#[test]
fn forms() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    let tenant = world.home.id;
    let paths = ["oauth2/v2.0/token", "oauth2/token", "oauth2/v2.0/devicecode", "oauth2/v2.0/authorize"]
        .map(|path| format!("/{tenant}/{path}"));
    let examples = [
        format!(
            "grant_type=password&client_id={CLI}&username=alice%40example.org&password={PASSWORD}&scope=openid"
        ),
        format!(
            "grant_type=refresh_token&client_id={CLI}&refresh_token=x&claims=%7B%22access_token%22%3A%7B%7D%7D"
        ),
        format!("grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id={CLI}&device_code=x"),
        format!(
            "grant_type=authorization_code&client_id={CLI}&code=x&code_verifier=y&redirect_uri=http://localhost"
        ),
        format!(
            "grant_type=client_credentials&client_id={CLI}&client_assertion=a.b.c&client_assertion_type=\
            urn:ietf:params:oauth:client-assertion-type:jwt-bearer&scope=https%3A%2F%2Fx%2F.default"
        ),
        format!(
            "client_id={CLI}&response_type=code&scope=openid&state=s&nonce=n&prompt=none&code_challenge=x&\
            code_challenge_method=S256&redirect_uri=http%3A%2F%2Flocalhost%3A1&login_hint=a&max_age=5&response_mode=form_post"
        ),
        "token=x&token_type_hint=refresh_token&id_token_hint=a.b.c&post_logout_redirect_uri=http://x"
            .to_owned(),
    ];
    let examples: Vec<&str> = examples.iter().map(String::as_str).collect();
    fuzzing::text(&examples, &["&scope=", "/.default", "api://", "%00", "organizations"], |form| {
        for path in &paths {
            let answer = runtime.block_on(world.client.written_form(path, form.to_owned()));
            assert!(answer.status < StatusCode::INTERNAL_SERVER_ERROR, "{path} {form:?}: {answer:?}");
        }
    });
}
