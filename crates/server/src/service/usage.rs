//! Writing last-used times down, every so often.

use super::Services;
use rescind_core::{Timestamp, TokenId};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Between two flushes. A list shows a use within this and a commit's time, well under five seconds,
/// unless there are so many that to write them takes more than its part of the time.
const FLUSH_EVERY: Duration = Duration::from_secs(2);
/// Rows in one transaction; more are written in several, so that no revocation, and on a busy core
/// no verification, waits long behind them.
const BATCH: usize = 500;
/// How many times as long as a batch took is waited after it: a tenth of the time at most. A hundred
/// thousand tokens that are all in use would otherwise be written without end, at the expense of
/// their verification.
const REST: u32 = 9;

impl Services {
    /// Runs until `stop` turns true, and once more then.
    pub async fn flush_uses(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut stopped = false;
        while !stopped {
            stopped = has_stopped(&mut stop, FLUSH_EVERY).await;
            for batch in self.guard.take_uses().chunks(BATCH) {
                let took = self.write_uses(batch).await;
                // What was taken is written, but no longer in peace.
                let _ = has_stopped(&mut stop, took * REST).await;
            }
        }
    }

    pub async fn flush_uses_now(&self) {
        for batch in self.guard.take_uses().chunks(BATCH) {
            self.write_uses(batch).await;
        }
    }

    /// How long it took.
    async fn write_uses(&self, batch: &[(TokenId, Timestamp)]) -> Duration {
        let began = Instant::now();
        // Lost uses are re-marked by the next use; nothing else depends on them.
        if let Err(error) = self.store.record_use(batch.to_vec()).await {
            tracing::warn!(%error, "last-used times were not written");
        }
        began.elapsed()
    }
}

/// Whether it has turned true within this time.
async fn has_stopped(stop: &mut watch::Receiver<bool>, within: Duration) -> bool {
    tokio::time::timeout(within, stop.wait_for(|stopped| *stopped)).await.is_ok()
}
