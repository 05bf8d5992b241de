//! It finds what it is there to find.

use std::{
    cell::Cell,
    panic::{RefUnwindSafe, UnwindSafe, catch_unwind},
    time::Instant,
};

use super::*;

fn failure(read: impl Fn(&[u8]) + UnwindSafe + RefUnwindSafe) -> String {
    let panic = catch_unwind(|| bytes(&[b"name = 'value'"], &["or"], read)).unwrap_err();
    panic.downcast_ref::<String>().cloned().unwrap()
}

#[test]
fn a_panic_is_found_and_made_small() {
    let said = failure(|input| assert!(!input.ends_with(b"''"), "two quotes"));
    assert!(said.contains("two quotes"), "{said}");
    assert!(said.len() < 2000, "{said}");
}

#[test]
fn time_is_watched() {
    let said = failure(|input| {
        let begun = Instant::now();
        while input.len() > 10_000 && begun.elapsed() < 3 * MOST_TIME {
            std::hint::spin_loop();
        }
    });
    assert!(said.contains("of a processor, expected at most 1s"), "{said}");
}

#[test]
fn inputs_are_of_every_kind() {
    let seen = [const { Cell::new(0) }; 5];
    bytes(&[b"name = 'value'"], &["or"], |input| {
        let kinds = [
            input == b"name = 'value'",
            input.len() > 10_000,
            input.windows(2).any(|pair| pair == b"or"),
            std::str::from_utf8(input).is_err(),
            input.starts_with(b"name") && input.len() < 10,
        ];
        for (seen, is_so) in seen.iter().zip(kinds) {
            seen.set(seen.get() + usize::from(is_so));
        }
    });
    assert!(seen.iter().all(|count| count.get() > 0), "{seen:?}");
}

#[test]
fn a_refusal_has_words() {
    says_something("expected a name");
    assert!(catch_unwind(|| says_something(" ")).is_err());
    assert!(catch_unwind(|| says_something("x".repeat(1_100_000))).is_err());
}
