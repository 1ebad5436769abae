//! What this node's follower has been told, and up to which epoch.
//!
//! The naive way is to tell it of each commit as it comes. With several nodes the commits of others
//! lie in between, rows are read while they change, and a token that is put in late comes back from
//! the dead. So one lock holds the follower together with `applied`, where it stands, and
//! everything is decided under it:
//!
//! - The changes of an own batch are told as they are, if they follow directly on `applied`.
//! - Otherwise the log is read, in one snapshot: what has changed after `applied`, as it is now.
//!   Afterwards the follower stands exactly where the snapshot does.
//! - Something new (or fetched) is put in only if `applied` is not past the epoch at which it was
//!   read. If it is, the revocation that was told meanwhile was about something that was not there,
//!   and putting it in now would bring it back. Whoever asks for it next reads it again.
//!
//! Nothing loaded (`None`): the follower is empty, so there is nothing that it could say wrongly.

use super::{
    ablation::{FETCHED_IS_NOT_OLDER, PUSH_FOLLOWS, keeps},
    books::Books,
};
use crate::{Change, Epoch, Follower, LogPage, Position, outage::Cause, publisher::Publisher};
use std::sync::Arc;

pub(super) struct Memory(Publisher<Option<Position>>);

/// Why something was not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unheard {
    /// Changes of others come before. The log must be read from here.
    Behind(Position),
    /// It was read before what has been told meanwhile. It must be read again.
    Stale,
    /// Nothing is loaded.
    Empty,
}

impl Memory {
    pub(super) fn new(follower: Arc<dyn Follower>) -> Self {
        Self(Publisher::new(follower, None))
    }

    pub(super) fn fail(&self, cause: Cause) {
        self.0.fail(cause);
    }

    pub(super) fn failure(&self) -> Option<Cause> {
        self.0.failure()
    }

    pub(super) async fn failed(&self) -> Cause {
        self.0.failed().await
    }

    pub(super) fn applied(&self) -> Result<Option<Position>, Cause> {
        self.0.tell(|_, applied| *applied)
    }

    /// Of a batch of this node, once it is durable. [`Unheard::Behind`] has told what is new, but
    /// not the changes.
    ///
    /// What others see of a batch, they see whole: `applied` lies at its start or before, or at its
    /// end or after, never within.
    pub(super) fn publish(&self, books: Books) -> Result<Result<(), Unheard>, Cause> {
        self.0.tell(|follower, applied| {
            let Some(now) = *applied else { return Ok(()) };
            let (follows, end) = (now == books.start, books.end());
            for told in books.told {
                let hears = if told.raised { follows } else { follows || now.epoch <= told.epoch };
                if hears {
                    follower.apply(told.change);
                }
            }
            if end == books.start || now.epoch >= end.epoch {
                return Ok(());
            }
            if !follows {
                return Err(Unheard::Behind(now));
            }
            follower.reached(end.epoch);
            *applied = Some(end);
            Ok(())
        })
    }

    /// Of what the log says has changed. A page that has been overtaken is not told.
    pub(super) fn apply(&self, page: LogPage) -> Result<Result<Position, Unheard>, Cause> {
        self.0.tell(|follower, applied| {
            let Some(now) = *applied else { return Err(Unheard::Empty) };
            if page.head.epoch <= now.epoch {
                return Ok(now);
            }
            if page.after.epoch > now.epoch && keeps(PUSH_FOLLOWS) {
                return Err(Unheard::Behind(now));
            }
            page.changes.into_iter().for_each(|change| follower.apply(change));
            follower.reached(page.head.epoch);
            *applied = Some(page.head);
            Ok(page.head)
        })
    }

    /// Of what was read at an epoch, each change a whole value.
    pub(super) fn put(
        &self,
        changes: Vec<Change>,
        read_at: Epoch,
    ) -> Result<Result<(), Unheard>, Cause> {
        self.0.tell(|follower, applied| match *applied {
            None => Err(Unheard::Empty),
            Some(now) if now.epoch > read_at && keeps(FETCHED_IS_NOT_OLDER) => Err(Unheard::Stale),
            Some(_) => {
                changes.into_iter().for_each(|change| follower.apply(change));
                Ok(())
            }
        })
    }

    /// Forgets everything. Until [`Memory::loaded`] nobody else tells the follower anything.
    pub(super) fn clear(&self) -> Result<(), Cause> {
        self.0.tell(|follower, applied| {
            *applied = None;
            follower.clear();
        })
    }

    /// A part of the whole set.
    pub(super) fn load(&self, changes: impl Iterator<Item = Change>) -> Result<(), Cause> {
        self.0.tell(|follower, _| changes.for_each(|change| follower.apply(change)))
    }

    /// The whole set was told as it was there.
    pub(super) fn loaded(&self, at: Position) -> Result<(), Cause> {
        self.0.tell(|follower, applied| {
            follower.reached(at.epoch);
            *applied = Some(at);
        })
    }
}
