//! Deny assignments, for reading: no client writes them.

use state::Kind;
use std::sync::Arc;

use domain::{assignment::DenyAssignment, id::AssignmentId, scope::Scope};

use crate::{ResourceManager, scope_rules::ScopeFilter};
use state::{Caller, Error, authorize};

impl ResourceManager {
    pub fn find_deny_assignment(
        &self,
        caller: &Caller,
        scope: &Scope,
        id: AssignmentId,
    ) -> Result<Arc<DenyAssignment>, Error> {
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, READ, scope, self.state.now())?;
        let found = snapshot.azure().deny(id).filter(|found| found.scope == *scope);
        found.cloned().ok_or_else(|| Error::not_found(Kind::DenyAssignment, id))
    }

    /// Deny assignments that concern a scope, in a stable order.
    pub fn list_deny_assignments(
        &self,
        caller: &Caller,
        scope: &Scope,
        listed: ScopeFilter,
    ) -> Result<Vec<Arc<DenyAssignment>>, Error> {
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, READ, scope, self.state.now())?;
        let azure = snapshot.azure();
        let concerns = |deny: &&Arc<DenyAssignment>| {
            azure.is_below(scope, &deny.scope)
                || (listed == ScopeFilter::All && azure.is_below(&deny.scope, scope))
        };
        let mut found: Vec<_> = azure.denies().filter(concerns).cloned().collect();
        found.sort_by_key(|each| each.id);
        Ok(found)
    }
}

const READ: &str = "Microsoft.Authorization/denyAssignments/read";
