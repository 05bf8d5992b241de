//! Long-running operations, as clients of Azure Resource Manager poll them. Most are done before the answer that names
//! them goes out. One that is not waits for [work](state::unfinished) whose end is looked up at each poll.

use domain::id::{Id, ObjectId, SubscriptionId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use state::Kind;

use crate::ResourceManager;
use state::{Caller, Cold, Error, unfinished::WorkReference};

/// One that succeeds: what failed was answered with its error at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    pub tenant: TenantId,
    pub caller: ObjectId,
    pub subscription: SubscriptionId,
    /// When it ended, or, where it waits for something, when it began.
    pub ended: Timestamp,
    #[serde(default)]
    pub awaited: Option<WorkReference>,
    pub expires: Timestamp,
}

impl Cold for Operation {
    const KIND: &'static str = "operation";

    fn expires(&self) -> Option<Timestamp> {
        Some(self.expires)
    }
}

impl ResourceManager {
    /// Records that the caller's operation has succeeded, or will when what it waits for has ended; gives the id to ask
    /// for it by.
    pub async fn record_operation(
        &self,
        caller: &Caller,
        subscription: SubscriptionId,
        awaited: Option<WorkReference>,
    ) -> Result<String, Error> {
        let id: Id<Operation> = self.state.new_id()?;
        let ended = self.state.now();
        let operation = Operation {
            tenant: caller.tenant,
            caller: caller.object_id,
            subscription,
            ended,
            awaited,
            expires: ended.checked_add(KEPT).map_err(Error::internal)?,
        };
        self.state.create_cold(&id.to_string(), &operation).await?;
        Ok(id.to_string())
    }

    /// An operation of the caller's own; of another's nobody learns that it exists.
    pub async fn find_operation(
        &self,
        caller: &Caller,
        subscription: SubscriptionId,
        id: &str,
    ) -> Result<Operation, Error> {
        let not_found = || Error::not_found(Kind::Operation, id);
        let id = Id::<Operation>::parse(id).map_err(|_| not_found())?;
        let found = self.state.find_cold::<Operation>(&id.to_string()).await?;
        found
            .filter(|operation| {
                (operation.tenant, operation.caller) == (caller.tenant, caller.object_id)
                    && operation.subscription == subscription
            })
            .ok_or_else(not_found)
    }
}

const KEPT: SignedDuration = SignedDuration::from_hours(24);
