//! The one way to the follower, and the one switch that ends it.
//!
//! A follower is called by one thread at a time: the lock holds the writer, which publishes, apart
//! from whoever first sees that the store has failed. After the failure nothing is published any
//! more, so that a batch that was being committed meanwhile is not answered as done.

use super::fault::Cause;
use crate::{Change, Epoch, Follower};
use parking_lot::Mutex;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use tokio::sync::watch;

pub(super) struct Publisher {
    follower: Mutex<Arc<dyn Follower>>,
    failure: watch::Sender<Option<Cause>>,
}

impl Publisher {
    pub(super) fn new(follower: Arc<dyn Follower>) -> Self {
        Self { follower: Mutex::new(follower), failure: watch::Sender::new(None) }
    }

    /// Tells the follower of what a durable commit has changed, in order. If the follower panics,
    /// the index is no longer what the database says: the store has failed.
    pub(super) fn publish(&self, changes: Vec<Change>, epoch: Option<Epoch>) -> Result<(), Cause> {
        let follower = self.follower.lock();
        if let Some(cause) = self.failure() {
            return Err(cause);
        }
        let told = catch_unwind(AssertUnwindSafe(|| {
            changes.into_iter().for_each(|change| follower.apply(change));
            epoch.into_iter().for_each(|epoch| follower.reached(epoch));
        }));
        drop(follower);
        told.map_err(|_| self.fail(Cause::text("the index panicked while it applied a commit")))
    }

    /// Seals the follower and wakes whoever waits for the failure. The first cause is kept.
    pub(super) fn fail(&self, cause: Cause) -> Cause {
        let follower = self.follower.lock();
        if let Some(first) = self.failure() {
            return first;
        }
        tracing::error!(error = %chain(&cause), "the store has failed; this process must end");
        if catch_unwind(AssertUnwindSafe(|| follower.seal())).is_err() {
            // An index that cannot even be closed may say "valid" for ever.
            std::process::abort();
        }
        self.failure.send_replace(Some(cause.clone()));
        cause
    }

    pub(super) fn failure(&self) -> Option<Cause> {
        self.failure.borrow().clone()
    }

    /// Returns once the store has failed, and not before.
    pub(super) async fn failed(&self) -> Cause {
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

/// An error with all its sources, on one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        line = format!("{line}: {source}");
        next = source.source();
    }
    line
}
