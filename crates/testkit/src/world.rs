//! An application with its tenants on a store, as after a first installation.

use app::state::UniqueName;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use app::{
    App, Caller, Error, FirstAdministrator, Installation, Parts, Secret, Settings, state::clock::ManualClock,
};
use crypto::seal::Sealer;
use domain::{
    assignment::{PrincipalKind, RoleAssignment},
    change::Record,
    id::{AppId, Id, ObjectId, RoleId, SubscriptionId, TenantId},
    name::{DisplayName, ResourceName, Upn},
    role::Stamp,
    scope::Scope,
    subscription::Subscription,
};
use jiff::{SignedDuration, Timestamp};
use store::Store;
use tokio::task::JoinHandle;

use crate::{BASE, ELSEWHERE, HOME, PASSWORD, Seeded, Tenant, clients, roles};

/// An application with one tenant, or with several, which tests select by domain.
#[derive(Clone, Debug)]
pub struct World {
    pub app: App,
    pub store: Arc<dyn Store>,
    /// Advances only when a test moves it.
    pub clock: Arc<ManualClock>,
    pub random: Arc<Seeded>,
    /// The tenant that the installation began with.
    pub home: Tenant,
    others: Vec<Tenant>,
    settings: Settings,
    /// Follows the store for the application.
    follow: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// Options for a world.
#[derive(Debug)]
pub struct Builder {
    store: Option<Arc<dyn Store>>,
    home: &'static str,
    now: Timestamp,
    seed: u64,
    settings: Settings,
    others: Vec<&'static str>,
}

impl World {
    /// A world with one tenant.
    pub async fn new() -> Self {
        Self::builder().start().await
    }

    /// A world with two unrelated tenants.
    pub async fn with_two_tenants() -> Self {
        Self::builder().tenant(ELSEWHERE).start().await
    }

    pub fn builder() -> Builder {
        Builder {
            store: None,
            home: HOME,
            now: "2026-11-24T09:00:00Z".parse().unwrap(),
            seed: 1,
            settings: Settings { external_url: BASE.into(), authority_certificate: "the authority".into() },
            others: Vec::new(),
        }
    }

    /// A tenant by its domain.
    #[track_caller]
    pub fn tenant(&self, domain: &str) -> &Tenant {
        let found = [&self.home].into_iter().chain(&self.others).find(|tenant| tenant.domain == domain);
        found
            .unwrap_or_else(|| panic!("this world has no tenant {domain}: it is made with `Builder::tenant`"))
    }

    pub fn advance(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// The same world with the application handle of another serving thread.
    #[must_use]
    pub fn for_thread(&self) -> Self {
        self.with_app(self.app.for_thread())
    }

    /// The same world after a restart on the same store.
    pub async fn reopened(&self) -> Self {
        self.reopened_with(sealer()).await
    }

    /// As [`World::reopened`], with another sealing key.
    pub async fn reopened_with(&self, sealer: Sealer) -> Self {
        let (app, follow) = open(&self.store, &self.clock, &self.random, &self.settings, sealer).await;
        Self { follow, ..self.with_app(app) }
    }

    /// Installs as at the start of the program; the store may already have an installation.
    pub async fn install(&self) -> Result<Installation, Error> {
        install(&self.app, &self.home.domain).await
    }

    /// Stops following the store, so that no background task holds it.
    pub async fn stop(self) {
        let follow = self.follow.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(follow) = follow {
            follow.abort();
            drop(follow.await);
        }
    }

    /// Returns when this application has applied all commits of others.
    pub async fn caught_up(&self) {
        let committed = self.store.status().await.unwrap().revision.0;
        self.app.whole_state().revisions().wait_for(|revision| *revision >= committed).await.unwrap();
    }

    fn with_app(&self, app: App) -> Self {
        let mut world = self.clone();
        for tenant in [&mut world.home].into_iter().chain(&mut world.others) {
            tenant.app = app.clone();
        }
        Self { app, ..world }
    }
}

impl Builder {
    /// Uses this store instead of an in-memory one. An existing installation is used as it is.
    #[must_use]
    pub fn store(self, store: Arc<dyn Store>) -> Self {
        Self { store: Some(store), ..self }
    }

    /// The initial time of the clock.
    #[must_use]
    pub fn now(self, now: Timestamp) -> Self {
        Self { now, ..self }
    }

    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    #[must_use]
    pub fn external_url(mut self, url: &str) -> Self {
        self.settings.external_url = url.to_owned();
        self
    }

    /// The domain of the first tenant.
    #[must_use]
    pub fn home(self, domain: &'static str) -> Self {
        Self { home: domain, ..self }
    }

    /// Adds a tenant, with an administrator who owns everything in it.
    #[must_use]
    pub fn tenant(mut self, domain: &'static str) -> Self {
        self.others.push(domain);
        self
    }

    pub async fn start(self) -> World {
        let clock = Arc::new(ManualClock::new(self.now));
        let random = Arc::new(Seeded::new(self.seed));
        let store = match self.store {
            Some(store) => store,
            None => store::open(&store::StoreConfig::Memory).await.unwrap(),
        };
        let (app, follow) = open(&store, &clock, &random, &self.settings, sealer()).await;
        let installed = install(&app, self.home).await.unwrap();
        let home = tenant(&app, self.home, installed.tenant, installed.subscription);
        let mut others = Vec::new();
        for domain in self.others {
            others.push(add_tenant(&home, domain, &random).await);
        }
        World { app, store, clock, random, home, others, settings: self.settings, follow }
    }
}

async fn open(
    store: &Arc<dyn Store>,
    clock: &Arc<ManualClock>,
    random: &Arc<Seeded>,
    settings: &Settings,
    sealer: Sealer,
) -> (App, Arc<Mutex<Option<JoinHandle<()>>>>) {
    let parts = Parts {
        store: store.clone(),
        clock: clock.clone(),
        random: random.clone(),
        sealer,
        settings: settings.clone(),
    };
    let (app, follow) = App::open(parts).await.unwrap();
    let follow = tokio::spawn(async move { drop(follow.await) });
    (app, Arc::new(Mutex::new(Some(follow))))
}

async fn install(app: &App, domain: &str) -> Result<Installation, Error> {
    let upn = admin_of(domain);
    app.install(|| Ok(FirstAdministrator { upn, password: Secret::new(PASSWORD.to_owned()) })).await
}

/// The sealer with the fixed key of worlds.
pub fn sealer() -> Sealer {
    Sealer::new(&Secret::new([7; 32])).unwrap()
}

fn admin_of(domain: &str) -> Upn {
    Upn::parse(&format!("admin@{domain}")).unwrap()
}

/// An existing tenant, with its administrator.
fn tenant(app: &App, domain: &str, id: TenantId, subscription: SubscriptionId) -> Tenant {
    let snapshot = app.whole_snapshot();
    let user = snapshot.directory().user_by_upn(&admin_of(domain)).unwrap();
    let admin = Caller::of_user(user, AppId::parse(clients::CLI).unwrap());
    Tenant { app: app.clone(), id, domain: domain.to_owned(), subscription, admin }
}

/// Writes the records of a second tenant, which no use case creates: those of an installation, except that its
/// administrator owns the tenant's root management group instead of everything.
async fn add_tenant(home: &Tenant, domain: &str, random: &Seeded) -> Tenant {
    let app = &home.app;
    let (id, subscription, user_id) =
        (Id::new(random.uuid()), Id::new(random.uuid()), ObjectId::new(random.uuid()));
    let assignment = Id::new(random.uuid());
    let snapshot = app.whole_snapshot();
    let mut user = (**snapshot.directory().user(home.admin.object_id).unwrap()).clone();
    user.id = user_id;
    user.tenant = id;
    user.upn = admin_of(domain);
    let mut tenant_record = (**snapshot.directory().tenant(home.id).unwrap()).clone();
    tenant_record.id = id;
    tenant_record.display_name = DisplayName::parse(domain).unwrap();
    tenant_record.domains = vec![domain.to_owned()];
    tenant_record.administrators = BTreeSet::from([user_id]);
    let stamp = Stamp { by: None, at: app.now() };
    let records = [
        Record::Tenant(tenant_record),
        Record::Subscription(Subscription {
            id: subscription,
            tenant: id,
            display_name: DisplayName::parse("Default subscription").unwrap(),
            aliases: Vec::new(),
            created: app.now(),
        }),
        Record::User(user),
        Record::Assignment(RoleAssignment {
            id: assignment,
            principal: user_id,
            principal_kind: PrincipalKind::User,
            role: RoleId::parse(roles::OWNER).unwrap(),
            scope: Scope::management_group(&ResourceName::parse(&id.to_string()).unwrap()),
            condition: None,
            description: None,
            created: stamp,
            updated: stamp,
        }),
    ];
    let made = app.whole_state().transact(|tx| {
        tx.take_name(UniqueName::UserPrincipalName, admin_of(domain).folded());
        records.iter().try_for_each(|record| tx.create(record))
    });
    made.await.unwrap();
    tenant(app, domain, id, subscription)
}
