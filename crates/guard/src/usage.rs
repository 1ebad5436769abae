//! When each token was last used: kept in memory, handed out in batches.
//!
//! A token's place in the index says in which second it was used last; a use in another second is
//! queued. So a busy token's place stays in every core's cache, and what waits for a flush has an
//! end. If the queue is full the time is not lost, only late: the next use is queued.

use crate::index::Entry;
use crossbeam_queue::ArrayQueue;
use rescind_core::{Timestamp, TokenId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

/// Uses that can await a flush: 3 MiB.
const QUEUE_USES: usize = 64 * 1024;

/// Last-used times are this coarse.
const RESOLUTION_MILLIS: i64 = 1_000;

/// One of the Unix epoch's seconds, which last until 2106; 0 is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Second(u32);

#[derive(Debug, Default)]
pub(crate) struct AtomicSecond(AtomicU32);

#[derive(Debug)]
pub(crate) struct Usage {
    queue: ArrayQueue<(Entry, Timestamp)>,
}

impl Second {
    pub(crate) fn of(time: Timestamp) -> Self {
        Self((time.as_millis() / RESOLUTION_MILLIS).try_into().unwrap_or(0))
    }
}

impl AtomicSecond {
    pub(crate) fn get(&self) -> Second {
        Second(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, Second(second): Second) {
        self.0.store(second, Ordering::Relaxed);
    }
}

impl Default for Usage {
    fn default() -> Self {
        Self { queue: ArrayQueue::new(QUEUE_USES) }
    }
}

impl Usage {
    /// Whether there was room for it.
    pub(crate) fn queue(&self, entry: &Entry, now: Timestamp) -> bool {
        // Without a copy that nobody takes.
        !self.queue.is_full() && self.queue.push((entry.clone(), now)).is_ok()
    }

    /// The latest of each token.
    pub(crate) fn take(&self) -> Vec<(TokenId, Timestamp)> {
        let waiting = self.queue.len();
        let mut uses = HashMap::with_capacity(waiting);
        // Bounded by what was there at the start: uses that arrive meanwhile are the next batch's.
        for _ in 0..waiting {
            let Some((entry, at)) = self.queue.pop() else { break };
            let last = uses.entry(entry.id()).or_insert(at);
            *last = at.max(*last);
        }
        uses.into_iter().collect()
    }
}
