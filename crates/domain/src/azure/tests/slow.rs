//! The decision once more, as plain loops over lists: slow, and obvious. It shares no code with the engine
//! but the records themselves.

use super::*;

/// Everything that the engine was told, as lists.
#[derive(Clone, Debug, Default)]
pub(super) struct SlowWorld {
    pub(super) roles: Vec<Arc<RoleDefinition>>,
    pub(super) assignments: Vec<RoleAssignment>,
    pub(super) denies: Vec<DenyAssignment>,
    pub(super) groups: Vec<ManagementGroup>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    Denied,
    Lacking,
}

impl SlowWorld {
    pub(super) fn decide(&self, caller: &Caller, access: &Access) -> Verdict {
        let above = self.above(access.scope.as_str());
        let is_caller = |id: &ObjectId| *id == caller.object_id || caller.groups.contains(id);
        for action in &access.actions {
            for deny in &self.denies {
                let place = deny.scope.as_str().to_lowercase();
                let here = above[0] == place || (!deny.does_not_apply_to_children && above.contains(&place));
                let means = (deny.everyone || deny.principals.iter().any(is_caller))
                    && !deny.exclude_principals.iter().any(is_caller);
                if here && means && deny.permissions.iter().any(|block| names(block, action)) {
                    return Verdict::Denied;
                }
            }
        }
        let granted = |action: &Action| {
            self.assignments.iter().any(|assignment| {
                is_caller(&assignment.principal)
                    && above.contains(&assignment.scope.as_str().to_lowercase())
                    && self.grants(assignment, action, access)
            })
        };
        if !access.actions.is_empty() && access.actions.iter().all(granted) {
            Verdict::Allowed
        } else {
            Verdict::Lacking
        }
    }

    /// Whether an assignment's role and condition let an action through.
    pub(super) fn grants(&self, assignment: &RoleAssignment, action: &Action, access: &Access) -> bool {
        self.roles
            .iter()
            .filter(|role| role.id == assignment.role)
            .any(|role| role.permissions.iter().any(|block| names(block, action)))
            && assignment.condition.as_ref().is_none_or(|condition| met(condition.text(), action, access))
    }

    /// The scope and all above it, in lower case, nearest first.
    fn above(&self, scope: &str) -> Vec<String> {
        let mut scopes = Vec::new();
        let mut current = scope.to_lowercase();
        while current != "/" {
            scopes.push(current.clone());
            current = self.parent(&current);
            if scopes.contains(&current) {
                break;
            }
        }
        scopes.push("/".to_owned());
        scopes
    }

    fn parent(&self, scope: &str) -> String {
        let prefix = "/providers/microsoft.management/managementgroups/";
        let exists =
            |name: &str| self.groups.iter().any(|group| group.name.as_str().eq_ignore_ascii_case(name));
        let segments: Vec<&str> = scope.split('/').skip(1).collect();
        match segments.as_slice() {
            ["subscriptions", id] => {
                let holds =
                    |group: &&ManagementGroup| group.subscriptions.iter().any(|each| each.to_string() == *id);
                let names = self.groups.iter().filter(holds).map(|group| group.name.as_str().to_lowercase());
                names.min().map_or("/".to_owned(), |name| prefix.to_owned() + &name)
            }
            ["providers", "microsoft.management", "managementgroups", name] => {
                let group = self.groups.iter().find(|group| group.name.as_str().eq_ignore_ascii_case(name));
                match group.and_then(|group| group.parent.as_ref()) {
                    Some(parent) if exists(parent.as_str()) => {
                        prefix.to_owned() + &parent.as_str().to_lowercase()
                    }
                    _ => "/".to_owned(),
                }
            }
            [rest @ .., "providers", _, _, _] | [rest @ .., _, _] if rest.is_empty() => "/".to_owned(),
            [rest @ .., "providers", _, _, _] | [rest @ .., _, _] => format!("/{}", rest.join("/")),
            _ => "/".to_owned(),
        }
    }
}

/// A wildcard that is a whole segment may be left out.
fn matches(pattern: &str, action: &str) -> bool {
    let without = |(place, _): (usize, &str)| format!("{}{}", &pattern[..place], &pattern[place + 2..]);
    spans(pattern.to_lowercase().as_bytes(), action.to_lowercase().as_bytes())
        || pattern.match_indices("/*/").any(|found| matches(&without(found), action))
}

/// `*` is any run of characters.
fn spans(pattern: &[u8], action: &[u8]) -> bool {
    let mut reached: Vec<bool> = (0..=action.len()).map(|end| end == 0).collect();
    for wanted in pattern {
        reached = (0..=action.len())
            .map(|end| match wanted {
                b'*' => reached[..=end].contains(&true),
                byte => end > 0 && reached[end - 1] && action[end - 1] == *byte,
            })
            .collect();
    }
    reached[action.len()]
}

fn names(block: &Permission, action: &Action) -> bool {
    let (granted, excepted) = match action.plane() {
        Plane::Control => (&block.actions, &block.not_actions),
        Plane::Data => (&block.data_actions, &block.not_data_actions),
    };
    let names = |pattern: &ActionPattern| matches(pattern.as_str(), action.name());
    granted.iter().any(names) && !excepted.iter().any(names)
}

/// The conditions that the random worlds use, with their meaning written out.
pub(super) fn met(condition: &str, action: &Action, access: &Access) -> bool {
    let is = |name: &str| action.name().eq_ignore_ascii_case(name);
    let team_is = |value: &str| {
        access
            .attributes
            .request
            .get("Example/things:team")
            .is_some_and(|team| team.eq_ignore_ascii_case(value))
    };
    match CONDITIONS.iter().position(|known| *known == condition) {
        Some(0) => team_is("red"),
        Some(1) => !is(PODS_READ) || team_is("blue"),
        Some(2) => is(PODS_READ),
        _ => panic!("{condition} has no meaning here"),
    }
}

pub(super) const CONDITIONS: [&str; 3] = [
    "@Request[Example/things:team] StringEqualsIgnoreCase 'red'",
    "!(ActionMatches{'Microsoft.ContainerService/managedClusters/pods/read'}) OR \
     @Request[Example/things:team] StringEqualsIgnoreCase 'blue'",
    "ActionMatches{'Microsoft.ContainerService/managedClusters/pods/read'}",
];
