//! Waiting until memory has applied an epoch, for whoever must not be answered from an older one.
//!
//! Nothing is asked of the database: the epoch comes by itself, with the doorbell or the next
//! renewal, or it does not come. Whoever asks may name any number, so that the wait is bounded, and
//! how many wait at once. It is a look at one number every few milliseconds, by those who wait:
//! waking them would cost every change something, and every verification, though almost nobody
//! waits.

use rescind_guard::{Guard, Refusal};
use rescind_store::Epoch;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// How long a question waits for an epoch: much longer than a change takes when all is well.
pub const EPOCH_PATIENCE: Duration = Duration::from_secs(1);
/// Questions that wait at once; one more is answered 503 without waiting.
pub const EPOCH_WAITS_MAX: usize = 64;
/// How soon one that waits sees that it is over.
const LOOK_EVERY: Duration = Duration::from_millis(5);

pub(crate) struct AtLeast(Semaphore);

impl Default for AtLeast {
    fn default() -> Self {
        Self(Semaphore::new(EPOCH_WAITS_MAX))
    }
}

impl AtLeast {
    /// `Ok` once everything up to `epoch` is applied. Otherwise neither yes nor no.
    pub(crate) async fn reached(&self, guard: &Guard, epoch: Epoch) -> Result<(), Refusal> {
        let is_there = || guard.applied_epoch() >= epoch;
        if is_there() {
            return Ok(());
        }
        let _place = self.0.try_acquire().map_err(|_| Refusal::Sealed)?;
        let looking = async {
            while !is_there() {
                sleep(LOOK_EVERY).await;
            }
        };
        timeout(EPOCH_PATIENCE, looking).await.map_err(|_| Refusal::Sealed)
    }
}
