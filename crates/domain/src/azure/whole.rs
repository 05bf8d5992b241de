//! Whether a caller holds all that a pattern of actions names. Decisions are asked about single actions; what an
//! identity needs may be `Microsoft.ContainerService/managedClusters/*`.

use jiff::Timestamp;

use super::{
    Access, Caller, Grant, Policy, Reason, Refusal,
    actions::Action,
    found::{Found, FoundDeny},
};
use crate::{
    condition::folded_glob_matches,
    decision::{self, Decision},
    role::{ActionPattern, Permission, RoleDefinition},
    scope::Scope,
};

impl Policy {
    /// The grant by which the caller may do everything in the control plane that `needed` names, or why not.
    /// A pattern with a wildcard is held if one assignment without a condition grants all of it; what several
    /// assignments grant only together does not count.
    pub fn grants_whole(
        &self,
        caller: &Caller,
        needed: &ActionPattern,
        scope: &Scope,
        now: Timestamp,
    ) -> Result<Grant, decision::Reason> {
        let access = Access::control_plane(scope.clone(), needed.as_str());
        match self.decide(caller, &access, now) {
            Decision::Allow(decision::Reason::Azure(Reason::Granted { grant, .. }))
                if !needed.has_wildcard() =>
            {
                return Ok(grant);
            }
            Decision::Allow(_) => {}
            Decision::Deny(reason) | Decision::NoOpinion(reason) => return Err(reason),
        }
        let denies = Found::look_up(self, caller, scope).denies;
        if let Some(refusal) = denies.iter().find_map(|found| refusal(found, needed)) {
            return Err(decision::Reason::Azure(Reason::Denied(Box::new(refusal))));
        }
        let whole = self
            .held(caller, scope)
            .into_iter()
            .find(|held| held.assignment.condition.is_none() && role_grants_whole(&held.role, needed));
        let held = whole.ok_or_else(|| {
            let problem = format!("the roles held grant \"{needed}\" only in part, or under a condition");
            decision::Reason::Azure(Reason::BadRequest { problem })
        })?;
        Ok(Grant {
            assignment: held.assignment.id,
            role: held.role.id,
            role_name: held.role.name.clone(),
            scope: held.assignment.scope.clone(),
            through: held.through,
        })
    }
}

/// Whether a role grants, in the control plane, everything that a pattern names.
pub fn role_grants_whole(role: &RoleDefinition, needed: &ActionPattern) -> bool {
    role.permissions.iter().any(|block| {
        block.actions.iter().any(|granted| folded_glob_matches(granted.folded(), needed.folded()))
            && !block.not_actions.iter().any(|excepted| overlap(excepted.folded(), needed.folded()))
    })
}

fn refusal(FoundDeny { deny, through }: &FoundDeny, needed: &ActionPattern) -> Option<Refusal> {
    let touches = |block: &Permission| {
        block.actions.iter().any(|refused| overlap(refused.folded(), needed.folded()))
            && !block
                .not_actions
                .iter()
                .any(|excepted| folded_glob_matches(excepted.folded(), needed.folded()))
    };
    deny.definition.permissions.iter().any(touches).then(|| Refusal {
        assignment: deny.definition.id,
        name: deny.definition.name.as_str().into(),
        scope: deny.definition.scope.clone(),
        action: Action::control(needed.as_str()),
        through: *through,
    })
}

/// Whether some action is named by both patterns. A wildcard that is a segment of its own may stand for none.
fn overlap(one: &str, other: &str) -> bool {
    let others = ways(other);
    ways(one).iter().any(|one| others.iter().any(|other| overlap_as_written(one, other)))
}

/// A pattern with and without each of its segments that are a wildcard.
fn ways(pattern: &str) -> Vec<String> {
    let mut ways = vec![pattern.to_owned()];
    let mut place = 0;
    while let Some(way) = ways.get(place).cloned() {
        let segments: Vec<&str> = way.split('/').collect();
        for (at, segment) in segments.iter().enumerate() {
            let inner = at > 0 && at + 1 < segments.len();
            if !inner || segment.is_empty() || segment.bytes().any(|byte| byte != b'*') {
                continue;
            }
            let rest = segments.iter().enumerate().filter(|(other, _)| *other != at);
            let shorter = rest.map(|(_, segment)| *segment).collect::<Vec<_>>().join("/");
            if !ways.contains(&shorter) && ways.len() < MOST_WAYS {
                ways.push(shorter);
            }
        }
        place += 1;
    }
    ways
}

fn overlap_as_written(one: &str, other: &str) -> bool {
    // For each end of `other`: whether it can go with what is left of `one`, from the end backwards.
    let other = other.as_bytes();
    let mut row: Vec<bool> = (0..=other.len()).map(|at| stars(other, at)).collect();
    for (at, byte) in one.bytes().enumerate().rev() {
        let rest = one.as_bytes().get(at + 1..).unwrap_or_default();
        let mut next = vec![false; row.len()];
        for place in (0..=other.len()).rev() {
            let below = row.get(place).copied().unwrap_or(false);
            let both = row.get(place + 1).copied().unwrap_or(false);
            let right = next.get(place + 1).copied().unwrap_or(false);
            let fits = match (byte, other.get(place)) {
                (b'*', None) => rest.iter().all(|byte| *byte == b'*'),
                (b'*', Some(_)) => below || right,
                (_, Some(b'*')) => below || right,
                (byte, Some(letter)) => byte == *letter && both,
                (_, None) => false,
            };
            if let Some(cell) = next.get_mut(place) {
                *cell = fits;
            }
        }
        row = next;
    }
    row.first().copied().unwrap_or(false)
}

/// Whether nothing but wildcards stands from a place on.
fn stars(text: &[u8], from: usize) -> bool {
    text.get(from..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

/// How many ways of reading one pattern are tried; more than three such segments stand in no pattern that is used.
const MOST_WAYS: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_overlap_where_an_action_is_named_by_both() {
        for (one, other, expected) in [
            ("a/*/read", "a/b/*", true),
            ("a/*", "b/*", false),
            ("*", "a", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("*/delete", "a/b/write", false),
            ("microsoft.authorization/*/delete", "microsoft.containerservice/managedclusters/*", false),
            ("*a", "a*", true),
            ("", "*", true),
            ("a/*/b", "a/b", true),
            ("a/*/*/b", "a/b", true),
            ("a/*b", "a/*/b", true),
        ] {
            assert_eq!(overlap(one, other), expected, "{one} {other}");
            assert_eq!(overlap(other, one), expected, "{other} {one}");
        }
    }

    proptest! {
        /// As a search through every short action finds it.
        #[test]
        fn overlap_agrees_with_trying_every_action(one in "[ab*/]{0,4}", other in "[ab*/]{0,4}") {
            let mut tried = vec![String::new()];
            let mut found = false;
            for _ in 0..7 {
                found |= tried.iter().any(|each| folded_glob_matches(&one, each) && folded_glob_matches(&other, each));
                let longer = |each: &String| ["a", "b", "/"].map(|letter| format!("{each}{letter}"));
                tried = tried.iter().flat_map(longer).collect();
            }
            prop_assert_eq!(overlap(&one, &other), found);
        }
    }
}
