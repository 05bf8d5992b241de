//! A new sealing key: everything opens by it, and by nothing else, also where the work was broken off.

use std::sync::Arc;

use app::{Error, Secret, state::reseal};
use crypto::{random::System, seal::Sealer};
use domain::{
    change::Record,
    id::Id,
    object::{Object, ObjectKey},
};
use serde_json::json;
use testkit::World;
use uuid::Uuid;

const NEW: [u8; 32] = [8; 32];

fn sealer(key: [u8; 32]) -> Sealer {
    Sealer::new(&Secret::new(key)).unwrap()
}

/// As a server has it, and the rotation, from its beginning to its end.
fn new_and_earlier() -> Sealer {
    sealer(NEW).with_earlier(&Secret::new([7; 32])).unwrap()
}

/// Seals anew what the earlier key has sealed.
async fn rotate(world: &World) -> Result<usize, Error> {
    reseal(&*world.store, new_and_earlier(), Arc::new(System::default())).await
}

fn secret() -> ObjectKey {
    ObjectKey::new(Id::new(Uuid::from_u128(1)), "", "secrets", "default", "token")
}

/// A Secret of a cluster, sealed by the first of the world's keys.
async fn write_secret(world: &World, token: &str) {
    let object = Object { key: secret(), revision: 0, value: Arc::new(json!({"data": {"token": token}})) };
    let written = world
        .app
        .whole_state()
        .transact(|tx| -> Result<_, Error> { tx.put(&Record::Object(object.clone())) });
    written.await.unwrap();
}

/// Whether everything in the store opens by these keys.
async fn opens(world: &World, sealer: Sealer) -> bool {
    let world = world.reopened_with(sealer).await;
    let snapshot = world.app.whole_snapshot();
    snapshot.object(&secret()).is_some()
        && snapshot.unreadable().count() == 0
        && world.install().await.is_ok()
        && snapshot
            .signing_keys()
            .all(|each| world.app.whole_state().open_key("signing-key", &each.key).is_ok())
}

#[tokio::test]
async fn all_that_is_sealed_opens_by_the_new_key_alone() {
    let world = World::new().await;
    write_secret(&world, "first").await;
    assert!(rotate(&world).await.unwrap() >= 2, "a signing key and the Secret");
    assert!(opens(&world, sealer(NEW)).await);
    assert!(!opens(&world, testkit::sealer()).await);
    assert_eq!(rotate(&world).await.unwrap(), 0);
}

#[tokio::test]
async fn what_either_key_has_sealed_opens_while_the_work_is_broken_off() {
    let world = World::new().await;
    // A server that ran between two tries has sealed one record by the new key.
    write_secret(&world.reopened_with(new_and_earlier()).await, "second").await;
    assert!(opens(&world, new_and_earlier()).await);
    assert!(!opens(&world, testkit::sealer()).await);
    assert!(!opens(&world, sealer(NEW)).await);
    rotate(&world).await.unwrap();
    assert!(opens(&world, sealer(NEW)).await);
}

#[tokio::test]
async fn what_cannot_be_opened_keeps_the_earlier_key() {
    let world = World::new().await;
    write_secret(&world, "first").await;
    let refused = reseal(&*world.store, sealer([9; 32]), Arc::new(System::default())).await.unwrap_err();
    assert!(matches!(&refused, Error::Conflict(text) if text.contains("cannot be opened")), "{refused}");
    assert!(opens(&world, testkit::sealer()).await);
}
