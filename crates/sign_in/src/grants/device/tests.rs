//! Device codes with their records: those that have to go are gone from the store too.

use super::*;
use crate::test_world::world;
use state::well_known;

#[tokio::test]
async fn a_code_that_has_to_go_is_gone_from_the_store() {
    let (world, clock) = world().await;
    let client = AppId::new(well_known::ALL.first().unwrap().app_id);
    let address = Some("192.0.2.1".parse().unwrap());
    let start = async || world.sign_in.start_device(client, None, "openid", address).await;
    let first = start().await.unwrap();
    for number in 1..waiting::MOST_PER_ADDRESS {
        if number % 100 == 0 {
            clock.advance(SignedDuration::from_secs(61));
        }
        start().await.unwrap();
    }
    let kept = async || {
        let devices = world.state.list_cold::<Device>(None, 1_000).await.unwrap().len();
        (devices, world.state.list_cold::<UserCode>(None, 1_000).await.unwrap().len())
    };
    let all = (waiting::MOST_PER_ADDRESS, waiting::MOST_PER_ADDRESS);
    assert_eq!(kept().await, all);
    clock.advance(SignedDuration::from_secs(61));
    let last = start().await.unwrap();
    assert_eq!(kept().await, all);
    let ask = async |code: &StartedDevice| world.sign_in.redeem_device(client, None, &code.device_code).await;
    assert!(matches!(ask(&first).await, Err(GrantError::Invalid(_))));
    assert!(matches!(ask(&last).await, Err(GrantError::Pending)));
}
