//! How many codes wait, and which of them go.

use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn address(number: u32) -> Option<IpAddr> {
    Some(std::net::Ipv4Addr::from(number).into())
}

fn entry(number: usize, expires: i64) -> Entry {
    Entry { id: number.to_string(), user_code: format!("code {number}"), expires: at(expires) }
}

#[test]
fn one_address_keeps_its_newest_and_drives_out_nobody_else() {
    let mut waiting = Waiting::default();
    assert_eq!(waiting.admit(address(1), entry(0, 900), at(0)), []);
    for number in 1..=MOST_PER_ADDRESS {
        assert_eq!(waiting.admit(address(2), entry(number, 900), at(0)), []);
    }
    assert_eq!(waiting.admit(address(2), entry(9999, 900), at(0)), [entry(1, 900)]);
}

#[test]
fn in_all_the_oldest_of_the_busiest_address_goes_first() {
    let mut waiting = Waiting::default();
    waiting.admit(address(1), entry(0, 900), at(0));
    for number in 1..MOST {
        let from = 10 + number / MOST_PER_ADDRESS;
        assert_eq!(waiting.admit(address(from as u32), entry(number, 900), at(0)), []);
    }
    let gone = waiting.admit(address(2), entry(MOST, 900), at(0));
    assert_eq!(gone.len(), 1);
    assert_ne!(gone[0], entry(0, 900));
    // What has ended makes room by itself.
    assert_eq!(waiting.admit(address(2), entry(MOST + 1, 2000), at(901)), []);
}

#[test]
fn a_minute_takes_so_many_of_one_address() {
    let mut waiting = Waiting::default();
    let started = (0..MOST).filter(|_| waiting.count_start(address(1), at(0)).is_ok()).count();
    assert_eq!(started, 124);
    assert!(
        matches!(waiting.count_start(address(1), at(59)), Err(Error::Throttled { until }) if until == at(60))
    );
    waiting.count_start(address(2), at(59)).unwrap();
    waiting.count_start(address(1), at(60)).unwrap();
}

/// However much a few start, there is something left for others; all of them together stay within the number.
#[test]
fn a_few_addresses_leave_a_minute_to_others() {
    for few in [1, 16, 150] {
        let mut waiting = Waiting::default();
        for _ in 0..MOST_PER_ADDRESS {
            for number in 0..few {
                let _ = waiting.count_start(address(number), at(0));
            }
        }
        waiting.count_start(address(9999), at(0)).unwrap();
    }
    let mut waiting = Waiting::default();
    let started = (0..100_000).filter(|number| waiting.count_start(address(*number), at(0)).is_ok()).count();
    assert_eq!(started, MOST);
    assert!(waiting.count_start(address(100_001), at(59)).is_err());
    waiting.count_start(address(100_001), at(60)).unwrap();
}

#[test]
fn where_all_addresses_are_equal_the_oldest_code_goes() {
    let mut waiting = Waiting::default();
    for number in 0..MOST {
        // The highest address came first.
        let from = address((MOST - number) as u32);
        assert_eq!(waiting.admit(from, entry(number, 900 + number as i64), at(0)), []);
    }
    for number in 0..3 {
        let gone = waiting.admit(address(90_000 + number), entry(MOST, 9_000), at(0));
        assert_eq!(gone, [entry(number as usize, 900 + i64::from(number))]);
    }
}

#[test]
fn a_clock_that_is_set_back_refuses_nobody_for_long() {
    let mut waiting = Waiting::default();
    while waiting.count_start(address(1), at(10_000)).is_ok() {}
    assert!(waiting.may_poll("a", at(10_000), at(10_003)));
    waiting.count_start(address(1), at(0)).unwrap();
    assert!(waiting.may_poll("a", at(0), at(3)));
}

#[test]
fn who_asks_too_often_is_slowed_down() {
    let mut waiting = Waiting::default();
    assert!(waiting.may_poll("a", at(0), at(3)));
    assert!(!waiting.may_poll("a", at(2), at(5)));
    assert!(waiting.may_poll("b", at(2), at(5)));
    assert!(waiting.may_poll("a", at(3), at(6)));
}

proptest! {
    #[test]
    fn the_count_is_that_of_the_queues(
        steps in prop::collection::vec((0_u32..4, 0_i64..400, any::<bool>()), 1..300)
    ) {
        let mut waiting = Waiting::default();
        let mut now = 0;
        for (number, (from, pause, settle)) in steps.into_iter().enumerate() {
            now += pause / 100;
            waiting.admit(address(from), entry(number, now + 9), at(now));
            if settle {
                waiting.settle(&(number / 2).to_string());
            }
            prop_assert_eq!(waiting.count, waiting.by_address.values().map(VecDeque::len).sum::<usize>());
        }
        waiting.drop_ended(at(now + 100));
        prop_assert_eq!(waiting.count, 0);
    }
}
