//! Transactions that were decided on the same state and are committed at the same time.

use app::state::UniqueName;
use app::{Error, directory::owners::Owned, sign_in::tokens::Rejection};
use domain::{
    change::{Change, Record},
    directory_role::ALL as ROLES,
    id::ObjectId,
};
use testkit::{World, new_user, roles};

use super::Programs;

const PROGRAMS: usize = 4;

fn owners(world: &World, group: ObjectId) -> usize {
    world.app.whole_snapshot().directory().group(group).unwrap().owners.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_program_writes_over_what_another_has_just_written() {
    let programs = Programs::start(PROGRAMS).await;
    let home = &programs.first().home;
    let group = home.group("crew", &[]).await;
    let mut people = Vec::new();
    for number in 0..PROGRAMS {
        people.push(home.user(&format!("owner-{number}@example.org")).await);
    }
    let before = owners(programs.first(), group);
    let added = programs.at_once(|world, number| {
        let person = people[number];
        async move { world.app.directory().add_owner(&world.home.admin, Owned::Group(group), person).await }
    });
    for each in added.await {
        each.unwrap();
    }
    for world in &programs.worlds {
        assert_eq!(owners(world, group), before + PROGRAMS);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_thread_writes_over_what_another_has_just_written() {
    let world = World::new().await;
    let group = world.home.group("crew", &[]).await;
    let before = owners(&world, group);
    let mut people = Vec::new();
    for number in 0..THREADS {
        people.push(world.home.user(&format!("owner-{number}@example.org")).await);
    }
    let tasks: Vec<_> = people
        .into_iter()
        .map(|person| {
            let world = world.for_thread();
            tokio::spawn(async move {
                let added =
                    world.app.directory().add_owner(&world.home.admin, Owned::Group(group), person).await;
                // Who wrote reads what they wrote.
                let snapshot = world.app.whole_snapshot();
                assert!(snapshot.directory().group(group).unwrap().owners.contains(&person));
                added
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(owners(&world, group), before + THREADS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_name_is_given_once() {
    let programs = Programs::start(PROGRAMS).await;
    let made = programs.at_once(|world, _| async move {
        let mut new = new_user("one@example.org");
        new.password = None;
        world.app.directory().create_user(&world.home.admin, new).await
    });
    let made = made.await;
    assert_eq!(made.iter().filter(|each| each.is_ok()).count(), 1, "{made:?}");
    let refused = made.iter().filter(|each| matches!(each, Err(Error::AlreadyExists { .. }))).count();
    assert_eq!(refused, PROGRAMS - 1, "{made:?}");
    for world in &programs.worlds {
        let snapshot = world.app.whole_snapshot();
        let named = |user: &&std::sync::Arc<domain::user::User>| user.upn.to_string() == "one@example.org";
        assert_eq!(snapshot.directory().users().filter(named).count(), 1);
    }
}

/// As above, where nothing but the name is written: no record tells the second that it is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_bare_name_is_given_once() {
    let programs = Programs::start(PROGRAMS).await;
    let taken = programs.at_once(|world, _| async move {
        let taken = world.app.whole_state().transact(|tx| {
            tx.take_name(UniqueName::UserPrincipalName, "one");
            Ok(())
        });
        taken.await
    });
    let taken = taken.await;
    assert_eq!(taken.iter().filter(|each| each.is_ok()).count(), 1, "{taken:?}");
    let refused = taken.iter().filter(|each| matches!(each, Err(Error::AlreadyExists { .. }))).count();
    assert_eq!(refused, PROGRAMS - 1, "{taken:?}");
}

/// Each administrator takes the role from the other. Who comes second has lost the right to by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_last_administrator_stays() {
    let programs = Programs::start(2).await;
    let home = &programs.first().home;
    let second = home.person("second@example.org").await;
    let first = home.admin.clone();
    programs.first().app.directory().add_role_holder(&first, &ROLES[0], second.object_id).await.unwrap();
    let removed = programs.at_once(|world, number| {
        let (by, from) = if number == 0 { (&first, &second) } else { (&second, &first) };
        let (by, from) = (by.clone(), from.object_id);
        async move { world.app.directory().remove_role_holder(&by, &ROLES[0], from).await }
    });
    let removed = removed.await;
    assert_eq!(removed.iter().filter(|each| each.is_ok()).count(), 1, "{removed:?}");
    for world in &programs.worlds {
        assert_eq!(
            world.app.whole_snapshot().directory().tenant(first.tenant).unwrap().administrators.len(),
            1
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_who_leave_at_once_do_not_leave_nobody() {
    let programs = Programs::start(2).await;
    let home = &programs.first().home;
    let second = home.person("second@example.org").await;
    let first = home.admin.clone();
    programs.first().app.directory().add_role_holder(&first, &ROLES[0], second.object_id).await.unwrap();
    let left = programs.at_once(|world, number| {
        let one = if number == 0 { first.clone() } else { second.clone() };
        async move { world.app.directory().remove_role_holder(&one, &ROLES[0], one.object_id).await }
    });
    let left = left.await;
    assert_eq!(left.iter().filter(|each| each.is_ok()).count(), 1, "{left:?}");
    for world in &programs.worlds {
        assert_eq!(
            world.app.whole_snapshot().directory().tenant(first.tenant).unwrap().administrators.len(),
            1
        );
    }
}

/// A write and the loss of the right to it, both decided before either is committed: the write is refused, or it was
/// first.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_right_that_is_taken_away_is_gone_for_a_write_under_way() {
    let programs = Programs::start(2).await;
    let home = &programs.first().home;
    let second = home.person("second@example.org").await;
    let first = home.admin.clone();
    for round in 0..ROUNDS {
        let app = &programs.first().app;
        app.directory().add_role_holder(&first, &ROLES[0], second.object_id).await.unwrap();
        let before = app.whole_snapshot().revision();
        let name = format!("crew-{round}");
        let results = programs.at_once(|world, number| {
            let (first, second, name) = (first.clone(), second.clone(), name.clone());
            async move {
                if number == 0 {
                    world.app.directory().remove_role_holder(&first, &ROLES[0], second.object_id).await
                } else {
                    let new = app::directory::groups::NewGroup {
                        display_name: domain::name::DisplayName::parse(&name).unwrap(),
                        mail_nickname: name,
                        description: None,
                    };
                    world.app.directory().create_group(&second, new).await.map(drop)
                }
            }
        });
        let results = results.await;
        assert!(results[0].is_ok(), "{results:?}");
        let order: Vec<&str> = programs
            .first()
            .app
            .whole_state()
            .changes_since(before)
            .unwrap()
            .iter()
            .flat_map(|applied| {
                applied
                    .changes
                    .iter()
                    .filter_map(|change| match change {
                        Change::Put(Record::Group(_)) => Some("group"),
                        Change::Put(Record::Tenant(_)) => Some("tenant"),
                        _ => None,
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        match &results[1] {
            Ok(()) => assert_eq!(order, ["group", "tenant"]),
            Err(Error::Forbidden(_)) => assert_eq!(order, ["tenant"]),
            other => panic!("{other:?}"),
        }
    }
}

/// Once a revocation has returned, no thread takes the token or gives the right.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_revocation_is_in_force_on_every_thread_when_it_returns() {
    let world = World::new().await;
    let scope = world.home.resource_group("rg").await;
    let mut tasks = Vec::new();
    for number in 0..THREADS {
        let person = world.home.person(&format!("person-{number}@example.org")).await;
        let token = world.home.token(&person).await;
        let assignment = world.home.assign(person.object_id, roles::CONTRIBUTOR, &scope).await;
        let (world, scope) = (world.for_thread(), scope.clone());
        let others: Vec<World> = (0..4).map(|_| world.for_thread()).collect();
        tasks.push(tokio::spawn(async move {
            let may = |other: &World| {
                let action = "Microsoft.Resources/subscriptions/resourceGroups/write";
                let snapshot = other.app.whole_snapshot();
                app::state::authorize::may(&snapshot, &person, action, &scope, other.app.now())
            };
            assert!(others.iter().all(may));
            world
                .app
                .resource_manager()
                .delete_assignment(&world.home.admin, &scope, assignment.id)
                .await
                .unwrap();
            assert!(!others.iter().any(may), "a right was given after it was taken away");
            let takes = |other: &World| other.app.sign_in().verify_management_token(&token).is_ok();
            assert!(others.iter().all(takes));
            // A mark is of a second: the session began in this one.
            world.app.directory().revoke_sessions(&world.home.admin, person.object_id).await.unwrap();
            let refused = others.iter().map(|other| other.app.sign_in().verify_management_token(&token));
            let refused: Vec<Result<_, Rejection>> = refused.collect();
            assert!(refused.iter().all(Result::is_err), "{refused:?}");
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

const THREADS: usize = 16;
const ROUNDS: usize = 8;
