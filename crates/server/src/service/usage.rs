//! Writing last-used times down, every so often.

use super::Services;
use rescind_core::{Timestamp, TokenId};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Between two flushes. A list shows a use within this and a commit's time, well under five seconds,
/// unless there are so many that to write them takes more than its part of the time.
const FLUSH_EVERY: Duration = Duration::from_secs(2);
/// Rows in one transaction; more are written in several, so that no revocation, and on a busy core
/// no verification, waits long behind them.
const BATCH: usize = 500;
/// How many times as long as a batch took is waited after it: a tenth of the time at most. A hundred
/// thousand tokens that are all in use would otherwise be written without end, and a revocation
/// wait behind them.
const REST: u32 = 9;

impl Services {
    /// Runs until `stop` turns true, and once more then.
    pub async fn flush_uses(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut stopped = false;
        while !stopped {
            stopped = has_stopped(&mut stop, FLUSH_EVERY).await;
            for batch in self.guard.take_uses().chunks(BATCH) {
                let began = Instant::now();
                if !self.write_uses(batch).await {
                    break;
                }
                // At the end what was taken is written too, but no longer in peace.
                let rest = (began.elapsed() * REST).min(FLUSH_EVERY);
                let _ = has_stopped(&mut stop, rest).await;
            }
        }
    }

    pub async fn flush_uses_now(&self) {
        for batch in self.guard.take_uses().chunks(BATCH) {
            self.write_uses(batch).await;
        }
    }

    /// Whether they are written. Lost uses are re-marked by the next use; nothing else depends on
    /// them.
    async fn write_uses(&self, batch: &[(TokenId, Timestamp)]) -> bool {
        let written = self.store.record_use(batch.to_vec()).await;
        if let Err(error) = &written {
            tracing::warn!(%error, "last-used times were not written");
        }
        written.is_ok()
    }
}

/// Whether it has turned true within this time.
async fn has_stopped(stop: &mut watch::Receiver<bool>, within: Duration) -> bool {
    tokio::time::timeout(within, stop.wait_for(|stopped| *stopped)).await.is_ok()
}
