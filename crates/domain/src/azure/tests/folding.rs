//! Changes that come one by one stand in a log, which is folded into the index before it slows decisions down.

use super::*;

#[test]
fn single_changes_are_folded_when_they_are_more_than_a_quarter() {
    let given = |number: u128| assignment(number, object(number % 100), role_id(1), scope(CLUSTER));
    let mut policy = empty_policy();
    policy.put_assignments((0..70_000).map(given));
    assert_eq!((policy.index.folded_len(), policy.index.pending()), (70_000, 0));
    (70_000..87_500).map(given).for_each(|assignment| policy.put_assignment(assignment));
    assert_eq!((policy.index.folded_len(), policy.index.pending()), (70_000, 17_500));
    policy.put_assignment(given(87_500));
    assert_eq!((policy.index.folded_len(), policy.index.pending()), (87_501, 0));
}
