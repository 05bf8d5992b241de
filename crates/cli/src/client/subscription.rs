//! The subscription of a command: from `--subscription`, else from the session. Login stores a default in the session; a
//! session has none only if no subscription was visible at login. Then each command takes the first by name, never by
//! the server's list order, and prints it.

use anyhow::{bail, ensure};
use serde_json::Value;

use super::{Client, SUBSCRIPTIONS};
use crate::output;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) name: String,
    pub(crate) id: String,
}

/// The default subscription of a new session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DefaultSubscription {
    /// It is the only one, or was used before.
    Unambiguous(Subscription),
    /// Not chosen by the user: the first by name, and how many there are.
    FirstOfSeveral(Subscription, usize),
}

impl Client {
    /// The id of the command's subscription.
    pub(crate) async fn subscription(&self) -> anyhow::Result<String> {
        let found = self.subscription.get_or_try_init(|| async {
            if let Some(wanted) = &self.wanted {
                return Ok(named(&self.subscriptions().await?, wanted)?.id);
            }
            if let Some(known) = &self.session.subscription {
                return Ok(known.clone());
            }
            match usual(&self.subscriptions().await?, None) {
                Some(DefaultSubscription::Unambiguous(only)) => Ok(only.id),
                Some(DefaultSubscription::FirstOfSeveral(first, count)) => {
                    output::note(format_args!("{}", default_notice(&first, count)));
                    Ok(first.id)
                }
                None => bail!(
                    "{} has no right in any subscription: ask an administrator for a role",
                    self.session.account
                ),
            }
        });
        found.await.cloned()
    }

    /// Its display name.
    pub(crate) async fn subscription_name(&self) -> anyhow::Result<String> {
        let id = self.subscription().await?;
        let used = self.session.subscription_name.as_ref().filter(|_| self.wanted.is_none());
        Ok(format!("\"{}\"", used.or(self.wanted.as_ref()).unwrap_or(&id)))
    }

    /// Refuses `--subscription` together with `--scope`, which already contains one.
    pub(crate) fn check_scope_alone(&self) -> anyhow::Result<()> {
        ensure!(self.wanted.is_none(), "--scope says where already: leave --subscription away");
        Ok(())
    }

    /// The subscriptions visible to the caller, sorted by name.
    pub(crate) async fn subscriptions(&self) -> anyhow::Result<Vec<Subscription>> {
        let listed = self.list(&format!("/subscriptions?{SUBSCRIPTIONS}")).await?;
        let text = |each: &Value, member: &str| each.get(member).and_then(Value::as_str).map(str::to_owned);
        let read = |each: &Value| {
            Some(Subscription { name: text(each, "displayName")?, id: text(each, "subscriptionId")? })
        };
        let mut all: Vec<Subscription> = listed.iter().filter_map(read).collect();
        all.sort_by_cached_key(|each| (each.name.to_lowercase(), each.id.clone()));
        Ok(all)
    }
}

/// Finds a subscription by id or name.
pub(crate) fn named(all: &[Subscription], wanted: &str) -> anyhow::Result<Subscription> {
    let is_id = |each: &&Subscription| each.id.eq_ignore_ascii_case(wanted);
    if let Some(found) = all.iter().find(is_id) {
        return Ok(found.clone());
    }
    let found: Vec<&Subscription> =
        all.iter().filter(|each| each.name.to_lowercase() == wanted.to_lowercase()).collect();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => bail!(
            "no subscription that you may see is named \"{wanted}\": `portcullis subscription list` shows them"
        ),
        several => bail!("{} subscriptions are named \"{wanted}\": give the id", several.len()),
    }
}

/// Chooses the default subscription from `all`, which is sorted by name. `known` is the previously used one.
pub(crate) fn usual(all: &[Subscription], known: Option<&str>) -> Option<DefaultSubscription> {
    let known = known.and_then(|known| all.iter().find(|each| each.id.eq_ignore_ascii_case(known)));
    match (known, all) {
        (Some(known), _) => Some(DefaultSubscription::Unambiguous(known.clone())),
        (None, [only]) => Some(DefaultSubscription::Unambiguous(only.clone())),
        (None, [first, ..]) => Some(DefaultSubscription::FirstOfSeveral(first.clone(), all.len())),
        (None, []) => None,
    }
}

pub(crate) fn default_notice(taken: &Subscription, count: usize) -> String {
    format!(
        "Commands act in the subscription \"{}\" ({}), one of {count} that you may see: \
         `portcullis subscription set NAME` takes another, `--subscription NAME` for one command",
        taken.name, taken.id
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> [Subscription; 3] {
        [("a", "7"), ("b", "1"), ("b", "2")]
            .map(|(name, id)| Subscription { name: name.into(), id: id.into() })
    }

    #[test]
    fn what_was_used_before_stays_and_else_the_first_by_name_is_taken_and_told() {
        let all = some();
        assert_eq!(usual(&all, Some("2")), Some(DefaultSubscription::Unambiguous(all[2].clone())));
        for unknown in [None, Some("9")] {
            assert_eq!(usual(&all, unknown), Some(DefaultSubscription::FirstOfSeveral(all[0].clone(), 3)));
            assert_eq!(usual(&all[1..2], unknown), Some(DefaultSubscription::Unambiguous(all[1].clone())));
            assert_eq!(usual(&[], unknown), None);
        }
    }

    #[test]
    fn one_is_named_by_its_name_or_id() {
        let all = some();
        assert_eq!(named(&all, "A").unwrap(), all[0]);
        assert_eq!(named(&all, "2").unwrap(), all[2]);
        for (wanted, why) in [("b", "2 subscriptions"), ("c", "\"c\""), ("", "\"\"")] {
            assert!(named(&all, wanted).unwrap_err().to_string().contains(why), "{wanted}");
        }
    }
}
