//! Sign-in with the local browser: authorization code with PKCE (RFC 7636); the response is received at a loopback
//! address (RFC 8252), in a query or a posted form.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use aws_lc_rs::{
    digest,
    rand::{SecureRandom, SystemRandom},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    authority::{Authority, Tokens},
    client::encode,
    output,
};

/// The redirect URI and login hint.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BrowserTarget<'a> {
    /// A loopback URL with a port; by default a free port.
    pub(crate) redirect: Option<&'a str>,
    pub(crate) login_hint: Option<&'a str>,
}

pub(crate) async fn sign_in(
    authority: &Authority,
    client_id: &str,
    scope: &str,
    place: BrowserTarget<'_>,
) -> anyhow::Result<Tokens> {
    let port = place.redirect.map_or(Ok(0), loopback_port)?;
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .with_context(|| format!("listening for the browser's answer on port {port} of 127.0.0.1"))?;
    let redirect_uri = match place.redirect {
        Some(given) => given.to_owned(),
        None => format!("http://localhost:{}", listener.local_addr()?.port()),
    };
    let verifier = random_text()?;
    let state = random_text()?;
    let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
    let hint = place.login_hint.map(|hint| format!("&login_hint={}", encode(hint))).unwrap_or_default();
    let address = format!(
        "{}?response_type=code&client_id={client_id}&redirect_uri={}&scope={}&state={state}\
         &code_challenge={challenge}&code_challenge_method=S256&response_mode=form_post{hint}",
        authority.address("authorize")?,
        encode(&redirect_uri),
        encode(scope)
    );
    output::note(format_args!("Sign in with your browser. If it does not open, go to {address}"));
    open(&address);
    let code = tokio::time::timeout(WAIT, answer(&listener, &state)).await;
    let code = code.context("nobody signed in within ten minutes: start again")??;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id),
        ("code", code.as_str()),
        ("redirect_uri", redirect_uri.as_str()),
        ("code_verifier", verifier.as_str()),
        ("scope", scope),
    ];
    authority.token(&form).await
}

/// The port of a loopback URL (RFC 8252 section 7.3).
fn loopback_port(address: &str) -> anyhow::Result<u16> {
    let wrong =
        || format!("--redirect-url: \"{address}\": expected an address such as http://localhost:8400");
    let url = reqwest::Url::parse(address).with_context(wrong)?;
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1")) && url.scheme() == "http";
    url.port().filter(|_| local).with_context(wrong)
}

/// Waits for the request with our `state`; others get an error.
async fn answer(listener: &TcpListener, state: &str) -> anyhow::Result<String> {
    loop {
        let (mut stream, _) = listener.accept().await.context("waiting for the browser's answer")?;
        let request = tokio::time::timeout(Duration::from_secs(10), read_request(&mut stream)).await;
        let Ok(Some(parameters)) = request else {
            respond(&mut stream, "400 Bad Request", "This is not the answer that was expected.").await;
            continue;
        };
        if parameters.get("state").map(String::as_str) != Some(state) {
            respond(&mut stream, "400 Bad Request", "This answer belongs to another sign-in.").await;
            continue;
        }
        if let Some(code) = parameters.get("code") {
            respond(&mut stream, "200 OK", "You are signed in. You can close this window.").await;
            return Ok(code.clone());
        }
        respond(&mut stream, "200 OK", "You were not signed in. You can close this window.").await;
        let why = parameters.get("error_description").or_else(|| parameters.get("error"));
        bail!("{}", why.map_or("the sign-in was refused", String::as_str));
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<BTreeMap<String, String>> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length: usize = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, value)| value.trim().parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                let target = head.lines().next()?.split(' ').nth(1)?;
                let query = target.split_once('?').map_or("", |(_, query)| query);
                return Some(parameters(if length > 0 { body } else { query }));
            }
        }
        if bytes.len() > 64 * 1024 {
            return None;
        }
        let read = stream.read(&mut part).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(part.get(..read)?);
    }
}

fn parameters(encoded: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(encoded.as_bytes()).into_owned().collect()
}

async fn respond(stream: &mut TcpStream, status: &str, text: &str) {
    let body = format!("<!doctype html><meta charset=\"utf-8\"><title>Portcullis</title><p>{text}</p>\n");
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    // The browser may have closed the connection; the code is already read.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Whether a local browser can be opened: `BROWSER` is set, or there is a display.
pub(crate) fn can_open() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let named = is_set("BROWSER") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    let path = std::env::var_os("PATH").unwrap_or_default();
    // A browser given by its full path is found without `PATH`.
    named && std::env::split_paths(&path).any(|place| place.join(opener()).is_file())
}

fn opener() -> String {
    std::env::var("BROWSER").ok().filter(|set| !set.is_empty()).unwrap_or_else(|| "xdg-open".to_owned())
}

fn open(address: &str) {
    let program = opener();
    let quiet = std::process::Stdio::null;
    let started = std::process::Command::new(program)
        .arg(address)
        .stdin(quiet())
        .stdout(quiet())
        .stderr(quiet())
        .spawn();
    // Failure is ignored: the URL is printed as well.
    drop(started);
}

fn random_text() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

const WAIT: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        let parsed = parameters("code=a%2Bb&state=x+y&empty=");
        assert_eq!(parsed["code"], "a+b");
        assert_eq!(parsed["state"], "x y");
    }

    #[test]
    fn answers_are_taken_at_a_loopback_address_alone() {
        assert_eq!(loopback_port("http://localhost:8400/").unwrap(), 8400);
        for wrong in ["https://localhost:8400", "http://example.org:8400", "http://localhost", "8400"] {
            assert!(loopback_port(wrong).unwrap_err().to_string().contains(wrong), "{wrong}");
        }
    }
}
