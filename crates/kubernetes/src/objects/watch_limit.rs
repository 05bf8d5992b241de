//! How many watches are open, in all and by user: one count for the whole process, whichever thread serves them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::id::ClusterId;

use super::ObjectError;

#[derive(Debug, Default)]
pub(crate) struct WatchLimit {
    open: Mutex<Open>,
}

/// A user name means somebody in its cluster alone.
type User = (ClusterId, Arc<str>);

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_user: HashMap<User, usize>,
}

/// One watch's place; given back when dropped.
#[derive(Debug)]
pub(super) struct WatchPlace {
    room: Arc<WatchLimit>,
    user: User,
}

impl WatchLimit {
    pub(super) fn take(self: &Arc<Self>, cluster: ClusterId, user: &str) -> Result<WatchPlace, ObjectError> {
        let user = (cluster, Arc::from(user));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let here = open.by_user.get(&user).copied().unwrap_or(0);
        if here >= MOST_BY_USER || open.all >= MOST_IN_ALL {
            return Err(ObjectError::TooManyWatches);
        }
        open.all += 1;
        open.by_user.insert(user.clone(), here + 1);
        Ok(WatchPlace { room: self.clone(), user })
    }
}

impl Drop for WatchPlace {
    fn drop(&mut self) {
        let mut open = self.room.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        if let Some(count) = open.by_user.get_mut(&self.user) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.by_user.remove(&self.user);
            }
        }
    }
}

const MOST_IN_ALL: usize = 10_000;
const MOST_BY_USER: usize = 1_000;
