//! The decision: may this caller do all of these actions at this scope, now?

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    Caller, Grant, MissingPermission, Policy, Reason, Refusal, UnmetCondition,
    actions::Action,
    compiled::CompiledRole,
    found::{Found, FoundDeny},
};
use crate::{
    condition::{Condition, Facts, Source, Value, Values, attribute_names_match},
    decision::{self, Decision},
    id::{AssignmentId, ObjectId},
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
        if self.is_in_doubt(caller, &access.scope) {
            return Decision::Deny(decision::Reason::Azure(Reason::InDoubt));
        }
        let spot = self.memo.spot(caller, &access.scope);
        let known = self.memo.get(spot, &self.mark, caller, &access.scope).unwrap_or_else(|| {
            let found = Found::look_up(self, caller, &access.scope);
            self.memo.put(spot, &self.mark, caller, &access.scope, found)
        });
        let question = Question { policy: self, found: &known.found, caller, access, now };
        if let [action] = access.actions.as_slice() {
            return question.decide(&[(action, self.known.number(action))]);
        }
        let numbered = access.actions.iter().map(|action| (action, self.known.number(action)));
        question.decide(&numbered.collect::<Vec<_>>())
    }

    fn helpful_roles(&self, actions: &[Numbered], scope: &Scope) -> Vec<std::sync::Arc<str>> {
        let granting = self.roles.granting(actions).filter(|role| self.is_assignable(role, scope));
        granting.map(|role| role.name.clone()).take(PROPOSED).collect()
    }
}

/// An action with its number among the known ones.
type Numbered<'a> = (&'a Action, Option<u32>);

struct Question<'a> {
    policy: &'a Policy,
    found: &'a Found,
    caller: &'a Caller,
    access: &'a Access,
    now: Timestamp,
}

/// An assignment that is certainly the caller's.
#[derive(Clone, Copy)]
struct Hit<'a> {
    assignment: AssignmentId,
    scope: &'a Scope,
    role: &'a CompiledRole,
    /// The group that holds it; `None`: the caller.
    through: Option<ObjectId>,
    has_condition: bool,
}

impl<'a> Question<'a> {
    fn decide(&self, actions: &[Numbered<'a>]) -> Decision {
        if let Some(refusal) = first_refusal(&self.found.denies, actions) {
            return Decision::Deny(decision::Reason::Azure(Reason::Denied(Box::new(refusal))));
        }
        let mut first: Option<Hit> = None;
        let mut others: Vec<Hit> = Vec::new();
        let mut lacking: Vec<Numbered> = Vec::new();
        for numbered in actions {
            match (self.granting(*numbered), first) {
                (None, _) => lacking.push(*numbered),
                (Some(hit), None) => first = Some(hit),
                (Some(hit), Some(first))
                    if [first].iter().chain(&others).any(|each| each.assignment == hit.assignment) => {}
                (Some(hit), Some(_)) => others.push(hit),
            }
        }
        let reason = match (lacking.split_first(), first) {
            (None, Some(first)) => {
                let others = others.into_iter().map(Hit::named).collect();
                let reason = Reason::Granted { grant: first.named(), others };
                return Decision::Allow(decision::Reason::Azure(reason));
            }
            (None, None) => Reason::BadRequest { problem: "it asks for no action".to_owned() },
            (Some((numbered, further)), _) => Reason::NotGranted(Box::new(MissingPermission {
                action: numbered.0.clone(),
                further_actions: further.len(),
                scope: self.access.scope.clone(),
                helpful_roles: self.policy.helpful_roles(&lacking, &self.access.scope),
                unmet_condition: self.unmet(*numbered),
            })),
        };
        Decision::NoOpinion(decision::Reason::Azure(reason))
    }

    /// The first assignment whose role grants an action and whose condition is met.
    fn granting(&self, numbered: Numbered<'a>) -> Option<Hit<'a>> {
        self.by_role(numbered).find(|hit| {
            !hit.has_condition
                || self.condition(hit).is_some_and(|condition| condition.holds(&self.request(numbered)))
        })
    }

    /// The caller's assignments whose role grants an action.
    fn by_role(&self, (action, number): Numbered<'a>) -> impl Iterator<Item = Hit<'a>> {
        let (policy, caller) = (self.policy, self.caller);
        self.found.grants.iter().filter_map(move |candidate| {
            let role = policy.roles.compiled(candidate.role.slot())?;
            if !role.permissions.names(action, number) {
                return None;
            }
            let principal = caller.principal_at(candidate.place)?;
            let (assignment, scope) = policy.index.confirm(candidate, principal)?;
            let through = (candidate.place != 0).then_some(principal);
            Some(Hit { assignment, scope, role, through, has_condition: candidate.role.has_condition() })
        })
    }

    /// For an action that nothing grants: the first assignment that only its condition keeps from it.
    fn unmet(&self, numbered: Numbered<'a>) -> Option<UnmetCondition> {
        let hit = self.by_role(numbered).next()?;
        let refusal = self.condition(&hit)?.refusal(&self.request(numbered));
        let refusal = refusal.map_or_else(|| "is not met".to_owned(), |refusal| refusal.to_string());
        Some(UnmetCondition { grant: hit.named(), refusal })
    }

    fn condition(&self, hit: &Hit) -> Option<&'a Condition> {
        self.policy.assignments.get(&hit.assignment)?.condition.as_ref()
    }

    fn request(&self, numbered: Numbered<'a>) -> Request<'a> {
        Request { action: numbered.0, access: self.access, now: self.now }
    }
}

impl Hit<'_> {
    fn named(self) -> Grant {
        Grant {
            assignment: self.assignment,
            role: self.role.definition.id,
            role_name: self.role.definition.name.clone(),
            scope: self.scope.clone(),
            through: self.through,
        }
    }
}

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
