//! Two administrators at once: what one writes between the other's reading and writing is not lost. Somebody stands
//! between the command line and the server, and lets the other come first.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::{
    attach::attach,
    running::{Journey, Said},
};

/// Runs a command of a session whose server is this one; before its first PUT is passed on, `first` is done. Gives also
/// how many there were.
fn come_first(journey: &Journey, command: &[&str], first: impl FnOnce() + Send) -> (Said, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // The server's own certificate: its name is the same.
    let file = |name: &str| journey.path("data").join(name);
    let chain = CertificateDer::pem_file_iter(file("server.crt")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let tls = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let tls = Arc::new(tls);
    let session = std::fs::read_to_string(journey.path("admin/session.json")).unwrap();
    std::fs::create_dir_all(journey.path("between")).unwrap();
    let session = session.replace(&journey.url, &format!("https://localhost:{port}"));
    std::fs::write(journey.path("between/session.json"), session).unwrap();
    let (ended, puts) = (AtomicBool::new(false), AtomicUsize::new(0));
    let said = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut first = Some(first);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let http = journey.http();
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    break;
                }
                let connection = rustls::ServerConnection::new(tls.clone()).unwrap();
                let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
                let request = Request::read(&mut stream);
                if request.method == "PUT" && puts.fetch_add(1, Ordering::SeqCst) == 0 {
                    first.take().unwrap()();
                }
                let answer = runtime.block_on(request.pass_on(&http, &journey.url));
                stream.write_all(&answer).unwrap();
                stream.conn.send_close_notify();
                stream.flush().unwrap();
            }
        });
        let said = journey.portcullis("between", command, None);
        ended.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
        said
    });
    (said, puts.load(Ordering::SeqCst))
}

struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &mut impl Read) -> Self {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let mut words = line.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
        reader.read_exact(&mut body).unwrap();
        Self { method, path, headers, body }
    }

    async fn pass_on(self, http: &reqwest::Client, url: &str) -> Vec<u8> {
        let mut request =
            http.request(self.method.parse().unwrap(), format!("{url}{}", self.path)).body(self.body);
        let meant = ["authorization", "content-type", "if-match", "if-none-match"];
        for (name, value) in self.headers.iter().filter(|(name, _)| meant.contains(&name.as_str())) {
            request = request.header(name, value);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let body = answer.bytes().await.unwrap();
        let head = format!(
            "HTTP/1.1 {} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            status.as_u16(),
            body.len()
        );
        [head.as_bytes(), &body].concat()
    }
}

#[test]
fn of_two_changes_at_once_none_is_lost() {
    let journey = Journey::begin();
    let say = |line: &[&str]| journey.portcullis("admin", line, None).ok();
    let show = |cluster: &str| -> serde_json::Value {
        serde_json::from_str(&say(&["cluster", "show", cluster, "-g", "rg", "-o", "json"])).unwrap()
    };
    say(&["cluster", "create", "c1", "-g", "rg"]);
    let update = ["cluster", "update", "c1", "-g", "rg", "--azure-rbac"];
    let (said, puts) = come_first(&journey, &update, || {
        say(&["cluster", "update", "c1", "-g", "rg", "--disable-local-accounts"]);
    });
    said.ok();
    assert_eq!(puts, 2, "refused once, and tried again");
    let both = |cluster: &str| {
        let properties = &show(cluster)["properties"];
        (properties["aadProfile"]["enableAzureRBAC"] == true, properties["disableLocalAccounts"] == true)
    };
    assert_eq!(both("c1"), (true, true));

    let out = journey.path("files");
    attach(&journey, "https://localhost:1", &out, &[]).ok();
    let ca = journey.path("data/ca.crt");
    let again = ["cluster", "attach", "real", "-g", "rg", "--server", "https://localhost:2", "--ca"];
    let again =
        [&again[..], &[ca.to_str().unwrap(), "--out", out.to_str().unwrap(), "--azure-rbac"]].concat();
    let (said, _) = come_first(&journey, &again, || {
        say(&["cluster", "update", "real", "-g", "rg", "--disable-local-accounts"]);
    });
    said.ok();
    assert_eq!(both("real"), (true, true));
    assert_eq!(show("real")["properties"]["attached"]["server"], "https://localhost:2");
}

#[test]
fn what_somebody_else_has_just_made_is_not_written_over() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["resource-group", "create", "rg"], None).ok();
    let create = ["cluster", "create", "c1", "-g", "rg"];
    let (said, _) = come_first(&journey, &create, || {
        journey.portcullis("admin", &[&create[..], &["--azure-rbac"]].concat(), None).ok();
    });
    said.refused("is in resource group \"rg\" already");
    let shown = journey.portcullis("admin", &["cluster", "show", "c1", "-o", "json"], None).ok();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["properties"]["aadProfile"]["enableAzureRBAC"], true);
}
