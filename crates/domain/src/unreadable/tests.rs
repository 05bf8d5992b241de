//! What a record that cannot be read keeps from being allowed, kind by kind.

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::{
    assignment::{PrincipalKind, RoleAssignment},
    azure::{Access, BuiltIn, Caller, Operations, Policy},
    change::{Change, Record},
    group::{Group, Membership},
    id::{AssignmentId, ClusterId, Id, RoleId, SubscriptionId, TenantId},
    name::DisplayName,
    object::ObjectKey,
    role::Stamp,
    snapshot::Snapshot,
};

fn id<K>(number: u128) -> Id<K> {
    Id::new(Uuid::from_u128(number))
}

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

const WITHIN: &str = "/subscriptions/00000000-0000-0000-0000-000000000051/resourceGroups/rg";

/// Principal 1 owns everything, and is in group 7, which is in group 8.
fn snapshot() -> Snapshot {
    let azure = Policy::new(&BuiltIn::load().unwrap(), &Operations::published().unwrap());
    let mut snapshot = Snapshot::new(azure);
    let stamp = Stamp { by: None, at: Timestamp::UNIX_EPOCH };
    let group = |number| {
        Record::Group(Group {
            id: id(number),
            tenant: id(0x7e),
            display_name: DisplayName::parse("crew").unwrap(),
            mail_nickname: "crew".into(),
            description: None,
            owners: [].into(),
            created: Timestamp::UNIX_EPOCH,
        })
    };
    let member = |group, member| Record::Membership(Membership { group: id(group), member: id(member) });
    let owner = Record::Assignment(RoleAssignment {
        id: id(0xa),
        principal: id(1),
        principal_kind: PrincipalKind::User,
        role: RoleId::parse("8e3af657-a8ff-443c-a75c-2fe8c4bcb635").unwrap(),
        scope: Scope::root(),
        condition: None,
        description: None,
        created: stamp,
        updated: stamp,
    });
    let records = [group(7), group(8), member(7, 1), member(8, 7), owner];
    snapshot.apply(1, records.map(Change::Put));
    snapshot
}

fn is_allowed(snapshot: &Snapshot, at: &str) -> bool {
    let caller = Caller::new(id(1), snapshot.directory().transitive_groups(id(1)));
    let access = Access::control_plane(scope(at), "Microsoft.Resources/tags/write");
    snapshot.azure().decide(&caller, &access, Timestamp::UNIX_EPOCH).is_allowed()
}

/// Whether the owner of everything is still allowed something in a subscription, and in another.
fn allowed(record: Option<RecordKey>, text: &str) -> (bool, bool) {
    let mut snapshot = snapshot();
    let other = "/subscriptions/00000000-0000-0000-0000-000000000052";
    assert!(is_allowed(&snapshot, WITHIN) && is_allowed(&snapshot, other));
    snapshot.set_aside(Unreadable::new("place", record, text.as_bytes(), "why".into()));
    let found = (is_allowed(&snapshot, WITHIN), is_allowed(&snapshot, other));
    snapshot.forget_unreadable("place");
    assert!(snapshot.unreadable().next().is_none());
    found
}

#[test]
fn what_may_refuse_is_taken_to_refuse() {
    let subscription: SubscriptionId = id(0x51);
    let tenant: TenantId = id(0x7e);
    let deny: AssignmentId = id(0xd);
    for (record, text, expected) in [
        (None, "", (false, false)),
        (Some(RecordKey::Tenant(tenant)), "", (false, false)),
        (Some(RecordKey::ManagementGroup("mg".into())), "", (false, false)),
        (Some(RecordKey::Subscription(subscription)), "", (false, true)),
        (Some(RecordKey::DenyAssignment(deny)), "", (false, false)),
        // Of the form of today, where only something else cannot be read, the scope is good.
        (
            Some(RecordKey::DenyAssignment(deny)),
            r#"{"v":1,"denyAssignment":{"id":7,"scope":"/subscriptions/00000000-0000-0000-0000-000000000051"}}"#,
            (false, true),
        ),
        // What a later release means by a scope is not known.
        (
            Some(RecordKey::DenyAssignment(deny)),
            r#"{"v":2,"denyAssignment":{"id":7,"scope":"/subscriptions/00000000-0000-0000-0000-000000000051"}}"#,
            (false, false),
        ),
        (Some(RecordKey::Membership(Membership { group: id(9), member: id(1) })), "", (false, false)),
        (Some(RecordKey::Membership(Membership { group: id(9), member: id(8) })), "", (false, false)),
        (Some(RecordKey::Membership(Membership { group: id(9), member: id(2) })), "", (true, true)),
        (Some(RecordKey::Group(id(7))), "", (false, false)),
        (Some(RecordKey::Group(id(8))), "", (false, false)),
        (Some(RecordKey::Group(id(9))), "", (true, true)),
    ] {
        assert_eq!(allowed(record.clone(), text), expected, "{record:?} {text}");
    }
}

#[test]
fn what_only_grants_is_as_if_it_were_not_there() {
    let cluster: ClusterId = id(0xc);
    let object = ObjectKey::new(cluster, "", "secrets", "web", "s");
    for record in [
        RecordKey::User(id(2)),
        RecordKey::Application(id(2)),
        RecordKey::ServicePrincipal(id(2)),
        RecordKey::ResourceGroup(id(0x51), "rg".into()),
        RecordKey::Resource(format!("{WITHIN}/providers/a.b/c/d")),
        RecordKey::Role(id(3)),
        RecordKey::Assignment(id(3)),
        RecordKey::Lock("subscriptions/x/l".into()),
        RecordKey::Cluster(cluster),
        RecordKey::AdminCertificate(cluster, "00".into()),
        RecordKey::SigningKey("kid".into()),
        RecordKey::Object(object),
    ] {
        assert_eq!(allowed(Some(record.clone()), ""), (true, true), "{record:?}");
    }
    // The one grant that there is.
    assert_eq!(allowed(Some(RecordKey::Assignment(id(0xa))), ""), (false, false));
}

#[test]
fn a_member_that_joins_later_is_in_doubt_too() {
    let mut snapshot = snapshot();
    snapshot.set_aside(Unreadable::new("place", Some(RecordKey::Group(id(9))), b"", String::new()));
    assert!(is_allowed(&snapshot, WITHIN));
    let joined = Record::Membership(Membership { group: id(9), member: id(8) });
    snapshot.apply(2, [Change::Put(joined)]);
    assert!(!is_allowed(&snapshot, WITHIN));
}

#[test]
fn a_lock_that_cannot_be_read_holds_at_the_place_that_its_key_names() {
    let effect =
        |key: &str| Unreadable::new("", Some(RecordKey::Lock(key.into())), b"", String::new()).effect;
    let key = crate::lock::Lock::key(&scope(WITHIN), "keep");
    assert_eq!(effect(&key), Effect::Changes(scope(WITHIN)));
    assert_eq!(effect("what is this"), Effect::Changes(Scope::root()));
}

#[test]
fn parts_go_with_their_whole_and_groups_wait_for_what_may_be_in_them() {
    let cluster: ClusterId = id(0xc);
    let unread = |record| Unreadable::new("", Some(record), b"", String::new());
    let object = unread(RecordKey::Object(ObjectKey::new(cluster, "", "secrets", "web", "s")));
    let namespace = |name| RecordKey::Object(ObjectKey::new(cluster, "", "namespaces", "", name));
    assert!(object.is_part_of(&RecordKey::Cluster(cluster)) && object.is_part_of(&namespace("web")));
    assert!(!object.is_part_of(&RecordKey::Cluster(id(0xd))) && !object.is_part_of(&namespace("we")));
    let membership = unread(RecordKey::Membership(Membership { group: id(7), member: id(1) }));
    assert!(
        membership.is_part_of(&RecordKey::Group(id(7))) && membership.is_part_of(&RecordKey::User(id(1)))
    );
    assert!(!membership.is_part_of(&RecordKey::Group(id(1))));
    let resource = unread(RecordKey::Resource(format!("{}/providers/a.b/c/d", WITHIN.to_lowercase())));
    let group = |name: &str| RecordKey::ResourceGroup(id(0x51), name.into());
    assert!(resource.may_be_within(&group("rg")) && !resource.may_be_within(&group("r")));
    assert!(unread(RecordKey::Cluster(cluster)).may_be_within(&group("r")));
}
