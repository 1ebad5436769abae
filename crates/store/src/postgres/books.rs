//! What the jobs of a batch leave behind, until it is written down at its end.
//!
//! The right to write is the lock on the row of `epoch`. Whoever holds it knows the epoch and the
//! head of the audit chain until it commits, so both are read once, counted on in memory, and what
//! they have become is written once. A job that is undone takes back what it has counted: see
//! [`Mark`].

use crate::{By, Change, Epoch, LogPage, Position};
use rescind_core::{Digest, Timestamp, audit};

/// Revocations that are handed on to other nodes at once: a full batch, and one of all that an owner
/// has, if that is not too many.
const PUSHED_MAX: usize = 512;

/// What the batch leaves behind, until it is written down.
pub(super) struct Books {
    /// At the beginning of the batch.
    pub(super) start: Position,
    pub(super) epoch: Epoch,
    pub(super) log: Vec<LogEntry>,
    pub(super) entries: Vec<(audit::Entry, Digest)>,
    pub(super) told: Vec<Told>,
    seq: u64,
    /// Of the audit chain.
    pub(super) head: Digest,
}

pub(super) struct LogEntry {
    pub(super) epoch: Epoch,
    pub(super) what: &'static str,
    pub(super) subject: String,
    pub(super) reason: String,
    pub(super) at: Timestamp,
}

/// A change for the follower, and the epoch at which it is so.
pub(super) struct Told {
    pub(super) epoch: Epoch,
    /// It is what raised the epoch to this. Otherwise it is about something new, or about what no
    /// verifier decides by.
    pub(super) raised: bool,
    pub(super) change: Change,
}

impl Told {
    fn is_no_revocation(&self) -> bool {
        !matches!(self.change, Change::Revoked { .. })
    }
}

/// Where the books stood.
pub(super) struct Mark {
    epoch: Epoch,
    seq: u64,
    head: Digest,
    lengths: [usize; 3],
}

impl Books {
    pub(super) fn new(start: Position, (seq, head): (u64, Digest)) -> Self {
        let (log, entries, told) = (Vec::new(), Vec::new(), Vec::new());
        Self { start, epoch: start.epoch, log, entries, told, seq, head }
    }

    /// Whether verifiers hold anything that the batch has changed.
    pub(super) fn is_raised(&self) -> bool {
        self.epoch > self.start.epoch
    }

    /// Where the batch leads to. The audit chain stands for all that was ever done, so its head marks
    /// the place.
    pub(super) fn end(&self) -> Position {
        if !self.is_raised() {
            return self.start;
        }
        Position { epoch: self.epoch, mark: Some(self.head) }
    }

    /// For whoever has applied everything up to the beginning of this batch. Other changes than
    /// revocations are rare, and larger: those are read in the log.
    pub(super) fn page(&self) -> LogPage {
        let raised = || self.told.iter().filter(|told| told.raised);
        let too_far = raised().count() > PUSHED_MAX || raised().any(Told::is_no_revocation);
        let changes = raised().filter(|_| !too_far).map(|told| told.change.clone()).collect();
        LogPage {
            after: self.start,
            head: self.end(),
            holds: true,
            in_recovery: false,
            timeline: 0,
            too_far,
            changes,
        }
    }

    pub(super) fn mark(&self) -> Mark {
        let lengths = [self.log.len(), self.entries.len(), self.told.len()];
        Mark { epoch: self.epoch, seq: self.seq, head: self.head, lengths }
    }

    /// As if nothing had come since.
    pub(super) fn back_to(&mut self, mark: Mark) {
        let [log, entries, told] = mark.lengths;
        (self.epoch, self.seq, self.head) = (mark.epoch, mark.seq, mark.head);
        self.log.truncate(log);
        self.entries.truncate(entries);
        self.told.truncate(told);
    }

    /// The next entry of the audit chain.
    pub(super) fn note(
        &mut self,
        by: &By,
        action: &str,
        subject: &str,
        detail: &serde_json::Value,
    ) {
        self.seq += 1;
        let entry = audit::Entry {
            seq: self.seq,
            at: by.at,
            actor: by.actor.clone(),
            action: action.into(),
            subject: subject.into(),
            detail: detail.to_string(),
        };
        self.head = audit::link(&self.head, &entry);
        self.entries.push((entry, self.head));
    }
}
