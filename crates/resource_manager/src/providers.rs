//! Registration of resource providers: what is served is registered in every subscription, and there is nothing to
//! be done for it but to check who asks.

use domain::{id::SubscriptionId, scope::Scope};
use state::Kind;

use crate::ResourceManager;
use state::{Caller, Error, authorize};

impl ResourceManager {
    /// Refuses unless the caller may register the provider of this namespace in the subscription.
    pub fn register_provider(
        &self,
        caller: &Caller,
        subscription: SubscriptionId,
        namespace: &str,
    ) -> Result<(), Error> {
        let snapshot = self.state.snapshot();
        let scope = Scope::subscription(subscription);
        let action = format!("{namespace}/register/action");
        authorize::control_plane(&snapshot, caller, &action, &scope, self.state.now())?;
        let known = snapshot.subscription(subscription).filter(|found| found.tenant == caller.tenant);
        known.map(drop).ok_or_else(|| Error::not_found(Kind::Subscription, subscription))
    }
}
