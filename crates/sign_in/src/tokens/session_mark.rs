//! What of a token an attached cluster's API server brings back with every question about it, for as long as it keeps the
//! token: whether the session was ended, the client shut out or the key revoked since is known from that.

use domain::{
    id::{AppId, TenantId},
    snapshot::Snapshot,
};
use jiff::Timestamp;

use state::principal_status::is_client_live;

/// The stamp of the session, the client, and the key that signed. It holds no secret: whoever may write it could as well
/// leave it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionMark([String; 3]);

impl SessionMark {
    pub fn new(stamp: i64, client: AppId, kid: &str) -> Self {
        Self([stamp.to_string(), client.to_string(), kid.to_owned()])
    }

    pub fn into_values(self) -> Vec<String> {
        self.0.into()
    }

    /// The stamp that a mark names, to be compared with that of the principal; one that no session has where client or key
    /// count no longer, or the mark is none.
    pub fn stamp_of<'a>(
        values: &'a [String],
        snapshot: &Snapshot,
        tenant: TenantId,
        now: Timestamp,
    ) -> &'a str {
        match values {
            // As the program before this one wrote it.
            [stamp] => stamp,
            [stamp, client, kid] => {
                let client =
                    AppId::parse(client).is_ok_and(|client| is_client_live(snapshot, tenant, client));
                let key = snapshot.signing_key(kid).is_some_and(|key| key.is_accepted(now));
                if client && key { stamp } else { "" }
            }
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::azure::{BuiltIn, Operations, Policy};

    use super::*;

    #[test]
    fn a_mark_of_no_known_form_names_no_session() {
        let (built_in, operations) = (BuiltIn::load().unwrap(), Operations::published().unwrap());
        let snapshot = Snapshot::new(Policy::new(&built_in, &operations));
        let id = "3f0d0d4e-56a4-4a58-8f5b-0c8e2a1d9b77";
        let tenant = TenantId::parse(id).unwrap();
        let stamp = |values: &[&str]| {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            SessionMark::stamp_of(&values, &snapshot, tenant, Timestamp::UNIX_EPOCH).to_owned()
        };
        assert_eq!(stamp(&["7"]), "7");
        for other in [&[][..], &["7", id], &["7", id, "kid"], &["7", "x", "kid"], &["7", id, "kid", "x"]] {
            assert_eq!(stamp(other), "", "{other:?}");
        }
    }
}
