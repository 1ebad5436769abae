//! What the lease's machine asks of the database. Every request is answered by an event, also one
//! that fails; whoever gives one up takes its connection with it.

use super::lease::Lease;
use super::{Here, place, stored};
use rescind_coherence::node::{Event, Link, Timeline};
use rescind_coherence::{Member, Position};
use rescind_store::{Epoch, Loaded, LogPage, SharedStore};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How often a load says that it goes on: well within the silence that it is allowed.
const LOADING_EVERY: Duration = Duration::from_secs(5);

/// How long an acknowledgement that all have heard may be missing from the row. It is written for
/// whoever was not listening after all; a storm of them need not be.
const WRITTEN_WITHIN: Duration = Duration::from_millis(200);

/// Whether the member row is there already.
#[derive(Clone, Copy)]
pub(super) enum Row {
    New,
    Known,
}

impl Lease {
    pub(super) fn load(&mut self, link: Link, keep_revoked: bool) {
        if keep_revoked {
            // What was revoked after the moment that the database went back to is known to nobody
            // but this process. It must not become valid by what is loaded now.
            tracing::error!(
                node = &*self.here.name,
                "the database has gone back in time: this node stays sealed. See \"The database went \
                 back\" in docs/nodes.md"
            );
            return;
        }
        let (store, events) = (Arc::clone(&self.here.store), self.events.clone());
        self.request(link, async move {
            let mut load = pin!(store.load());
            // The store bounds the whole; the machine only wants to hear that it goes on.
            let Loaded { at, timeline } = loop {
                match timeout(LOADING_EVERY, &mut load).await {
                    Ok(loaded) => break loaded?,
                    Err(_) => drop(events.send(Event::Loading { link }).await),
                }
            };
            Ok(Event::Loaded { link, at: place(at), timeline: Timeline(timeline.into()) })
        });
    }

    pub(super) fn write_row(
        &mut self,
        link: Link,
        member: Member,
        lease_ms: u64,
        applied: Position,
        row: Row,
    ) {
        let (store, node) = (Arc::clone(&self.here.store), self.here.name.to_string());
        let (incarnation, contact) = (incarnation(member), self.here.peers.contact());
        let applied = stored(applied);
        self.request(link, async move {
            Ok(match row {
                Row::New => {
                    let renewals = 0;
                    let row = rescind_store::Member {
                        node,
                        incarnation,
                        lease_ms,
                        applied: applied.epoch,
                        renewals,
                        contact,
                    };
                    store.register(&row, applied.mark).await?;
                    Event::Registered { link }
                }
                Row::Known => {
                    let found = store.renew(&node, incarnation, applied, lease_ms).await?;
                    Event::Renewed { link, found }
                }
            })
        });
    }

    pub(super) fn read_log(&mut self, link: Link, after: Position) {
        let store = Arc::clone(&self.here.store);
        self.request(link, async move {
            let page = store.read_log(stored(after)).await?;
            let (at, holds, in_recovery) = (place(page.head), page.holds, page.in_recovery);
            let timeline = Timeline(page.timeline.into());
            Ok(Event::Log { link, at, holds, in_recovery, timeline, changes: page })
        });
    }

    pub(super) fn unregister(&mut self, link: Link, member: Member) {
        let (store, name) = (Arc::clone(&self.here.store), Arc::clone(&self.here.name));
        self.request(link, async move {
            store.leave(&name, incarnation(member)).await?;
            Ok(Event::Unregistered { link })
        });
    }

    /// Nobody waits for it: a row that stays is watched until it is dead.
    pub(super) fn forget(&self, member: Member) {
        let (store, name) = (Arc::clone(&self.here.store), Arc::clone(&self.here.name));
        tokio::spawn(async move {
            if let Err(error) = store.leave(&name, incarnation(member)).await {
                tracing::debug!(%error, "the row of an earlier incarnation stays");
            }
        });
    }

    /// Answered by an event in any case: one that fails says so.
    fn request(
        &mut self,
        link: Link,
        asked: impl Future<Output = Result<Event<LogPage>, Unanswered>> + Send + 'static,
    ) {
        let (events, name) = (self.events.clone(), Arc::clone(&self.here.name));
        let trouble = self.trouble.clone();
        let request = tokio::spawn(async move {
            let answer = asked.await.unwrap_or_else(|Unanswered(why)| {
                tracing::warn!(node = &*name, why, "the database did not answer this node");
                trouble.send_replace(Some(why));
                Event::Failed { link }
            });
            let _ = events.send(answer).await;
        });
        self.request = Some(request.abort_handle());
    }

    /// The socket goes with the request that is under way on it.
    pub(super) fn disconnect(&mut self) {
        if let Some(request) = self.request.take() {
            request.abort();
        }
    }
}

/// Says in the row and by notification what was applied, one thing at a time: at once if anybody
/// hears it no other way.
pub(super) async fn write_acknowledgements(here: Here) {
    let mut acknowledged = here.peers.acknowledged();
    let mut written = None;
    while acknowledged.changed().await.is_ok() {
        if here.peers.all_hear() {
            sleep(WRITTEN_WITHIN).await;
        }
        let told = *acknowledged.borrow_and_update();
        let Some((member, at)) = told.filter(|_| told != written) else { continue };
        match here.store.acknowledge(&here.name, incarnation(member), stored(at)).await {
            Ok(_) => written = told,
            Err(error) => tracing::debug!(%error, at.epoch, "an acknowledgement was not written"),
        }
    }
}

/// Rings by notification, one thing at a time.
pub(super) async fn ring(store: Arc<dyn SharedStore>, mut epochs: watch::Receiver<Epoch>) {
    while epochs.changed().await.is_ok() {
        let epoch = *epochs.borrow_and_update();
        if let Err(error) = store.ring(epoch).await {
            tracing::debug!(%error, epoch, "nobody was notified");
        }
    }
}

/// A request that was not answered, and why, for the log.
struct Unanswered(String);

impl<E: std::error::Error> From<E> for Unanswered {
    fn from(error: E) -> Self {
        Self(why(&error))
    }
}

/// With everything behind it.
pub(super) fn why(error: &dyn std::error::Error) -> String {
    let mut why = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        why.push_str(": ");
        why.push_str(&next.to_string());
        cause = next.source();
    }
    why
}

/// As the rows have it.
fn incarnation(member: Member) -> u64 {
    member.incarnation.0 as u64
}
