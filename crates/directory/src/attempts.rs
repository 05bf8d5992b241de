//! Counting failed attempts, by account, by address and by code, in stored records: they outlast a restart
//! and hold on every replica.

use std::net::IpAddr;

use domain::id::ObjectId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Directory;
use state::{Cold, Error, Swap};

/// What attempts are counted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A person by object id, or a folded user principal name that nobody has, wherever it is tried from, but for where it has been signed in.
    Account(String),
    /// The same, tried from one address. Its limit is the lower one: who tries passwords shuts themselves
    /// out, and seldom the person whose account it is.
    AccountFrom(String, IpAddr),
    /// The same, tried with one browser that the account was signed in with before, by the digest of its cookie.
    AccountBy(String, String),
    /// An IPv4 address, or the first half of an IPv6 address, which one attacker has to themselves.
    Address(IpAddr),
    /// User codes tried by one signed-in person.
    UserCode(String),
    /// Secrets tried for one application.
    Application(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attempts {
    count: u32,
    /// The count begins anew after this.
    pub until: Timestamp,
}

/// Why an attempt is not to be made.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    #[error("too many failed attempts: try again later")]
    TooMany,
    #[error(transparent)]
    App(#[from] Error),
}

impl Cold for Attempts {
    const KIND: &'static str = "attempts";

    fn expires(&self) -> Option<Timestamp> {
        Some(self.until)
    }
}

impl Directory {
    /// Counts an attempt for each, or refuses it for one and counts it for none: what is refused writes nothing.
    pub async fn count_attempts(&self, subjects: &[Subject]) -> Result<(), AttemptError> {
        self.check_attempts(subjects).await?;
        for subject in subjects {
            self.count_attempt(subject).await?;
        }
        Ok(())
    }

    /// Refuses who has no attempts left, and counts nothing.
    pub async fn check_attempts(&self, subjects: &[Subject]) -> Result<(), AttemptError> {
        let now = self.state.now();
        for subject in subjects {
            let known = self.state.find_cold::<Attempts>(&subject.key()).await?;
            if known.is_some_and(|known| known.counts(now) >= subject.most()) {
                return Err(AttemptError::TooMany);
            }
        }
        Ok(())
    }

    /// Forgets the failures of one account, wherever they came from.
    pub async fn forgive_account(&self, account: &str) -> Result<(), Error> {
        let mut ids = vec![Subject::Account(account.to_owned()).key()];
        for prefix in [format!("account-from/{account}/"), format!("account-by/{account}/")] {
            let mut after = None;
            while let found @ [.., last] =
                &*self.state.list_cold_under::<Attempts>(&prefix, after.as_deref(), PAGE).await?
            {
                ids.extend_from_slice(found);
                after = Some(last.clone());
            }
        }
        for id in &ids {
            self.state
                .swap(id, |known: Option<Attempts>| Ok((known.map_or(Swap::Keep, |_| Swap::Delete), ())))
                .await?;
        }
        Ok(())
    }

    /// Counts an attempt, or refuses it if there were too many lately.
    pub async fn count_attempt(&self, subject: &Subject) -> Result<(), AttemptError> {
        let now = self.state.now();
        let most = subject.most();
        let allowed = self
            .state
            .swap(&subject.key(), |known: Option<Attempts>| {
                let count = known.map_or(0, |known| known.counts(now));
                if count >= most {
                    return Ok((Swap::Keep, false));
                }
                let until = now.checked_add(WINDOW).map_err(Error::internal)?;
                Ok((Swap::Put(Attempts { count: count + 1, until }), true))
            })
            .await?;
        if allowed { Ok(()) } else { Err(AttemptError::TooMany) }
    }

    /// After a success: attempts on the account are forgiven. The others lose one only, so that an attacker
    /// cannot wash them off with an account or a code of their own.
    pub async fn forgive_attempts(&self, subject: &Subject) -> Result<(), Error> {
        self.state
            .swap(&subject.key(), |known: Option<Attempts>| {
                let whole = matches!(
                    subject,
                    Subject::Account(_) | Subject::AccountFrom(..) | Subject::AccountBy(..)
                );
                let swap = match known {
                    Some(known) if !whole && known.count > 1 => {
                        Swap::Put(Attempts { count: known.count - 1, ..known })
                    }
                    Some(_) => Swap::Delete,
                    None => Swap::Keep,
                };
                Ok((swap, ()))
            })
            .await
    }
}

impl Attempts {
    /// How many there were within the window. One that ends later than a window from now is of before the clock was set
    /// back.
    fn counts(&self, now: Timestamp) -> u32 {
        let left = self.until.duration_since(now);
        if left > SignedDuration::ZERO && left <= WINDOW { self.count } else { 0 }
    }
}

impl Subject {
    fn key(&self) -> String {
        match self {
            Self::Account(account) => format!("account/{account}"),
            Self::AccountFrom(account, address) => format!("account-from/{account}/{address}"),
            Self::AccountBy(account, browser) => format!("account-by/{account}/{browser}"),
            Self::Address(address) => format!("address/{address}"),
            Self::UserCode(person) => format!("user-code/{person}"),
            Self::Application(app_id) => format!("application/{app_id}"),
        }
    }

    /// How many within the window.
    fn most(&self) -> u32 {
        match self {
            Self::AccountFrom(..) | Self::AccountBy(..) | Self::UserCode(_) => 10,
            Self::Account(_) | Self::Application(_) => 100,
            // Many people may share one address.
            Self::Address(_) => 300,
        }
    }
}

/// What attempts and known sources of a person are kept under. Whoever has the name of a person who is gone has neither.
pub fn account_of(user: ObjectId) -> String {
    user.to_string()
}

/// Of an IPv6 address its /64, of others the whole.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        address => address,
    }
}

const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// Records looked for at once.
const PAGE: usize = 100;
