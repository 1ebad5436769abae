//! Writing last-used times down, every so often, and once more at the end. They are marked in
//! memory by the verifications, which write nothing.

use super::Open;
use rescind_store::WriteStore;
use std::sync::Weak;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Between two flushes. An overlap that starts with a token's first use starts within this.
const FLUSH_EVERY: Duration = Duration::from_secs(2);
/// Rows in one transaction; more are written in several, so that no revocation waits long behind
/// them.
const BATCH: usize = 2_000;

/// The task that flushes. It ends with what it flushes for: it holds nothing open.
#[derive(Debug)]
pub(super) struct Flusher {
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Flusher {
    pub(super) fn spawn(open: Weak<Open>) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self { task: tokio::spawn(flush(open, stopped)), stop }
    }

    /// Returns when no flush is under way.
    pub(super) async fn stop(self) {
        drop(self.stop);
        // It has nothing to say, even if it panicked.
        let _ = self.task.await;
    }
}

async fn flush(open: Weak<Open>, mut stopped: oneshot::Receiver<()>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(FLUSH_EVERY) => {}
            _ = &mut stopped => return,
        }
        let Some(open) = open.upgrade() else { return };
        open.flush_uses().await;
    }
}

impl Open {
    pub(super) async fn flush_uses(&self) {
        for batch in self.guard.take_uses().chunks(BATCH) {
            // Lost uses are marked again by the next use; nothing else depends on them.
            if let Err(error) = self.store.record_use(batch.to_vec()).await {
                tracing::warn!(%error, "last-used times were not written");
            }
        }
    }
}
