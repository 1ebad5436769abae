//! The one way to the follower, and the one switch that ends it.
//!
//! A follower is called by one thread at a time: the lock holds whoever publishes apart from whoever
//! first sees that the store has failed. After the failure nothing is published any more, so that a
//! batch that was being committed meanwhile is not answered as done.

use crate::{
    Follower,
    outage::{Cause, chain},
};
use parking_lot::Mutex;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use tokio::sync::watch;

/// `S` is what an engine has to know of the follower while it tells it something.
pub(crate) struct Publisher<S> {
    followed: Mutex<(Arc<dyn Follower>, S)>,
    failure: watch::Sender<Option<Cause>>,
}

impl<S> Publisher<S> {
    pub(crate) fn new(follower: Arc<dyn Follower>, state: S) -> Self {
        Self { followed: Mutex::new((follower, state)), failure: watch::Sender::new(None) }
    }

    /// Tells the follower something, alone. If it panics, the index is no longer what the database
    /// says: the store has failed.
    pub(crate) fn tell<T>(
        &self,
        tell: impl FnOnce(&dyn Follower, &mut S) -> T,
    ) -> Result<T, Cause> {
        let mut followed = self.followed.lock();
        if let Some(cause) = self.failure() {
            return Err(cause);
        }
        let (follower, state) = &mut *followed;
        let told = catch_unwind(AssertUnwindSafe(|| tell(follower.as_ref(), state)));
        drop(followed);
        told.map_err(|_| self.fail(Cause::text("the index panicked while it applied a commit")))
    }

    /// Seals the follower and wakes whoever waits for the failure. The first cause is kept.
    pub(crate) fn fail(&self, cause: Cause) -> Cause {
        let followed = self.followed.lock();
        if let Some(first) = self.failure() {
            return first;
        }
        tracing::error!(error = %chain(&cause), "the store has failed; this process must end");
        if catch_unwind(AssertUnwindSafe(|| followed.0.seal())).is_err() {
            // An index that cannot even be closed may say "valid" for ever.
            std::process::abort();
        }
        self.failure.send_replace(Some(cause.clone()));
        cause
    }

    pub(crate) fn failure(&self) -> Option<Cause> {
        self.failure.borrow().clone()
    }

    /// Returns once the store has failed, and not before.
    pub(crate) async fn failed(&self) -> Cause {
        let mut watched = self.failure.subscribe();
        loop {
            if let Some(cause) = watched.borrow_and_update().clone() {
                return cause;
            }
            if watched.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
