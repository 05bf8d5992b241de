//! Asking for the decision on somebody else's behalf, as the remote webhook of a cluster does
//! (`Microsoft.Authorization/checkAccess`).

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    assignment::{DenyAssignment, RoleAssignment},
    azure::{self, Access, Action, Attributes},
    decision::{Decision, Reason},
    directory::Principal,
    id::ObjectId,
    scope::Scope,
};

use crate::ResourceManager;
use state::{Caller, Error, authorize};

/// Of whom, and what they want to do at a scope.
#[derive(Clone, Debug)]
pub struct Question {
    pub subject: ObjectId,
    /// What the caller says that the subject is in. It counts only for subjects that the directory does not know.
    pub groups: Vec<ObjectId>,
    pub actions: Vec<CheckedAction>,
}

#[derive(Clone, Debug)]
pub struct CheckedAction {
    pub action: Action,
    /// For conditions: `@Request[...]`.
    pub attributes: BTreeMap<String, String>,
}

/// The decision on one action, with what decided it.
#[derive(Clone, Debug)]
pub enum Verdict {
    Allowed(Arc<RoleAssignment>),
    Denied(Arc<DenyAssignment>),
    NotAllowed,
}

impl ResourceManager {
    /// One verdict for each action, in their order.
    pub fn check_access(
        &self,
        caller: &Caller,
        scope: &Scope,
        question: &Question,
    ) -> Result<Vec<Verdict>, Error> {
        let snapshot = self.state.snapshot();
        let now = self.state.now();
        authorize::control_plane(&snapshot, caller, CHECK, scope, now)?;
        let directory = snapshot.directory();
        let groups = match directory.principal(question.subject) {
            Some(Principal::User(user)) if !user.enabled => return Ok(nothing(question)),
            Some(Principal::ServicePrincipal(program)) if !program.enabled => return Ok(nothing(question)),
            Some(known) if known.tenant() != caller.tenant => return Ok(nothing(question)),
            Some(_) => directory.transitive_groups(question.subject),
            None => question.groups.clone().into(),
        };
        let subject = azure::Caller::new(question.subject, groups);
        let decide = |asked: &CheckedAction| {
            let attributes = Attributes { request: asked.attributes.clone(), ..Attributes::default() };
            let access = Access { scope: scope.clone(), actions: vec![asked.action.clone()], attributes };
            let azure = snapshot.azure();
            // What cannot be named did not decide: doubt denies.
            match azure.decide(&subject, &access, now) {
                Decision::Allow(Reason::Azure(reason)) => reason
                    .grant()
                    .and_then(|grant| azure.assignment(grant.assignment))
                    .map_or(Verdict::NotAllowed, |found| Verdict::Allowed(Arc::clone(found))),
                Decision::Deny(Reason::Azure(azure::Reason::Denied(refusal))) => azure
                    .deny(refusal.assignment)
                    .map_or(Verdict::NotAllowed, |found| Verdict::Denied(Arc::clone(found))),
                _ => Verdict::NotAllowed,
            }
        };
        Ok(question.actions.iter().map(decide).collect())
    }
}

fn nothing(question: &Question) -> Vec<Verdict> {
    question.actions.iter().map(|_| Verdict::NotAllowed).collect()
}

const CHECK: &str = "Microsoft.Authorization/checkAccess/read";
