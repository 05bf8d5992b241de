//! On behalf of: an application that a person has called trades their token for one to go on with (RFC 7523 §2.1, as
//! Entra uses it). The token must have been made out to that very application, and stand for a person.

use super::{Client, GrantError, Granted};
use crate::{SignIn, tokens::Rejection};
use state::CallerKind;

impl SignIn {
    /// What the person behind the token lets the client do: whatever they have agreed to before.
    pub fn granted_on_behalf(
        &self,
        client: &Client,
        assertion: &str,
        scope: &str,
    ) -> Result<Granted, GrantError> {
        let caller =
            self.verify_token_for(assertion, client.app_id()).map_err(|rejection| match rejection {
                Rejection::Revoked(_) | Rejection::Disabled(_) | Rejection::Deleted(_) => GrantError::Revoked,
                Rejection::Expired(_) => GrantError::Expired,
                other => GrantError::Assertion(other.to_string()),
            })?;
        if caller.kind != CallerKind::User {
            return Err(GrantError::Assertion("it stands for an application, not for a person".into()));
        }
        let granted = Granted {
            tenant: caller.tenant,
            user: caller.object_id,
            client: client.app_id(),
            stamp: caller.session,
            scope: scope.to_owned(),
            nonce: None,
        };
        // An application that is disabled trades nothing, whatever was given to it before.
        self.require_live(&granted)?;
        Ok(granted)
    }
}
