//! Device codes (RFC 8628): a client shows a short code, a person signs in elsewhere and approves it.
//!
//! ```text
//!   Pending ──► Approved ──► (gone: redeemed)
//!      └──────► Declined
//! ```
//!
//! Anybody may start one, so those that wait are counted, by address and in all.

mod waiting;

use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::id::{AppId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{GrantError, Granted, digest};
use crate::{
    SignIn,
    login::{LoginError, SignedIn},
};
use directory::attempts::{Subject, network};
use state::{Cold, Error, Swap};
pub(crate) use waiting::DeviceState;
use waiting::{Entry, Waiting};

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
    /// Where it was started from.
    #[serde(default)]
    address: Option<IpAddr>,
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

    fn expires(&self) -> Option<Timestamp> {
        Some(self.expires)
    }
}
impl Cold for UserCode {
    const KIND: &'static str = "user-code";

    fn expires(&self) -> Option<Timestamp> {
        Some(self.expires)
    }
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

impl SignIn {
    pub async fn start_device(
        &self,
        client: AppId,
        tenant: Option<TenantId>,
        scope: &str,
        address: Option<IpAddr>,
    ) -> Result<StartedDevice, Error> {
        let now = self.state.now();
        let address = address.map(network);
        self.waiting_devices().await?.count_start(address, now)?;
        let expires = now.checked_add(LIFE).map_err(Error::internal)?;
        let device_code = crypto::random::url_safe(&self.state.random_bytes::<32>()?);
        let id = digest(&device_code);
        for _ in 0..8 {
            let Some(user_code) = crypto::random::user_code(&self.state.random_bytes::<32>()?) else {
                continue;
            };
            let index = UserCode { device: id.clone(), expires };
            match self.state.create_cold(&digest(&user_code), &index).await {
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
                address,
            };
            self.state.create_cold(&id, &device).await?;
            let entry = Entry { id, user_code: digest(&user_code), expires };
            let gone = self.waiting_devices().await?.admit(address, entry, now);
            for Entry { id, user_code, .. } in gone {
                self.forget_device(&id, &user_code).await?;
            }
            let expires_in = LIFE.as_secs();
            return Ok(StartedDevice { device_code, user_code, expires_in, interval: INTERVAL.as_secs() });
        }
        Err(Error::Unavailable("no free user code was found: try again".into()))
    }

    /// What a code that a signed-in person typed stands for. Wrong codes are counted, so that nobody finds
    /// one by trying.
    pub async fn find_device(&self, signed_in: &SignedIn, typed: &str) -> Result<PendingDevice, LoginError> {
        let subject = Subject::UserCode(signed_in.user.to_string());
        self.directory.count_attempt(&subject).await?;
        let device = self.device_of(signed_in, typed).await?;
        let Some((_, device)) = device else { return Err(LoginError::Refused) };
        self.directory.forgive_attempts(&subject).await?;
        Ok(PendingDevice { user_code: device.user_code, client: device.client, scope: device.scope })
    }

    pub async fn answer_device(
        &self,
        signed_in: &SignedIn,
        typed: &str,
        answer: Answer,
    ) -> Result<(), LoginError> {
        let subject = Subject::UserCode(signed_in.user.to_string());
        self.directory.count_attempt(&subject).await?;
        let found = self.device_of(signed_in, typed).await?;
        let Some((id, device)) = found else { return Err(LoginError::Refused) };
        if answer == Answer::Approve {
            self.remember_consent(signed_in, device.client, &device.scope).await?;
        }
        let now = self.state.now();
        let answered = self
            .state
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
        self.waiting_devices().await?.settle(&id);
        self.directory.forgive_attempts(&subject).await?;
        Ok(())
    }

    /// Trades an approved code for what was granted, once.
    pub async fn redeem_device(
        &self,
        client: AppId,
        tenant: Option<TenantId>,
        device_code: &str,
    ) -> Result<Granted, GrantError> {
        let now = self.state.now();
        let id = digest(device_code);
        let next_poll = now.checked_add(INTERVAL - POLL_SLACK).map_err(Error::internal)?;
        let outcome = self
            .state
            .swap(&id, |device: Option<Device>| {
                let Some(device) = device.filter(|device| device.is_for(client, tenant)) else {
                    return Ok((Swap::Keep, Err(GrantError::Invalid("no such device code"))));
                };
                if now >= device.expires {
                    return Ok((Swap::Delete, Err(GrantError::Expired)));
                }
                match device.state {
                    State::Approved(granted) => Ok((Swap::Delete, Ok(granted))),
                    State::Declined => Ok((Swap::Keep, Err(GrantError::Declined))),
                    State::Pending => Ok((Swap::Keep, Err(GrantError::Pending))),
                }
            })
            .await?;
        if matches!(outcome, Err(GrantError::Pending))
            && !self.waiting_devices().await?.may_poll(&id, now, next_poll)
        {
            return Err(GrantError::SlowDown);
        }
        let granted = outcome?;
        self.require_live(&granted)?;
        Ok(granted)
    }

    /// Those that wait; at the first use those of before the start.
    async fn waiting_devices(&self) -> Result<MutexGuard<'_, Waiting>, Error> {
        let known = self.inner.devices.0.get_or_try_init(|| async {
            Ok::<_, Error>(Mutex::new(Waiting::new(self.stored_devices().await?)))
        });
        Ok(known.await?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn stored_devices(&self) -> Result<Vec<(Option<IpAddr>, Entry)>, Error> {
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.state.list_cold::<Device>(after.as_deref(), PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(found) };
            after = Some(last.clone());
            // What cannot be read waits for nobody.
            let readable = page.into_iter().filter_map(|(id, device)| Some((id, device?)));
            let pending = readable.filter(|(_, device)| matches!(device.state, State::Pending));
            found.extend(pending.map(|(id, device)| {
                let user_code = digest(&device.user_code);
                (device.address, Entry { id, user_code, expires: device.expires })
            }));
        }
    }

    async fn forget_device(&self, id: &str, user_code: &str) -> Result<(), Error> {
        self.state
            .swap(id, |device: Option<Device>| {
                // Answered meanwhile: then it is its client's.
                let waits = device.is_some_and(|device| matches!(device.state, State::Pending));
                Ok((if waits { Swap::Delete } else { Swap::Keep }, ()))
            })
            .await?;
        self.state.swap(user_code, |_: Option<UserCode>| Ok((Swap::Delete, ()))).await
    }

    async fn device_of(&self, signed_in: &SignedIn, typed: &str) -> Result<Option<(String, Device)>, Error> {
        let code: String = typed
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(16)
            .collect::<String>()
            .to_ascii_uppercase();
        let Some(index) = self.state.find_cold::<UserCode>(&digest(&code)).await? else { return Ok(None) };
        let device = self.state.find_cold::<Device>(&index.device).await?.filter(|device| {
            matches!(device.state, State::Pending)
                && self.state.now() < device.expires
                && device.tenant.is_none_or(|tenant| tenant == signed_in.tenant)
        });
        Ok(device.map(|device| (index.device, device)))
    }
}

const LIFE: SignedDuration = SignedDuration::from_mins(15);
const INTERVAL: SignedDuration = SignedDuration::from_secs(5);
/// Clients count their five seconds from when they asked; networks make that shorter here.
const POLL_SLACK: SignedDuration = SignedDuration::from_secs(2);
/// Records read at once.
const PAGE: usize = 500;

#[cfg(test)]
mod tests;
