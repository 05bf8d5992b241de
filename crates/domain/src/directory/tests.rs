//! Memberships: nesting, cycles, and the remembered walk beside a fixed point.

use proptest::prelude::*;
use std::collections::BTreeSet;
use uuid::Uuid;

use super::*;
use crate::name::DisplayName;

fn id(number: u128) -> ObjectId {
    ObjectId::new(Uuid::from_u128(number))
}

fn group(number: u128) -> Group {
    Group {
        id: id(number),
        tenant: TenantId::new(Uuid::nil()),
        display_name: DisplayName::parse("g").unwrap(),
        mail_nickname: "g".into(),
        description: None,
        owners: BTreeSet::new(),
        created: jiff::Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn groups_that_contain_each_other_end_the_walk() {
    let mut directory = Directory::default();
    directory.put_group(group(1));
    directory.put_group(group(2));
    directory.put_membership(Membership { group: id(1), member: id(2) });
    directory.put_membership(Membership { group: id(2), member: id(1) });
    directory.put_membership(Membership { group: id(1), member: id(9) });
    assert_eq!(*directory.transitive_groups(id(9)), [id(1), id(2)]);
}

#[test]
fn a_deleted_group_grants_nothing_and_leads_nowhere() {
    let mut directory = Directory::default();
    for number in 1..=3 {
        directory.put_group(group(number));
    }
    directory.put_membership(Membership { group: id(1), member: id(9) });
    directory.put_membership(Membership { group: id(2), member: id(1) });
    assert_eq!(directory.transitive_groups(id(9)).len(), 2);
    directory.remove_group(id(1));
    assert!(directory.transitive_groups(id(9)).is_empty());
}

proptest! {
    /// The remembered walk against repeated joins over the plain list of pairs.
    #[test]
    fn transitive_groups_agree_with_a_fixed_point(edits in prop::collection::vec((0u8..8, 0u8..12, any::<bool>()), 0..60)) {
        let mut directory = Directory::default();
        for number in 0..8 {
            directory.put_group(group(number));
        }
        let mut pairs = BTreeSet::new();
        for (holder, member, add) in edits {
            let membership = Membership { group: id(holder.into()), member: id(member.into()) };
            if add {
                directory.put_membership(membership);
                pairs.insert((holder, member));
            } else {
                directory.remove_membership(membership);
                pairs.remove(&(holder, member));
            }
            for caller in 0..12u8 {
                let mut expected: BTreeSet<u8> = BTreeSet::new();
                loop {
                    let before = expected.len();
                    for (holder, member) in &pairs {
                        if *member == caller || expected.contains(member) {
                            expected.insert(*holder);
                        }
                    }
                    if expected.len() == before {
                        break;
                    }
                }
                let expected: Vec<ObjectId> = expected.into_iter().map(|number| id(number.into())).collect();
                prop_assert_eq!(directory.transitive_groups(id(caller.into())).to_vec(), expected);
            }
        }
    }
}

#[test]
fn a_list_begins_anywhere_and_shows_one_tenant() {
    let other = TenantId::new(Uuid::from_u128(1));
    let mut directory = Directory::default();
    for number in [7, 3, 5, 1] {
        directory.put_group(group(number));
        directory.put_group(Group { tenant: other, ..group(number + 100) });
    }
    directory.put_group(group(5));
    directory.remove_group(id(3));
    let numbers = |tenant, after: Option<u128>| -> Vec<u128> {
        directory.groups_of(tenant, after.map(id)).map(|group| group.id.uuid().as_u128()).collect()
    };
    let own = TenantId::new(Uuid::nil());
    assert_eq!(numbers(own, None), [1, 5, 7]);
    assert_eq!(numbers(own, Some(1)), [5, 7]);
    assert_eq!(numbers(own, Some(4)), [5, 7]);
    assert_eq!(numbers(own, Some(7)), []);
    assert_eq!(numbers(other, Some(103)), [105, 107]);
    assert_eq!(numbers(TenantId::new(Uuid::from_u128(2)), None), []);
}
