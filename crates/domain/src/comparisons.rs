//! Random inputs for the tests that compare an engine with a slow, obvious evaluator, with every comparison counted:
//! a share of them in each run of the tests, in a long run as many as `PORTCULLIS_COMPARISONS` says. It knows
//! nothing of what is compared.

use std::cell::Cell;

use proptest::{
    strategy::Strategy,
    test_runner::{Config, TestCaseError, TestRunner},
};

/// Runs the property over random inputs, round by round, and prints how much was compared. The property says how many
/// comparisons it has made.
#[track_caller]
pub(crate) fn compare<S: Strategy>(
    what: &str,
    cases: u32,
    inputs: &S,
    property: impl Fn(S::Value) -> Result<u64, TestCaseError>,
) {
    let least = number("PORTCULLIS_COMPARISONS").unwrap_or(1);
    let cases = number("PROPTEST_CASES").unwrap_or(cases.into());
    let cases = u32::try_from(cases).expect("PROPTEST_CASES fits a number of cases");
    let (compared, inputs_tried) = (Cell::new(0), Cell::new(0_u64));
    while compared.get() < least {
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new(config);
        let outcome = runner.run(inputs, |input| {
            compared.set(compared.get() + property(input)?);
            inputs_tried.set(inputs_tried.get() + 1);
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("{what}: {error}");
        }
    }
    println!("{what}: {} compared, from {} random inputs", compared.get(), inputs_tried.get());
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")))
}
