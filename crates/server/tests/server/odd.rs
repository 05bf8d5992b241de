//! Accepted but odd bodies on every route that writes: whatever is accepted is there after a restart, can be read and
//! can be deleted, and nothing that is sent is answered as a fault of the server.
//!
//! Rounds of requests go to the router in this process, on a store on disk; after each round the store is closed,
//! opened again, and everything that was made is read and deleted. `PORTCULLIS_ODD_BODIES` says how many requests there
//! are in all, `PORTCULLIS_ODD_SEED` where the row of chances begins.

mod bodies;
mod world;

use serde_json::Value;

use super::coverage;
use bodies::Bodies;
pub(super) use world::Made;
use world::World;

/// A request whose body is to be made odd; `{names}` in the path stand for what the world has.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) media_type: &'static str,
    pub(super) body: String,
    /// Where what it makes is found again; `{name}` is the name in the path or the answer.
    pub(super) made: Option<Made>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_accepted_is_served_after_a_restart_and_can_be_deleted() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let all = number("PORTCULLIS_ODD_BODIES").unwrap_or(USUAL);
    let mut seed = number("PORTCULLIS_ODD_SEED").unwrap_or(1);
    let (mut sent, mut accepted) = (0, 0);
    while sent < all {
        let round = ROUND.min(all - sent);
        accepted += run(seed, round).await;
        sent += round;
        seed += 1;
    }
    // A test that is refused everything shows nothing.
    assert!(accepted * 5 > sent, "only {accepted} of {sent} bodies were accepted");
    #[expect(clippy::print_stdout, reason = "the long form tells how much it has tried")]
    {
        println!("{sent} odd bodies, {accepted} of them accepted");
    }
}

/// One round; answers how many bodies were accepted.
async fn run(seed: u64, requests: u64) -> u64 {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::new(directory.path()).await;
    let routes = routes();
    let mut bodies = Bodies::new(seed);
    let mut accepted = 0;
    for turn in 0..requests {
        let route = &routes[usize::try_from(turn).unwrap() % routes.len()];
        let template: Value = serde_json::from_str(&world.fill(&route.body)).unwrap();
        let (body, what) = bodies.odd(&template, turn < routes.len() as u64);
        let told = format!("seed {seed}, {turn}: {} {}, {what}", route.method, route.path);
        let status = world.send(route, body, &told).await;
        assert!(status < 500, "{told}: {status} {}", world.last_answer());
        accepted += u64::from(status < 300);
    }
    let before = world.contents();
    let mut world = world.again(directory.path()).await;
    world.check_readable();
    assert_eq!(
        world.contents(),
        before,
        "seed {seed}: what was accepted is not what is there after a restart"
    );
    world.read_and_delete_all().await;
    accepted
}

/// Every route that writes what is kept.
fn routes() -> Vec<Route> {
    let mut routes = coverage::graph_writes();
    routes.extend(coverage::arm_writes());
    routes.extend(world::kubernetes_writes());
    routes
}

/// In the gate: well below a minute.
const USUAL: u64 = 1_200;
const ROUND: u64 = 1_200;
