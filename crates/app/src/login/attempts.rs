//! Counting failed attempts, by account, by address and by code, in stored records: they outlast a restart
//! and hold on every replica.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::LoginError;
use crate::{App, Cold, Error, Swap};

/// What attempts are counted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A folded user principal name, known or not, wherever it is tried from.
    Account(String),
    /// The same, tried from one address. Its limit is the lower one: who tries passwords shuts themselves
    /// out, and seldom the person whose account it is.
    AccountFrom(String, IpAddr),
    /// An IPv4 address, or the first half of an IPv6 address, which one attacker has to themselves.
    Address(IpAddr),
    /// User codes tried by one signed-in person.
    UserCode(String),
    /// Secrets tried for one application.
    Application(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Attempts {
    count: u32,
    /// The count begins anew after this.
    pub(crate) until: Timestamp,
}

impl Cold for Attempts {
    const KIND: &'static str = "attempts";
}

impl App {
    /// Counts an attempt, or refuses it if there were too many lately.
    pub(crate) async fn count_attempt(&self, subject: &Subject) -> Result<(), LoginError> {
        let now = self.now();
        let most = subject.most();
        let allowed = self
            .swap(&subject.key(), |known: Option<Attempts>| {
                let count = known.filter(|known| now < known.until).map_or(0, |known| known.count);
                if count >= most {
                    return Ok((Swap::Keep, false));
                }
                let until = now.checked_add(WINDOW).map_err(Error::internal)?;
                Ok((Swap::Put(Attempts { count: count + 1, until }), true))
            })
            .await?;
        if allowed { Ok(()) } else { Err(LoginError::Throttled) }
    }

    /// After a success: attempts on the account are forgiven. The others lose one only, so that an attacker
    /// cannot wash them off with an account or a code of their own.
    pub(crate) async fn forgive_attempts(&self, subject: &Subject) -> Result<(), Error> {
        self.swap(&subject.key(), |known: Option<Attempts>| {
            let whole = matches!(subject, Subject::Account(_) | Subject::AccountFrom(..));
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

impl Subject {
    /// What a sign-in counts for.
    pub(crate) fn of_sign_in(account: String, address: Option<IpAddr>) -> Vec<Self> {
        let address = address.map(network);
        let from = address.map(|address| Self::AccountFrom(account.clone(), address));
        [from, Some(Self::Account(account)), address.map(Self::Address)].into_iter().flatten().collect()
    }

    fn key(&self) -> String {
        match self {
            Self::Account(account) => format!("account/{account}"),
            Self::AccountFrom(account, address) => format!("account-from/{account}/{address}"),
            Self::Address(address) => format!("address/{address}"),
            Self::UserCode(person) => format!("user-code/{person}"),
            Self::Application(app_id) => format!("application/{app_id}"),
        }
    }

    /// How many within the window.
    fn most(&self) -> u32 {
        match self {
            Self::AccountFrom(..) | Self::UserCode(_) => 10,
            Self::Account(_) | Self::Application(_) => 100,
            // Many people may share one address.
            Self::Address(_) => 300,
        }
    }
}

/// Of an IPv6 address its /64, of others the whole.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        address => address,
    }
}

const WINDOW: SignedDuration = SignedDuration::from_mins(10);
