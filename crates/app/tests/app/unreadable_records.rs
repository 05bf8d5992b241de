//! Stored records that cannot be read, at the start and while the server runs: they are set aside, everything else is
//! served, and nothing is written over them.

use app::state::UniqueName;
use std::sync::Arc;

use crypto::{random::System, seal::Sealer};
use domain::{
    change::{Record, RecordKey},
    group::{Group, Membership},
    id::{AssignmentId, ObjectId},
    lock::{Lock, LockLevel},
    name::{DisplayName, ResourceName, Upn},
    role::Stamp,
    scope::Scope,
    subscription::ResourceGroup,
    unfinished::{Unfinished, Work},
    user::User,
};
use store::{At, Range, Txn, Write};
use uuid::Uuid;

use app::{
    App, Caller, Error, Secret,
    resource_manager::locks::{self, Operation},
    state::{authorize, place_of, repair::Repair, restrictions, well_known},
};

struct World(testkit::World);

impl std::ops::Deref for World {
    type Target = testkit::World;
    fn deref(&self) -> &testkit::World {
        &self.0
    }
}

impl World {
    async fn new() -> Self {
        Self(testkit::World::new().await)
    }

    /// The same store, opened once more.
    async fn again(&self) -> Self {
        Self(self.reopened().await)
    }

    async fn write(&self, place: &str, text: &str) {
        let writes = vec![Write::Put(place.to_owned().into(), text.to_owned().into())];
        let revision = self.store.commit(Txn { guards: Vec::new(), writes }).await.unwrap();
        self.app.whole_state().reached(revision.0).await.unwrap();
    }

    /// What stands for a record, overwritten by what nobody can read.
    async fn damage(&self, record: &RecordKey) -> String {
        let place = place_of(record);
        self.write(&place, NEWER).await;
        place
    }

    /// Writes a record, and gives its stored form.
    async fn stored(&self, record: &Record) -> bytes::Bytes {
        self.app.whole_state().transact(|tx| -> Result<_, Error> { tx.put(record) }).await.unwrap();
        let key = bytes::Bytes::from(place_of(&record.key()));
        self.store.read(Range::key(key), At::Latest).await.unwrap().entries.remove(0).value
    }

    fn repair(&self) -> Repair {
        app::repair(self.store.clone(), testkit::sealer(), Arc::new(System::default()))
    }

    fn administrator(&self) -> Caller {
        let snapshot = self.app.whole_snapshot();
        let user = snapshot.directory().users().next().unwrap();
        Caller::of_user(user, domain::id::AppId::new(well_known::PORTAL))
    }

    /// Whether the first administrator, who owns everything, may still change a scope.
    fn may(&self, scope: &Scope) -> bool {
        let caller = self.administrator();
        let action = "Microsoft.Resources/tags/write";
        authorize::may(&self.app.whole_snapshot(), &caller, action, scope, self.app.now())
    }
}

fn group(id: u128) -> Group {
    Group {
        id: ObjectId::new(Uuid::from_u128(id)),
        tenant: domain::id::Id::new(Uuid::nil()),
        display_name: DisplayName::parse("crew").unwrap(),
        mail_nickname: "crew".into(),
        description: None,
        owners: [].into(),
        created: "2026-11-24T09:00:00Z".parse().unwrap(),
    }
}

/// A form that a later release might write.
const NEWER: &str = r#"{"v":2,"whatever":{}}"#;

#[tokio::test]
async fn a_record_that_cannot_be_read_keeps_no_other_from_being_served() {
    let world = World::new().await;
    let one = Record::Group(group(1));
    world.app.whole_state().transact(|tx| tx.create(&one)).await.unwrap();
    let place = world.damage(&one.key()).await;
    world.write("/live/object/what is this", "{}").await;
    // While it runs, and after a start: the same state.
    for world in [&world, &world.again().await] {
        let snapshot = world.app.whole_snapshot();
        let places: Vec<&str> = snapshot.unreadable().map(|each| &*each.place).collect();
        assert_eq!(places, [place.as_str(), "/live/object/what is this"]);
        assert!(snapshot.directory().group(group(1).id).is_none());
        world.install().await.unwrap();
        let more = u128::from(snapshot.revision());
        world.app.whole_state().transact(|tx| tx.create(&Record::Group(group(more)))).await.unwrap();
        assert!(world.app.whole_snapshot().directory().group(group(more).id).is_some());
    }
}

#[tokio::test]
async fn nothing_is_written_over_a_record_that_cannot_be_read() {
    let world = World::new().await;
    let one = Record::Group(group(1));
    let place = world.damage(&one.key()).await;
    for error in [
        world.app.whole_state().transact(|tx| tx.create(&one)).await.unwrap_err(),
        world.app.whole_state().transact(|tx| tx.put(&one)).await.unwrap_err(),
        world
            .app
            .whole_state()
            .transact(|tx| {
                tx.delete(&one.key());
                Ok(())
            })
            .await
            .unwrap_err(),
    ] {
        assert!(matches!(&error, Error::Conflict(text) if text.contains("cannot be read")), "{error}");
    }
    let stored = world.repair().remove(&place).await.unwrap();
    assert_eq!(stored, NEWER);
}

/// The parts of a record that nobody can read go with it.
#[tokio::test]
async fn what_cannot_be_read_of_a_group_goes_with_it() {
    let world = World::new().await;
    let group = group(1);
    world.app.whole_state().transact(|tx| tx.create(&Record::Group(group.clone()))).await.unwrap();
    let membership = Membership { group: group.id, member: world.administrator().object_id };
    world.damage(&RecordKey::Membership(membership)).await;
    assert!(!world.may(&Scope::root()));
    let gone = |tx: &mut app::state::Tx| -> Result<_, Error> {
        tx.delete(&RecordKey::Group(group.id));
        Ok(())
    };
    world.app.whole_state().transact(gone).await.unwrap();
    assert_eq!(world.app.whole_snapshot().unreadable().count(), 0);
    assert!(world.may(&Scope::root()));
}

#[tokio::test]
async fn a_deny_assignment_that_cannot_be_read_opens_no_door_and_can_be_taken_out() {
    let world = World::new().await;
    assert!(world.may(&Scope::root()));
    let deny = AssignmentId::new(Uuid::from_u128(0xd));
    let place = world.damage(&RecordKey::DenyAssignment(deny)).await;
    assert!(!world.may(&Scope::root()) && !world.again().await.may(&Scope::root()));
    let damage = world.repair().find().await.unwrap();
    assert_eq!(damage.len(), 1);
    assert_eq!(damage[0].place, place);
    assert_eq!(damage[0].problem, "stored form 2 is newer than this program");
    assert_eq!(damage[0].effect, "everything that Azure RBAC decides is refused");
    world.repair().remove(&place).await.unwrap();
    assert!(world.again().await.may(&Scope::root()));
}

#[tokio::test]
async fn a_lock_that_cannot_be_read_still_locks() {
    let world = World::new().await;
    let scope = Scope::subscription(world.install().await.unwrap().subscription);
    let stamp = Stamp { by: None, at: world.app.now() };
    let lock = Lock {
        scope: scope.clone(),
        name: ResourceName::parse("keep").unwrap(),
        level: LockLevel::CanNotDelete,
        notes: None,
        created: stamp,
        updated: stamp,
    };
    let check = |operation| locks::check(&world.app.whole_snapshot(), &scope, operation);
    world.app.whole_state().transact(|tx| tx.create(&Record::Lock(lock.clone()))).await.unwrap();
    assert!(check(Operation::Write).is_ok() && check(Operation::Delete).is_err());
    world.damage(&Record::Lock(lock).key()).await;
    assert!(check(Operation::Write).is_err() && check(Operation::Delete).is_err());
}

/// An installation whose tenant, subscription or keys cannot be read is not made a second time.
#[tokio::test]
async fn an_installation_that_cannot_be_read_is_not_made_anew() {
    let world = World::new().await;
    let known = world.install().await.unwrap();
    world.damage(&RecordKey::Subscription(known.subscription)).await;
    assert_eq!(world.again().await.install().await.unwrap(), known_again(&known));
    world.damage(&RecordKey::Tenant(known.tenant)).await;
    let again = world.again().await;
    assert_eq!(again.install().await.unwrap(), known_again(&known));
    assert_eq!(again.app.whole_snapshot().directory().tenants().count(), 0);
    let key = again.app.whole_snapshot().signing_keys().next().unwrap().key.kid.clone();
    world.damage(&RecordKey::SigningKey(key)).await;
    let again = world.again().await;
    again.install().await.unwrap();
    assert_eq!(again.app.whole_snapshot().signing_keys().count(), 1);
}

fn known_again(known: &app::Installation) -> app::Installation {
    app::Installation { is_new: false, ..known.clone() }
}

#[tokio::test]
async fn a_record_is_repaired_by_a_form_that_can_be_read_and_by_no_other() {
    let world = World::new().await;
    let record = Record::Group(group(1));
    let text = world.stored(&record).await;
    let place = world.damage(&record.key()).await;
    let repair = world.repair();
    let other = world.stored(&Record::Group(group(2))).await;
    for bad in ["{}".into(), NEWER.into(), other] {
        assert!(matches!(repair.replace(&place, bad).await, Err(Error::Invalid(_))));
    }
    assert_eq!(repair.replace(&place, text.clone()).await.unwrap(), NEWER);
    assert!(world.again().await.app.whole_snapshot().directory().group(group(1).id).is_some());
    // What can be read is not for this way to change.
    assert!(matches!(repair.replace(&place, text).await, Err(Error::Conflict(_))));
    assert!(matches!(repair.remove(&place).await, Err(Error::Conflict(_))));
    assert!(matches!(repair.remove("/live/access/group/nobody").await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_record_that_is_taken_out_gives_its_name_free() {
    let world = World::new().await;
    let snapshot = world.app.whole_snapshot();
    let upn = Upn::parse("eve@example.org").unwrap();
    let eve = |id| User { id, upn: upn.clone(), ..User::clone(snapshot.directory().users().next().unwrap()) };
    let make = async |app: &App, id: u128| {
        app.whole_state()
            .transact(|tx| {
                tx.take_name(UniqueName::UserPrincipalName, upn.folded());
                tx.create(&Record::User(eve(group(id).id)))
            })
            .await
    };
    make(&world.app, 7).await.unwrap();
    let place = world.damage(&RecordKey::User(group(7).id)).await;
    let other = world.damage(&RecordKey::Group(group(1).id)).await;
    world.repair().remove(&other).await.unwrap();
    assert!(matches!(make(&world.again().await.app, 8).await, Err(Error::AlreadyExists { .. })));
    world.repair().remove(&place).await.unwrap();
    let again = world.again().await;
    make(&again.app, 8).await.unwrap();
    // The names of everything else are still taken.
    let taken = again.app.whole_state().transact(|tx| {
        tx.take_name(UniqueName::UserPrincipalName, "admin@example.org");
        Ok(())
    });
    assert!(matches!(taken.await, Err(Error::AlreadyExists { .. })));
}

#[tokio::test]
async fn the_group_of_a_cluster_that_cannot_be_read_is_closed_to_others() {
    let world = World::new().await;
    let subscription = world.install().await.unwrap().subscription;
    let named = |name: &str, managed_by: Option<&str>| {
        let name = ResourceName::parse(name).unwrap();
        let managed_by = managed_by.map(str::to_owned);
        Record::ResourceGroup(ResourceGroup {
            subscription,
            name,
            location: "local".into(),
            tags: [].into(),
            managed_by,
            created: world.app.now(),
        })
    };
    let groups = [named("nodes", Some("/subscriptions/s/c1")), named("mine", None)];
    world
        .app
        .whole_state()
        .transact(|tx| groups.iter().try_for_each(|group| tx.create(group)))
        .await
        .unwrap();
    let caller = world.administrator();
    let check = |name: &str, action: &str| {
        let scope =
            format!("/subscriptions/{subscription}/resourceGroups/{name}/providers/Microsoft.Network/x/y");
        restrictions::check(&world.app.whole_snapshot(), &caller, action, &Scope::parse(&scope).unwrap())
    };
    let write = "Microsoft.Network/x/write";
    assert!(check("nodes", write).is_ok());
    world.damage(&RecordKey::Cluster(domain::id::ClusterId::new(Uuid::from_u128(0xc)))).await;
    let error = check("nodes", write).unwrap_err().to_string();
    assert!(
        error.contains("managed by '/subscriptions/s/c1'") && error.contains("cannot be read"),
        "{error}"
    );
    assert!(check("nodes", "Microsoft.Network/x/read").is_ok() && check("mine", write).is_ok());
}

/// Work that cannot go on is tried again after a while; what else there is to do does not wait for it.
#[tokio::test(start_paused = true)]
async fn a_work_that_cannot_go_on_keeps_no_other_waiting() {
    let world = World::new().await;
    let subscription = world.install().await.unwrap().subscription;
    // A group in which there may be what cannot be read is not deleted.
    world.damage(&RecordKey::Cluster(domain::id::ClusterId::new(Uuid::from_u128(0xc)))).await;
    let stuck = Work::DeleteResourceGroup { subscription, name: ResourceName::parse("stuck").unwrap() };
    let member = group(1).id;
    let memberships: Vec<Record> =
        (2..300).map(|number| Record::Membership(Membership { group: group(number).id, member })).collect();
    for some in memberships.chunks(90) {
        world.app.whole_state().transact(|tx| some.iter().try_for_each(|each| tx.put(each))).await.unwrap();
    }
    let works = [stuck.clone(), Work::ForgetMemberships(member)];
    let since = world.app.now();
    let begin = |tx: &mut app::state::Tx| -> Result<_, Error> {
        works
            .iter()
            .try_for_each(|work| tx.put(&Record::Unfinished(Unfinished { work: work.clone(), since })))
    };
    world.app.whole_state().transact(begin).await.unwrap();
    let app = world.app.clone();
    let finishing =
        tokio::spawn(async move { app.whole_state().keep_finishing(std::future::pending()).await });
    let mut revisions = world.app.whole_state().revisions();
    let started = tokio::time::Instant::now();
    while world.app.whole_snapshot().unfinished().count() > 1 {
        revisions.changed().await.unwrap();
    }
    assert_eq!(started.elapsed(), std::time::Duration::ZERO);
    let left: Vec<Work> = world.app.whole_snapshot().unfinished().map(|each| each.work.clone()).collect();
    assert_eq!(left, [stuck]);
    finishing.abort();
}

#[tokio::test]
async fn cold_records_that_cannot_be_read_are_found_and_hold_up_no_cleaning() {
    let world = World::new().await;
    for place in ["/cold/session/x", "/cold/operation/y"] {
        let writes = vec![Write::Put(place.into(), NEWER.into())];
        world.store.commit(Txn { guards: Vec::new(), writes }).await.unwrap();
    }
    world.app.clean_up().await.unwrap();
    assert!(matches!(
        world.app.whole_state().find_cold::<app::resource_manager::operations::Operation>("y").await,
        Err(Error::Internal(text)) if text == "stored record /cold/operation/y cannot be read"
    ));
    let places: Vec<String> =
        world.repair().find().await.unwrap().into_iter().map(|each| each.place).collect();
    assert_eq!(places, ["/cold/operation/y", "/cold/session/x"]);
}

/// Nothing that is sealed would open: that is no damage, and setting all of it aside would hide the mistake.
#[tokio::test]
async fn another_sealing_key_starts_nothing() {
    let world = World::new().await;
    let other = Sealer::new(&Secret::new([8; 32])).unwrap();
    let wrong = World(world.reopened_with(other).await);
    let error = wrong.install().await.unwrap_err().to_string();
    assert!(error.contains("sealing.key is not the one"), "{error}");
    world.again().await.install().await.unwrap();
}
