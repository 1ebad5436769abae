//! When each token was last used: kept in memory, handed out in batches.
//!
//! A verification writes one word into the token's own entry, and at most once a second; a token
//! enters the queue once between two flushes. If the queue is full the time is not lost, only late:
//! the next use queues it again.

use crate::index::{Entry, NEVER};
use crossbeam_queue::ArrayQueue;
use rescind_core::{Timestamp, TokenId};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Tokens that can await a flush. Bounds the memory that is held for them to half a MiB.
const QUEUE_TOKENS: usize = 64 * 1024;

/// Last-used times are this coarse, so that a busy token's entry stays in every core's cache.
const RESOLUTION_MILLIS: i64 = 1_000;

#[derive(Debug)]
pub(crate) struct Usage {
    queue: ArrayQueue<Arc<Entry>>,
}

impl Default for Usage {
    fn default() -> Self {
        Self { queue: ArrayQueue::new(QUEUE_TOKENS) }
    }
}

impl Usage {
    pub(crate) fn mark(&self, entry: &Arc<Entry>, now: Timestamp) {
        let last = entry.last_used.load(Ordering::Relaxed);
        if last != NEVER && now.as_millis().saturating_sub(last) < RESOLUTION_MILLIS {
            return;
        }
        entry.last_used.store(now.as_millis(), Ordering::Relaxed);
        if !entry.use_is_queued.swap(true, Ordering::AcqRel)
            && self.queue.push(Arc::clone(entry)).is_err()
        {
            entry.use_is_queued.store(false, Ordering::Release);
        }
    }

    pub(crate) fn take(&self) -> Vec<(TokenId, Timestamp)> {
        let mut uses = Vec::with_capacity(self.queue.len());
        // Bounded by what was there at the start: uses that arrive meanwhile are the next batch's.
        for _ in 0..uses.capacity() {
            let Some(entry) = self.queue.pop() else { break };
            entry.use_is_queued.store(false, Ordering::Release);
            let at = entry.last_used.load(Ordering::Relaxed);
            uses.push((entry.id().clone(), Timestamp::from_millis(at)));
        }
        uses
    }
}
