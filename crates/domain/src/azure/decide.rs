//! The decision: may this caller do all of these actions at this scope, now?

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    Caller, Grant, Lack, Policy, Reason, Refusal, UnmetCondition,
    actions::Action,
    found::{Found, FoundDeny, FoundGrant},
};
use crate::{
    condition::{Facts, Source, Value, Values, attribute_names_match},
    decision::{self, Decision},
    scope::Scope,
};

/// One question: some actions at one scope, all of which must be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    pub scope: Scope,
    /// None at all is never allowed.
    pub actions: Vec<Action>,
    pub attributes: Attributes,
}

/// What conditions may look at beside the action. Names as conditions write them between the brackets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `@Request[...]`.
    pub request: BTreeMap<String, String>,
    /// `@Resource[...]`.
    pub resource: BTreeMap<String, String>,
    pub sub_operation: Option<String>,
}

impl Access {
    /// One control-plane action, nothing for conditions.
    pub fn control_plane(scope: Scope, action: &str) -> Self {
        Self { scope, actions: vec![Action::control(action)], attributes: Attributes::default() }
    }

    /// One data action, nothing for conditions.
    pub fn data_plane(scope: Scope, action: &str) -> Self {
        Self { scope, actions: vec![Action::data(action)], attributes: Attributes::default() }
    }
}

impl Policy {
    /// `Allow` by role assignments, `Deny` by a deny assignment, `NoOpinion` where a grant is lacking, each
    /// with a [`Reason`] that says which, or what would help.
    pub fn decide(&self, caller: &Caller, access: &Access, now: Timestamp) -> Decision {
        if let Some(known) = self.memo.get(&self.mark, caller, &access.scope) {
            return self.decide_by(&known.found, access, now);
        }
        let found = Found::look_up(self, caller.object_id, &caller.groups, &access.scope);
        let known = self.memo.put(&self.mark, caller, &access.scope, found);
        self.decide_by(&known.found, access, now)
    }

    fn decide_by(&self, found: &Found, access: &Access, now: Timestamp) -> Decision {
        if let [action] = access.actions.as_slice() {
            return self.decide_all(found, access, &[(action, self.known.number(action))], now);
        }
        let numbered: Vec<_> =
            access.actions.iter().map(|action| (action, self.known.number(action))).collect();
        self.decide_all(found, access, &numbered, now)
    }

    fn decide_all(&self, found: &Found, access: &Access, actions: &[Numbered], now: Timestamp) -> Decision {
        if let Some(refusal) = first_refusal(&found.denies, actions) {
            return Decision::Deny(decision::Reason::Azure(Reason::Denied(refusal)));
        }
        let mut first: Option<&FoundGrant> = None;
        let mut others: Vec<&FoundGrant> = Vec::new();
        let mut lacking: Vec<Numbered> = Vec::new();
        for numbered in actions {
            match (found.granting(*numbered, &Request { action: numbered.0, access, now }), first) {
                (None, _) => lacking.push(*numbered),
                (Some(grant), None) => first = Some(grant),
                (Some(grant), Some(first)) if grant.is(first) || others.iter().any(|each| grant.is(each)) => {
                }
                (Some(grant), Some(_)) => others.push(grant),
            }
        }
        let reason = match (lacking.split_first(), first) {
            (None, Some(first)) => {
                let others = others.into_iter().map(FoundGrant::named).collect();
                let reason = Reason::Granted { grant: first.named(), others };
                return Decision::Allow(decision::Reason::Azure(reason));
            }
            (None, None) => Reason::BadRequest { problem: "it asks for no action".to_owned() },
            (Some((numbered, further)), _) => Reason::NotGranted(Lack {
                action: numbered.0.clone(),
                further_actions: further.len(),
                scope: access.scope.clone(),
                helpful_roles: self.helpful_roles(&lacking, &access.scope),
                unmet_condition: found.unmet(*numbered, &Request { action: numbered.0, access, now }),
            }),
        };
        Decision::NoOpinion(decision::Reason::Azure(reason))
    }

    fn helpful_roles(&self, actions: &[Numbered], scope: &Scope) -> Vec<std::sync::Arc<str>> {
        let granting = self.roles.granting(actions).filter(|role| self.is_assignable(role, scope));
        granting.map(|role| role.name.clone()).take(PROPOSED).collect()
    }
}

/// An action with its number among the known ones.
type Numbered<'a> = (&'a Action, Option<u32>);

fn first_refusal(denies: &[FoundDeny], actions: &[Numbered]) -> Option<Refusal> {
    denies.iter().find_map(|FoundDeny { deny, through }| {
        let (action, _) = actions.iter().find(|(action, number)| deny.permissions.names(action, *number))?;
        Some(Refusal {
            assignment: deny.definition.id,
            name: deny.definition.name.as_str().into(),
            scope: deny.definition.scope.clone(),
            action: (*action).clone(),
            through: *through,
        })
    })
}

impl Found {
    /// The first assignment whose role grants an action and whose condition is met.
    fn granting<'a>(&'a self, numbered: Numbered<'a>, request: &Request) -> Option<&'a FoundGrant> {
        self.by_role(numbered).find(|grant| {
            grant.assignment.condition.as_ref().is_none_or(|condition| condition.holds(request))
        })
    }

    fn by_role<'a>(&'a self, (action, number): Numbered<'a>) -> impl Iterator<Item = &'a FoundGrant> {
        self.grants.iter().filter(move |grant| grant.role.permissions.names(action, number))
    }

    /// For an action that nothing grants: the first assignment that only its condition keeps from it.
    fn unmet(&self, numbered: Numbered, request: &Request) -> Option<UnmetCondition> {
        let grant = self.by_role(numbered).next()?;
        let refusal = grant.assignment.condition.as_ref()?.refusal(request);
        let refusal = refusal.map_or_else(|| "is not met".to_owned(), |refusal| refusal.to_string());
        Some(UnmetCondition { grant: grant.named(), refusal })
    }
}

impl FoundGrant {
    fn is(&self, other: &Self) -> bool {
        self.assignment.id == other.assignment.id
    }

    fn named(&self) -> Grant {
        Grant {
            assignment: self.assignment.id,
            role: self.assignment.role,
            role_name: self.role.definition.name.clone(),
            scope: self.assignment.scope.clone(),
            through: self.through,
        }
    }
}

/// One action of a question, as conditions see it.
struct Request<'a> {
    action: &'a Action,
    access: &'a Access,
    now: Timestamp,
}

impl Facts for Request<'_> {
    fn action(&self) -> &str {
        self.action.name()
    }

    fn sub_operation(&self) -> Option<&str> {
        self.access.attributes.sub_operation.as_deref()
    }

    fn attribute(&self, source: Source, name: &str) -> Option<Values<'_>> {
        let value = match source {
            Source::Request => Value::String(among(&self.access.attributes.request, name)?),
            Source::Resource => Value::String(among(&self.access.attributes.resource, name)?),
            Source::Environment if attribute_names_match(name, UTC_NOW) => Value::Time(self.now),
            Source::Principal | Source::Environment => return None,
        };
        Some(Values::One(value))
    }
}

fn among<'a>(held: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    held.iter().find(|(held, _)| attribute_names_match(name, held)).map(|(_, value)| value.as_str())
}

const UTC_NOW: &str = "UtcNow";
/// How many roles a refusal proposes.
const PROPOSED: usize = 2;
