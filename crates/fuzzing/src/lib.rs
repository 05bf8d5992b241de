//! Input that nobody meant, for tests of what reads input from outside: good examples that have been cut, doubled,
//! mixed and grown, and random bytes.
//!
//! A test gives examples and a function that reads one input. The function asserts what must hold of what it accepts,
//! and that what it refuses is refused in words ([`says_something`]). Whatever the input, it must not panic, must not
//! take longer than [`MOST_TIME`] of a processor, and must not take more memory than [`MOST_MEMORY`]. Each run lasts
//! seconds (`PORTCULLIS_FUZZ_SECONDS`); a failure is made smaller before it is shown.
//!
//! It knows no parser, and finds what chance finds: it guides itself by nothing that the code does.

mod edit;
mod limits;
#[cfg(test)]
mod tests;

use std::{
    env,
    fmt::Display,
    time::{Duration, Instant},
};

use proptest::test_runner::{Config, TestCaseError, TestRunner};

pub use limits::{MOST_MEMORY, MOST_TIME};

/// Reads one input after the other, made from these examples, until the time is over. `words` are pieces that mean
/// something to the reader, beside those of the examples.
pub fn bytes(examples: &[&[u8]], words: &[&str], read: impl Fn(&[u8])) {
    for example in examples {
        read(example);
    }
    let inputs = edit::inputs(examples, words);
    let limits = limits::Limits::begin();
    let until = Instant::now() + duration();
    while Instant::now() < until {
        let config = Config {
            cases: BATCH,
            failure_persistence: None,
            max_shrink_time: MOST_SHRINKING,
            ..Config::default()
        };
        let outcome = TestRunner::new(config)
            .run(&inputs, |input| limits.watch(&input.0, || read(&input.0)).map_err(TestCaseError::fail));
        if let Err(failure) = outcome {
            limits.end();
            fail(&failure.to_string());
        }
    }
    limits.end();
}

/// The same for texts: what is no UTF-8 is made so.
pub fn text(examples: &[&str], words: &[&str], read: impl Fn(&str)) {
    let examples: Vec<&[u8]> = examples.iter().map(|example| example.as_bytes()).collect();
    bytes(&examples, words, |input| read(&String::from_utf8_lossy(input)));
}

/// A refusal has words, and not many times those of the input.
pub fn says_something(error: impl Display) {
    let text = error.to_string();
    assert!(!text.trim().is_empty(), "an input is refused without a word");
    assert!(text.len() <= MOST_WORDS, "a refusal of {} bytes: {}...", text.len(), head(&text));
}

#[expect(clippy::panic, reason = "this is how a test fails")]
fn fail(text: &str) {
    panic!("{text}");
}

fn head(text: &str) -> String {
    text.chars().take(200).collect()
}

fn duration() -> Duration {
    let seconds = env::var("PORTCULLIS_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or(SECONDS))
}

const SECONDS: f64 = 2.0;
const BATCH: u32 = 64;
/// Milliseconds in which a failure is made smaller.
const MOST_SHRINKING: u32 = 5_000;
/// Sixteen times the longest input: inputs are echoed, once or twice and with escapes, as other servers echo them. More
/// would be a small request with a large answer.
const MOST_WORDS: usize = 1024 * 1024;
