//! What a token costs beside the bare RSA signature, and what it costs to look at one again. CPU time of this
//! process over batches; rounds alternate, and medians are compared.

use std::{hint::black_box, sync::Arc, time::Duration};

use app::{
    App, Caller, FirstAdministrator, Parts, Secret, Settings,
    directory::applications::{ApplicationUpdate, NewSecret},
    state::clock::ManualClock,
};
use axum::{Router, body::Body};
use crypto::{jwt, keys::SigningKey};
use domain::{
    id::AppId,
    name::{DisplayName, Upn},
};
use http::{Request, header};
use http_body_util::BodyExt;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower::ServiceExt;

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
    router: Router,
    path: String,
    form: String,
}

impl World {
    async fn new() -> Self {
        let parts = Parts {
            store: store::open(&store::StoreConfig::Memory).await.expect("a store in memory opens"),
            clock: Arc::new(ManualClock::new(jiff::Timestamp::now())),
            random: Arc::new(crypto::random::System::default()),
            sealer: crypto::seal::Sealer::new(&Secret::new([7; 32])).expect("the key has its length"),
            settings: Settings { external_url: BASE.into(), authority_certificate: String::new() },
        };
        let (app, follow) = App::open(parts).await.expect("an empty store opens");
        tokio::spawn(follow);
        let upn = Upn::parse("admin@example.org").expect("a good name");
        let password = Secret::new("correct horse battery".to_owned());
        let installation = app.install(|| Ok(FirstAdministrator { upn: upn.clone(), password })).await;
        let tenant = installation.expect("an empty store is installed on").tenant;
        let snapshot = app.state().snapshot();
        let admin = snapshot.directory().user_by_upn(&upn).expect("just made").clone();
        let app_id = AppId::parse("b0c5f1a2-6d3e-4c1b-9f7a-2e8d4a6c0f31").expect("a good id");
        let caller = Caller::of_user(&admin, app_id);
        let name = DisplayName::parse("build").expect("a good name");
        let made = app.directory().create_application(&caller, name, ApplicationUpdate::default()).await;
        let made = made.expect("administrators make applications");
        app.directory()
            .create_service_principal(&caller, made.app_id)
            .await
            .expect("administrators make principals");
        let new = NewSecret { display_name: None, start: None, end: None };
        let secret =
            app.directory().add_application_secret(&caller, made.id, new).await.expect("owners add secrets");
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Flocalhost%2F.default",
            made.app_id,
            secret.text.expose()
        );
        let router = oauth::routes().with_state(app.clone());
        Self { app, router, path: format!("/{tenant}/oauth2/v2.0/token"), form }
    }

    /// Issues a batch to several clients at once; the cost of one token, and the tokens.
    async fn issue(&self) -> (Duration, Vec<String>) {
        let start = cpu();
        let client = || {
            let (router, path, form) = (self.router.clone(), self.path.clone(), self.form.clone());
            async move {
                let mut bodies = Vec::new();
                for _ in 0..BATCH / CLIENTS {
                    let request = Request::post(&path)
                        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                        .body(Body::from(form.clone()))
                        .expect("a good request");
                    let response = router.clone().oneshot(request).await.expect("routers do not fail");
                    bodies.push(response.into_body().collect().await.expect("a body in memory").to_bytes());
                }
                bodies
            }
        };
        let clients: JoinSet<_> = (0..CLIENTS).map(|_| client()).collect();
        let bodies = clients.join_all().await.concat();
        let cost = (cpu() - start) / u32::try_from(BATCH).expect("a small number");
        let token = |body| {
            let body: Value = serde_json::from_slice(body).expect("JSON");
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
