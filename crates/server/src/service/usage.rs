//! Writing last-used times down, every so often.

use super::Services;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Between two flushes. A list shows a use within this and a commit's time: well under five
/// seconds.
const FLUSH_EVERY: Duration = Duration::from_secs(2);
/// Rows in one transaction; more are written in several, so that no revocation waits long behind
/// them.
const BATCH: usize = 2_000;

impl Services {
    /// Runs until `stop` turns true, and once more then.
    pub async fn flush_uses(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        loop {
            let stopped = tokio::select! {
                () = tokio::time::sleep(FLUSH_EVERY) => false,
                _ = stop.wait_for(|stopped| *stopped) => true,
            };
            self.flush_uses_now().await;
            if stopped {
                return;
            }
        }
    }

    pub async fn flush_uses_now(&self) {
        for batch in self.guard.take_uses().chunks(BATCH) {
            // Lost uses are re-marked by the next use; nothing else depends on them.
            if let Err(error) = self.store.record_use(batch.to_vec()).await {
                tracing::warn!(%error, "last-used times were not written");
            }
        }
    }
}
