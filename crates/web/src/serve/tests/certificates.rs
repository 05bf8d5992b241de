//! What client certificates are worth, and that ours can be replaced.

use std::sync::{Arc, Mutex};

use rustls::{ClientConfig, SignatureScheme, client::ResolvesClientCert, sign::CertifiedKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{clients::roots, *};

async fn who(client: &Client) -> String {
    in_time(client.http1().await.get("/who")).await.text
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_names_its_holder() {
    let server = Server::start().await;
    let cluster = Authority::new("cluster a");
    server.tls.trust(vec![cluster.as_client_authority("a")]).unwrap();
    let ann = cluster.client_certificate("ann@example.test", &["one"]);
    let client = server.client().presenting(&server.authority, &ann);
    assert_eq!(who(&client).await, "a 01af ann@example.test [\"one\"] expires 4096-01-01T00:00:00Z");
    assert_eq!(in_time(client.http2().await.get("/who")).await.text, who(&client).await);
}

#[tokio::test]
async fn without_a_certificate_nobody_is_named() {
    let server = Server::start().await;
    assert_eq!(who(&server.client()).await, "none");
    server.tls.trust(vec![Authority::new("cluster a").as_client_authority("a")]).unwrap();
    assert_eq!(who(&server.client()).await, "none");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_worth_nothing() {
    let server = Server::start().await;
    let cluster = Authority::new("cluster a");
    server.tls.trust(vec![cluster.as_client_authority("a")]).unwrap();
    let impostor = Authority::new("cluster a");
    let long_ago = cluster.client_certificate_with("ann", &[], |params| {
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    });
    let for_servers = cluster.client_certificate_with("ann", &[], |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    });
    // The client must be given a certificate of the name that it is asked for, or it would send none.
    let same_name = impostor.client_certificate("ann", &[]);
    for credential in [long_ago, for_servers, same_name] {
        let client = server.client().presenting(&server.authority, &credential);
        assert_eq!(who(&client).await, "unverified");
    }
}

#[tokio::test]
async fn a_stolen_certificate_without_its_key_gets_no_connection() {
    let server = Server::start().await;
    let cluster = Authority::new("cluster a");
    server.tls.trust(vec![cluster.as_client_authority("a")]).unwrap();
    let (ann, eve) = (cluster.client_certificate("ann", &[]), cluster.client_certificate("eve", &[]));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let stolen = ann.with_key_of(&eve);
    let key = provider.key_provider.load_private_key(stolen.key()).unwrap();
    let resolver =
        Presents { key: Arc::new(CertifiedKey::new(stolen.chain(), key)), asked_for: Arc::default() };
    let client = Client::with_config(server.address, resolving(&server.authority, resolver));
    let refused = async {
        let mut stream = client.tls(b"http/1.1").await?;
        stream.write_all(b"GET /who HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
        stream.read_u8().await
    };
    let error = in_time(refused).await.unwrap_err();
    assert!(error.to_string().contains("DecryptError"), "{error}");
}

#[tokio::test]
async fn an_authority_that_is_taken_away_counts_no_more_not_even_in_a_resumed_session() {
    let server = Server::start().await;
    let cluster = Authority::new("cluster a");
    let other = Authority::new("cluster b");
    server.tls.trust(vec![cluster.as_client_authority("a"), other.as_client_authority("b")]).unwrap();
    let ann = cluster.client_certificate("ann", &[]);
    let client = server.client().presenting(&server.authority, &ann);
    assert!(who(&client).await.starts_with("a 01af ann"));
    assert_eq!(handshake_and_who(&client).await, (Some(rustls::HandshakeKind::Resumed), true));
    server.tls.trust(vec![other.as_client_authority("b")]).unwrap();
    assert_eq!(handshake_and_who(&client).await, (Some(rustls::HandshakeKind::Resumed), false));
}

/// The kind of handshake, and whether the certificate was verified.
async fn handshake_and_who(client: &Client) -> (Option<rustls::HandshakeKind>, bool) {
    let mut stream = in_time(client.tls(b"http/1.1")).await.unwrap();
    stream.write_all(b"GET /who HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    in_time(stream.read_to_string(&mut text)).await.unwrap();
    (stream.get_ref().1.handshake_kind(), text.contains("ann"))
}

#[tokio::test]
async fn authorities_of_one_name_are_told_apart() {
    let server = Server::start().await;
    let authorities: Vec<Authority> = (0..40).map(|_| Authority::new("cluster authority")).collect();
    let trusted =
        authorities.iter().enumerate().map(|(n, authority)| authority.as_client_authority(&n.to_string()));
    server.tls.trust(trusted.collect()).unwrap();
    for n in [0, 17, 39] {
        let ann = authorities[n].client_certificate("ann", &[]);
        let client = server.client().presenting(&server.authority, &ann);
        assert!(who(&client).await.starts_with(&format!("{n} ")), "authority {n}");
    }
    // Without a key id, only the first few are tried: nobody makes us check thousands of signatures.
    let last = authorities[39].client_certificate_with("ann", &[], |_| ());
    assert_eq!(who(&server.client().presenting(&server.authority, &last)).await, "unverified");
    let first = authorities[0].client_certificate_with("ann", &[], |_| ());
    assert!(who(&server.client().presenting(&server.authority, &first)).await.starts_with("0 "));
}

#[tokio::test]
async fn the_names_of_the_authorities_that_count_are_sent() {
    let server = Server::start().await;
    assert_eq!(asked_for(&server).await, None, "with no authority no certificate is asked for");
    server.tls.trust(vec![Authority::new("cluster a").as_client_authority("a")]).unwrap();
    let names = asked_for(&server).await.unwrap();
    assert_eq!(names.len(), 1);
    assert!(String::from_utf8_lossy(&names[0]).contains("cluster a"));
    let many = (0..1000).map(|n| Authority::new(&format!("cluster {n:04}")).as_client_authority("x"));
    server.tls.trust(many.collect()).unwrap();
    assert_eq!(
        asked_for(&server).await,
        Some(vec![]),
        "more names than a handshake carries: any certificate may come"
    );
}

/// The names that the server sends, if it asks for a certificate at all.
async fn asked_for(server: &Server) -> Option<Vec<Vec<u8>>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let anyone = Authority::new("anyone").client_certificate("ann", &[]);
    let key = provider.key_provider.load_private_key(anyone.key()).unwrap();
    let asked_for = Arc::new(Mutex::new(None));
    let resolver =
        Presents { key: Arc::new(CertifiedKey::new(anyone.chain(), key)), asked_for: asked_for.clone() };
    let client = Client::with_config(server.address, resolving(&server.authority, resolver));
    let _ = in_time(client.http1().await.get("/hello")).await;
    asked_for.lock().unwrap().clone()
}

/// Presents one certificate, whatever it is asked for.
#[derive(Debug)]
struct Presents {
    key: Arc<CertifiedKey>,
    asked_for: Arc<Mutex<Option<Vec<Vec<u8>>>>>,
}

impl ResolvesClientCert for Presents {
    fn resolve(&self, names: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        *self.asked_for.lock().unwrap() = Some(names.iter().map(|name| name.to_vec()).collect());
        Some(self.key.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn resolving(authority: &Authority, resolver: Presents) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(authority))
        .with_client_cert_resolver(Arc::new(resolver))
}

#[tokio::test]
async fn what_is_no_authority_is_refused_and_changes_nothing() {
    let server = Server::start().await;
    let cluster = Authority::new("cluster a");
    server.tls.trust(vec![cluster.as_client_authority("a")]).unwrap();
    let nonsense = ClientAuthority { name: "b".into(), certificate: b"nonsense".to_vec() };
    let error = server.tls.trust(vec![nonsense]).unwrap_err();
    assert!(error.to_string().starts_with("authority \"b\" cannot be used"), "{error}");
    let ann = cluster.client_certificate("ann", &[]);
    assert!(who(&server.client().presenting(&server.authority, &ann)).await.starts_with("a "));
}

#[tokio::test]
async fn our_certificate_is_replaced_while_serving() {
    let server = Server::start().await;
    let mut open = server.client().http2().await;
    let next = Authority::new("next authority");
    let (chain, key) = next.server_certificate();
    server.tls.replace_certificate(ServerCertificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap());
    assert_eq!(in_time(Client::new(server.address, &next).http1().await.get("/hello")).await.text, "hello");
    assert!(
        in_time(server.client().tls(b"h2")).await.is_err(),
        "the old authority has not signed the new one"
    );
    assert_eq!(in_time(open.get("/hello")).await.text, "hello", "open connections go on");
}

#[tokio::test]
async fn certificate_files_are_followed_and_a_bad_pair_is_left_alone() {
    let server = Server::start().await;
    let directory = std::env::temp_dir().join(format!("web-certificates-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&directory).unwrap();
    let (chain_file, key_file) = (directory.join("tls.crt"), directory.join("tls.key"));
    let (chain, key) = server.authority.server_certificate();
    std::fs::write(&chain_file, chain).unwrap();
    std::fs::write(&key_file, &key).unwrap();
    let (files, certificate) = CertificateFiles::load(chain_file.clone(), key_file.clone()).await.unwrap();
    server.tls.replace_certificate(certificate);
    let following = tokio::spawn(files.follow(server.tls.clone(), Duration::from_millis(10)));

    let next = Authority::new("next authority");
    let (chain, next_key) = next.server_certificate();
    std::fs::write(&chain_file, chain).unwrap();
    // Certificate and key do not belong together now; the one in use must stay.
    assert_eq!(in_time(server.client().http1().await.get("/hello")).await.text, "hello");
    std::fs::write(&key_file, next_key).unwrap();
    in_time(async {
        while Client::new(server.address, &next).tls(b"h2").await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    following.abort();
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_server_certificate_must_fit_its_key() {
    let authority = Authority::new("server authority");
    let ((chain, key), (_, other_key)) = (authority.server_certificate(), authority.server_certificate());
    assert!(ServerCertificate::from_pem(chain.as_bytes(), key.as_bytes()).is_ok());
    let error =
        |chain: &str, key: &str| ServerCertificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err();
    assert!(matches!(error(&chain, &other_key), TlsError::Unusable(_)));
    assert!(matches!(error(&key, &key), TlsError::NoCertificate));
    assert!(matches!(error(&chain, &chain), TlsError::NoKey(_)));
    assert!(matches!(error("", ""), TlsError::NoCertificate));
}
