//! Long lists: how soon 10,000 role assignments begin to arrive, and whether a page of Graph costs the same wherever
//! it is in a list of 100,000. CPU time of this process in one thread; rounds alternate, and medians are compared.

use std::{collections::BTreeSet, time::Duration};

use app::{App, resource_manager::scope_rules::ScopeFilter};
use axum::{
    Router,
    body::{Body, Bytes},
};
use domain::{
    assignment::{PrincipalKind, RoleAssignment},
    change::Record,
    group::{Group, Membership},
    id::{AssignmentId, ObjectId, RoleId, TenantId},
    name::{DisplayName, Upn},
    role::Stamp,
    scope::Scope,
    user::User,
};
use http::{Request, header};
use http_body_util::BodyExt;
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use tower::ServiceExt;
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let world = World::new().await;
    let mut missed = world.assignments().await;
    let tenant = world.home.id;
    world.fill(MEMBERS, |number| Record::User(user(tenant, number))).await;
    world.fill(MEMBERS, |number| Record::Group(group(tenant, number))).await;
    let crew = group_id(0);
    world
        .fill(MEMBERS, |number| Record::Membership(Membership { group: crew, member: user_id(number) }))
        .await;
    println!("\n{:<52} {:>9} {:>9} {:>9}", "a page of 100 of 100,000", "first", "middle", "last");
    let members = format!("/v1.0/groups/{crew}/members");
    for (path, id) in [
        (members.as_str(), user_id as fn(u32) -> ObjectId),
        ("/v1.0/users", user_id),
        ("/v1.0/groups", group_id),
    ] {
        missed |= world.pages(path, id).await;
    }
    if missed {
        eprintln!("a limit was missed");
        std::process::exit(1);
    }
}

struct World {
    app: App,
    router: Router,
    home: testkit::Tenant,
    token: String,
}

impl World {
    async fn new() -> Self {
        let testkit::World { app, home, .. } =
            testkit::World::builder().external_url(BASE).now(jiff::Timestamp::now()).start().await;
        let router = server::start::router(app.clone());
        let token = home.token(&home.admin).await;
        Self { app, router, home, token }
    }

    /// Writes many records, each in a transaction with others.
    async fn fill(&self, count: u32, record: impl Fn(u32) -> Record + Sync) {
        for start in (0..count).step_by(BATCH as usize) {
            let numbers = start..(start + BATCH).min(count);
            let written = self
                .app
                .whole_state()
                .transact(|tx| numbers.clone().try_for_each(|number| tx.put(&record(number))));
            written.await.expect("records that are new are written");
        }
    }

    /// Whether the limit was missed.
    async fn assignments(&self) -> bool {
        let subscription = format!("/subscriptions/{}", self.home.subscription);
        let scope = Scope::parse(&subscription).expect("a good scope");
        let role = RoleId::parse(READER).expect("a good id");
        self.fill(ASSIGNMENTS, |number| Record::Assignment(assignment(role, &scope, number))).await;
        let path = format!(
            "{subscription}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01&$filter=atScope()"
        );
        let (_, body) = self.get(&path).await;
        let list: Value = serde_json::from_slice(&body).expect("JSON");
        let count = list.get("value").and_then(Value::as_array).map_or(0, Vec::len);
        assert_eq!(count, ARM_PAGE, "the assignments on the first page");
        let bare = Router::new().route("/", axum::routing::get(async move || body.clone()));
        let caller = &self.home.admin;
        let (mut first, mut whole, mut peer, mut found) = (vec![], vec![], vec![], vec![]);
        for _ in 0..ROUNDS {
            let (one, all) = first_and_last_byte(&self.router, self.request(&path)).await;
            first.push(one);
            whole.push(all);
            let start = cpu();
            let list = self.app.resource_manager().list_assignments(caller, &scope, ScopeFilter::AtScope);
            assert!(list.expect("the administrator may read them").len() >= ASSIGNMENTS as usize);
            found.push(cpu() - start);
            peer.push(first_and_last_byte(&bare, self.request("/")).await.0);
        }
        let [first, whole, peer, found] = [first, whole, peer, found].map(median);
        println!("{:<52} {:>9}  limit", "a list of 10,000 role assignments", "median");
        println!("{:<52} {:>6.2} ms", "first byte of as much from a bare handler", millis(peer));
        println!("{:<52} {:>6.2} ms", "finding them, before anything is written", millis(found));
        println!("{:<52} {:>6.2} ms  < 20 ms", "first byte", millis(first));
        println!("{:<52} {:>6.2} ms", "last byte", millis(whole));
        first >= Duration::from_millis(20)
    }

    /// Compares the pages at three places of a list. Whether the limit was missed.
    async fn pages(&self, path: &str, id: fn(u32) -> ObjectId) -> bool {
        // The last page is a full one too.
        let starts = [None, Some(MEMBERS / 2), Some(MEMBERS - PAGE - 1)];
        let mut costs: [Vec<Duration>; 3] = Default::default();
        for _ in 0..ROUNDS {
            for (start, costs) in starts.iter().zip(&mut costs) {
                let after = start.map(|number| format!("&$skiptoken={}", id(number))).unwrap_or_default();
                let path = format!("{path}?$top={PAGE}{after}");
                let before = cpu();
                for _ in 0..PAGES {
                    let (_, body) = self.get(&path).await;
                    assert!(body.len() > 100 * PAGE as usize, "the page is too short: {body:?}");
                }
                costs.push((cpu() - before) / PAGES);
            }
        }
        let [first, middle, last] = costs.map(median);
        let shortest = first.min(middle).min(last);
        let ratio = first.max(middle).max(last).as_secs_f64() / shortest.as_secs_f64();
        let name = path.split('/').next_back().unwrap_or_default();
        println!(
            "{name:<52} {:>6.0} us {:>6.0} us {:>6.0} us  ratio {ratio:.2} <= {MOST_RATIO}",
            first.as_secs_f64() * 1e6,
            middle.as_secs_f64() * 1e6,
            last.as_secs_f64() * 1e6
        );
        ratio > MOST_RATIO
    }

    fn request(&self, path: &str) -> Request<Body> {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        request.body(Body::empty()).expect("a good request")
    }

    async fn get(&self, path: &str) -> (http::StatusCode, Bytes) {
        let answer = self.router.clone().oneshot(self.request(path)).await.expect("routers do not fail");
        let status = answer.status();
        let body = answer.into_body().collect().await.expect("a body in memory").to_bytes();
        assert!(status.is_success(), "{path}: {status}: {body:?}");
        (status, body)
    }
}

async fn first_and_last_byte(router: &Router, request: Request<Body>) -> (Duration, Duration) {
    let router = router.clone();
    let start = cpu();
    let answer = router.oneshot(request).await.expect("routers do not fail");
    let mut body = answer.into_body();
    body.frame().await.expect("there is something").expect("a body in memory");
    let first = cpu() - start;
    body.collect().await.expect("a body in memory");
    (first, cpu() - start)
}

/// In order of their numbers.
fn user_id(number: u32) -> ObjectId {
    ObjectId::new(Uuid::from_u128((1 << 120) + (u128::from(number) << 32)))
}

fn group_id(number: u32) -> ObjectId {
    ObjectId::new(Uuid::from_u128((2 << 120) + (u128::from(number) << 32)))
}

fn user(tenant: TenantId, number: u32) -> User {
    User {
        id: user_id(number),
        tenant,
        upn: Upn::parse(&format!("user-{number}@example.org")).expect("a good name"),
        display_name: DisplayName::parse(&format!("User {number:06}")).expect("a good name"),
        mail_nickname: None,
        mail: None,
        given_name: None,
        surname: None,
        job_title: None,
        enabled: true,
        password: None,
        must_change_password: false,
        tokens_valid_after: jiff::Timestamp::UNIX_EPOCH,
        created: jiff::Timestamp::UNIX_EPOCH,
    }
}

fn group(tenant: TenantId, number: u32) -> Group {
    Group {
        id: group_id(number),
        tenant,
        display_name: DisplayName::parse(&format!("Group {number:06}")).expect("a good name"),
        mail_nickname: format!("g{number:06}"),
        description: None,
        owners: BTreeSet::new(),
        created: jiff::Timestamp::UNIX_EPOCH,
    }
}

fn assignment(role: RoleId, scope: &Scope, number: u32) -> RoleAssignment {
    let stamp = Stamp { by: None, at: jiff::Timestamp::UNIX_EPOCH };
    RoleAssignment {
        id: AssignmentId::new(Uuid::from_u128((3 << 120) + u128::from(number))),
        principal: user_id(number),
        principal_kind: PrincipalKind::User,
        role,
        scope: scope.clone(),
        condition: None,
        description: None,
        created: stamp,
        updated: stamp,
    }
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

const BASE: &str = "https://localhost";
const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
const ASSIGNMENTS: u32 = 10_000;
/// What Resource Manager gives at once.
const ARM_PAGE: usize = 1_000;
const MEMBERS: u32 = 100_000;
const PAGE: u32 = 100;
const PAGES: u32 = 50;
const BATCH: u32 = 100;
const ROUNDS: usize = 15;
const MOST_RATIO: f64 = 1.5;
