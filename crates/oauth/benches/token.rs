//! What a token costs beside the bare RSA signature, and what it costs to look at one again. CPU time of this
//! process over batches; rounds alternate, and medians are compared.

use std::{hint::black_box, time::Duration};

use app::App;
use crypto::{jwt, keys::SigningKey};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use testkit::Client;
use tokio::task::JoinSet;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let world = World::new().await;
    let key = SigningKey::generate().expect("the system has random bytes");
    let message = [7_u8; 900];
    let claims = json!({"aud": "a", "groups": (0..20).map(|n| format!("{n:036}")).collect::<Vec<_>>()});
    let (mut raw, mut jwts, mut endpoint, mut first, mut again) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        raw.push(per_operation(|| drop(black_box(key.sign(black_box(&message))))));
        jwts.push(per_operation(|| drop(black_box(jwt::sign(&key, "kid", black_box(&claims))))));
        let (cost, tokens) = world.issue().await;
        endpoint.push(cost);
        let mut left = tokens.iter();
        let mut verify = || {
            assert!(
                left.next().is_none_or(|token| world.app.sign_in().verify_management_token(token).is_ok())
            )
        };
        first.push(per_operation(&mut verify));
        let mut left = tokens.iter();
        let mut verify = || {
            assert!(
                left.next().is_none_or(|token| world.app.sign_in().verify_management_token(token).is_ok())
            )
        };
        again.push(per_operation(&mut verify));
    }
    let [raw, jwts, endpoint, first, again] = [raw, jwts, endpoint, first, again].map(median);
    println!("{:<52} {:>10}  limit", "", "median");
    row("bare RSA-2048 signature", raw, "");
    row("a signed token", jwts, "");
    row("token endpoint, client credentials, in process", endpoint, "");
    row("a token that was not seen before", first, "");
    row("a token that was seen before", again, "<= 8 us");
    let share = raw.as_secs_f64() / endpoint.as_secs_f64() * 100.0;
    println!("{:<52} {share:>8.0} %  >= 80 %", "rate of issuing, of the bare signing rate");
    if share < 80.0 || again > Duration::from_micros(8) {
        eprintln!("a limit was missed");
        std::process::exit(1);
    }
}

struct World {
    app: App,
    client: Client,
    path: String,
    form: String,
}

impl World {
    async fn new() -> Self {
        let builder = testkit::World::builder().external_url(BASE).now(jiff::Timestamp::now());
        let world = builder.start().await;
        let build = world.home.application("build").await;
        let secret = world.home.secret(build.application).await;
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Flocalhost%2F.default",
            build.app_id, secret
        );
        let client = Client::new(oauth::routes().with_state(world.app.clone()));
        let path = format!("/{}/oauth2/v2.0/token", world.home.id);
        Self { app: world.app, client, path, form }
    }

    /// Issues a batch to several clients at once; the cost of one token, and the tokens.
    async fn issue(&self) -> (Duration, Vec<String>) {
        let start = cpu();
        let client = || {
            let (client, path, form) = (self.client.clone(), self.path.clone(), self.form.clone());
            async move {
                let mut bodies = Vec::new();
                for _ in 0..BATCH / CLIENTS {
                    bodies.push(client.written_form(&path, form.clone()).await.text);
                }
                bodies
            }
        };
        let clients: JoinSet<_> = (0..CLIENTS).map(|_| client()).collect();
        let bodies = clients.join_all().await.concat();
        let cost = (cpu() - start) / u32::try_from(BATCH).expect("a small number");
        let token = |body: &str| {
            let body: Value = serde_json::from_str(body).expect("JSON");
            body.get("access_token").and_then(Value::as_str).expect("a token in the answer").to_owned()
        };
        (cost, bodies.iter().map(|body| token(body)).collect())
    }
}

fn per_operation(mut operation: impl FnMut()) -> Duration {
    let start = cpu();
    (0..BATCH).for_each(|_| operation());
    (cpu() - start) / u32::try_from(BATCH).expect("a small number")
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn row(what: &str, time: Duration, limit: &str) {
    println!("{what:<52} {:>7.1} us  {limit}", time.as_secs_f64() * 1e6);
}

const BASE: &str = "https://localhost";
const ROUNDS: usize = 9;
const BATCH: usize = 200;
const CLIENTS: usize = 8;
