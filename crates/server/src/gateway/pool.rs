//! Connections to the upstream that nobody uses at the moment.
//!
//! The newest is taken first, so that a burst's connections are given up one after the other once
//! it is over. hyper's own pool does the same for many hosts and for HTTP/2, through a task of its
//! own for each connection; this is what is left of it for one.

use super::link::Link;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Common servers close idle connections after five seconds (Node.js, uvicorn). Closing ours first
/// avoids the race in which a request meets a closing connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// Idle connections kept; a burst may open more.
const IDLE_CONNECTIONS_MAX: usize = 256;

#[derive(Default)]
pub(super) struct Pool(Mutex<Idle>);

#[derive(Default)]
struct Idle {
    /// The longest unused first.
    links: Vec<(Instant, Box<Link>)>,
    /// Whether somebody closes them in time.
    is_swept: bool,
}

impl Pool {
    /// One that can take a request, as far as is known by now.
    pub(super) fn take(&self) -> Option<Box<Link>> {
        let now = Instant::now();
        loop {
            let (since, mut link) = self.idle().links.pop()?;
            if now.duration_since(since) < IDLE_TIMEOUT && link.is_idle() {
                return Some(link);
            }
        }
    }

    pub(super) fn put(self: Arc<Self>, link: Box<Link>) {
        if link.has_ended() {
            return;
        }
        let mut idle = self.idle();
        if idle.links.len() < IDLE_CONNECTIONS_MAX {
            idle.links.push((Instant::now(), link));
        }
        if !std::mem::replace(&mut idle.is_swept, true) {
            tokio::spawn(sweep(Arc::downgrade(&self)));
        }
    }

    /// Closes what has been unused for too long, and says when to look again.
    fn sweep(&self) -> Option<Instant> {
        let mut idle = self.idle();
        let now = Instant::now();
        let fresh = idle.links.partition_point(|(since, _)| now >= *since + IDLE_TIMEOUT);
        let old: Vec<_> = idle.links.drain(..fresh).collect();
        let next = idle.links.first().map(|(since, _)| *since + IDLE_TIMEOUT);
        idle.is_swept = next.is_some();
        drop(idle);
        drop(old);
        next
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends when there is nothing left to close.
async fn sweep(pool: Weak<Pool>) {
    let mut next = Instant::now() + IDLE_TIMEOUT;
    loop {
        sleep_until(next).await;
        match pool.upgrade().and_then(|pool| pool.sweep()) {
            Some(later) => next = later,
            None => return,
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("idle", &self.idle().links.len()).finish()
    }
}
