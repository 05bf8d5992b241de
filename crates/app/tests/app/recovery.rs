//! The way back in for whoever has the machine.

use app::{
    App, Error, Recovered, Secret,
    sign_in::login::{LoginError, SignedIn},
};
use domain::{change::Record, id::ObjectId, name::Upn, user::User};
use testkit::{PASSWORD as RIGHT, World};

async fn sign_in(app: &App, password: &str, address: &str) -> Result<SignedIn, LoginError> {
    let address: std::net::IpAddr = address.parse().unwrap();
    let password = Secret::new(password.to_owned());
    app.sign_in().sign_in_with_password(None, "alice@example.org", &password, Some(address)).await
}

#[tokio::test]
async fn whoever_has_the_machine_gets_back_in_whatever_became_of_the_administrator() {
    const NEW: &str = "recovered battery";
    let world = World::new().await;
    world.home.user("alice@example.org").await;
    let (app, installation) = (world.app.clone(), world.install().await.unwrap());
    let alice = Upn::parse("alice@example.org").unwrap();
    let session =
        app.sign_in().begin_session(&sign_in(&app, RIGHT, "198.51.100.7").await.unwrap()).await.unwrap();
    for number in 0..100 {
        let address = format!("192.0.2.{number}");
        assert!(matches!(sign_in(&app, "wrong", &address).await, Err(LoginError::Refused)));
    }
    assert!(matches!(sign_in(&app, RIGHT, "203.0.113.9").await, Err(LoginError::Throttled)));
    // Locked, disabled, without a password, no administrator, no owner.
    app.whole_state()
        .transact(|tx| -> Result<_, Error> {
            let user = tx.snapshot().directory().user_by_upn(&alice).unwrap().clone();
            let mut tenant =
                domain::tenant::Tenant::clone(tx.snapshot().directory().tenant(user.tenant).unwrap());
            tenant.administrators.clear();
            for assignment in tx.snapshot().azure().assignments_of(user.id) {
                tx.delete(&domain::change::RecordKey::Assignment(assignment.id));
            }
            tx.put(&Record::Tenant(tenant))?;
            tx.put(&Record::User(User { enabled: false, password: None, ..User::clone(&user) }))
        })
        .await
        .unwrap();
    let password = Secret::new(NEW.to_owned());
    let recovered = app.recover_administrator(&installation, &alice, &password).await.unwrap();
    assert_eq!(recovered, Recovered { upn: alice.clone(), made: false });
    let signed_in = sign_in(&app, NEW, "203.0.113.9").await.unwrap();
    assert!(app.sign_in().find_session(&session).await.unwrap().is_none());
    let holds = |id: ObjectId| {
        let snapshot = app.whole_snapshot();
        let tenant = snapshot.directory().tenant(installation.tenant).unwrap();
        tenant.administrators.contains(&id) && snapshot.azure().assignments_of(id).len() == 1
    };
    assert!(holds(signed_in.user));

    let other = Upn::parse("rescue@example.org").unwrap();
    let recovered = app.recover_administrator(&installation, &other, &password).await.unwrap();
    assert!(recovered.made);
    let rescue =
        app.sign_in().sign_in_with_password(None, "rescue@example.org", &password, None).await.unwrap();
    assert!(holds(rescue.user) && holds(signed_in.user));
    // Again: nothing is given twice.
    assert!(!app.recover_administrator(&installation, &other, &password).await.unwrap().made);
    assert!(holds(rescue.user));
    let elsewhere = Upn::parse("rescue@elsewhere.example").unwrap();
    assert!(app.recover_administrator(&installation, &elsewhere, &password).await.is_err());
}
