//! Device codes (RFC 8628): a client shows a short code, a person signs in elsewhere and approves it.
//!
//! ```text
//!   Pending ──► Approved ──► (gone: redeemed)
//!      └──────► Declined
//! ```

use domain::id::{AppId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{GrantError, Granted, digest};
use crate::{
    App, Cold, Error, Swap,
    login::{LoginError, SignedIn, attempts::Subject},
};

/// What the client is told.
#[derive(Clone, Debug)]
pub struct StartedDevice {
    pub device_code: String,
    /// Eight characters, to be shown as they are.
    pub user_code: String,
    pub expires_in: i64,
    /// Seconds between two questions.
    pub interval: i64,
}

/// What the person is shown before they answer.
#[derive(Clone, Debug)]
pub struct PendingDevice {
    pub user_code: String,
    pub client: AppId,
    pub scope: String,
}

/// What the person answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Approve,
    Decline,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Device {
    client: AppId,
    /// Where the client named a tenant: only its people may approve.
    tenant: Option<TenantId>,
    scope: String,
    user_code: String,
    state: State,
    pub(crate) expires: Timestamp,
    next_poll: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum State {
    Pending,
    Approved(Granted),
    Declined,
}

/// Leads from the code that a person types to the grant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UserCode {
    device: String,
    pub(crate) expires: Timestamp,
}

impl Cold for Device {
    const KIND: &'static str = "device";
}
impl Cold for UserCode {
    const KIND: &'static str = "user-code";
}

impl Device {
    /// Whether this client may ask after it, under an authority for this tenant.
    fn is_for(&self, client: AppId, tenant: Option<TenantId>) -> bool {
        match &self.state {
            State::Approved(granted) => granted.is_for(client, tenant),
            State::Pending | State::Declined => self.client == client,
        }
    }
}

impl App {
    pub async fn start_device(
        &self,
        client: AppId,
        tenant: Option<TenantId>,
        scope: &str,
    ) -> Result<StartedDevice, Error> {
        let now = self.now();
        let expires = now.checked_add(LIFE).map_err(Error::internal)?;
        let device_code = crypto::random::url_safe(&self.random_bytes::<32>()?);
        let id = digest(&device_code);
        for _ in 0..8 {
            let Some(user_code) = crypto::random::user_code(&self.random_bytes::<32>()?) else { continue };
            let index = UserCode { device: id.clone(), expires };
            match self.create_cold(&digest(&user_code), &index).await {
                Err(Error::AlreadyExists { .. }) => continue,
                other => other?,
            }
            let device = Device {
                client,
                tenant,
                scope: scope.to_owned(),
                user_code: user_code.clone(),
                state: State::Pending,
                expires,
                next_poll: now,
            };
            self.create_cold(&id, &device).await?;
            let expires_in = LIFE.as_secs();
            return Ok(StartedDevice { device_code, user_code, expires_in, interval: INTERVAL.as_secs() });
        }
        Err(Error::Unavailable("no free user code was found: try again".into()))
    }

    /// What a code that a signed-in person typed stands for. Wrong codes are counted, so that nobody finds
    /// one by trying.
    pub async fn find_device(&self, signed_in: &SignedIn, typed: &str) -> Result<PendingDevice, LoginError> {
        let subject = Subject::UserCode(signed_in.user.to_string());
        self.count_attempt(&subject).await?;
        let device = self.device_of(signed_in, typed).await?;
        let Some((_, device)) = device else { return Err(LoginError::Refused) };
        self.forgive_attempts(&subject).await?;
        Ok(PendingDevice { user_code: device.user_code, client: device.client, scope: device.scope })
    }

    pub async fn answer_device(
        &self,
        signed_in: &SignedIn,
        typed: &str,
        answer: Answer,
    ) -> Result<(), LoginError> {
        let subject = Subject::UserCode(signed_in.user.to_string());
        self.count_attempt(&subject).await?;
        let Some((id, _)) = self.device_of(signed_in, typed).await? else { return Err(LoginError::Refused) };
        let now = self.now();
        let answered = self
            .swap(&id, |device: Option<Device>| match device {
                Some(mut device) if matches!(device.state, State::Pending) && now < device.expires => {
                    device.state = match answer {
                        Answer::Approve => {
                            State::Approved(Granted::new(signed_in, device.client, &device.scope, None))
                        }
                        Answer::Decline => State::Declined,
                    };
                    Ok((Swap::Put(device), true))
                }
                _ => Ok((Swap::Keep, false)),
            })
            .await?;
        if !answered {
            return Err(LoginError::Refused);
        }
        self.forgive_attempts(&subject).await?;
        Ok(())
    }

    /// Trades an approved code for what was granted, once.
    pub async fn redeem_device(
        &self,
        client: AppId,
        tenant: Option<TenantId>,
        device_code: &str,
    ) -> Result<Granted, GrantError> {
        let now = self.now();
        let next_poll = now.checked_add(INTERVAL - POLL_SLACK).map_err(Error::internal)?;
        let outcome = self
            .swap(&digest(device_code), |device: Option<Device>| {
                let Some(mut device) = device.filter(|device| device.is_for(client, tenant)) else {
                    return Ok((Swap::Keep, Err(GrantError::Invalid("no such device code"))));
                };
                if now >= device.expires {
                    return Ok((Swap::Delete, Err(GrantError::Expired)));
                }
                match device.state {
                    State::Approved(granted) => Ok((Swap::Delete, Ok(granted))),
                    State::Declined => Ok((Swap::Keep, Err(GrantError::Declined))),
                    State::Pending if now < device.next_poll => Ok((Swap::Keep, Err(GrantError::SlowDown))),
                    State::Pending => {
                        device.next_poll = next_poll;
                        Ok((Swap::Put(device), Err(GrantError::Pending)))
                    }
                }
            })
            .await?;
        let granted = outcome?;
        self.require_live(&granted)?;
        Ok(granted)
    }

    async fn device_of(&self, signed_in: &SignedIn, typed: &str) -> Result<Option<(String, Device)>, Error> {
        let code: String = typed
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(16)
            .collect::<String>()
            .to_ascii_uppercase();
        let Some(index) = self.find_cold::<UserCode>(&digest(&code)).await? else { return Ok(None) };
        let device = self.find_cold::<Device>(&index.device).await?.filter(|device| {
            matches!(device.state, State::Pending)
                && self.now() < device.expires
                && device.tenant.is_none_or(|tenant| tenant == signed_in.tenant)
        });
        Ok(device.map(|device| (index.device, device)))
    }
}

const LIFE: SignedDuration = SignedDuration::from_mins(15);
const INTERVAL: SignedDuration = SignedDuration::from_secs(5);
/// Clients count their five seconds from when they asked; networks make that shorter here.
const POLL_SLACK: SignedDuration = SignedDuration::from_secs(2);
