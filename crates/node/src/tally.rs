//! How often tokens were asked about, and what came of it.
//!
//! This is counted on the hottest path there is. One number that every thread raises would travel
//! from core to core with each verification; so each thread raises one of its own, on a cache line
//! that hardly any other touches, and whoever wants to know adds them up.

use crate::elsewhere::Unfetched;
use rescind_guard::Refusal;
use rescind_store::Fetched;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// More threads than these share places, which costs time and no count.
const PLACES: usize = 32;

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static PLACE: usize = THREADS.fetch_add(1, Relaxed) % PLACES;
}

/// What became of all verifications since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verifications {
    pub accepted: u64,
    pub refused: u64,
    /// Neither yes nor no.
    pub unanswered: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Tally([Place; PLACES]);

/// Two cache lines: processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Place {
    accepted: AtomicU64,
    refused: AtomicU64,
    unanswered: AtomicU64,
}

impl Tally {
    pub(crate) fn count<T>(&self, answer: &Result<T, Refusal>) {
        let Some(place) = self.0.get(PLACE.with(|place| *place)) else { return };
        let counter = match answer {
            Ok(_) => &place.accepted,
            Err(Refusal::Denied(_)) => &place.refused,
            Err(Refusal::Sealed | Refusal::TooManyNew) => &place.unanswered,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn sum(&self) -> Verifications {
        self.0.iter().fold(Verifications::default(), |sum, place| Verifications {
            accepted: sum.accepted + place.accepted.load(Relaxed),
            refused: sum.refused + place.refused.load(Relaxed),
            unanswered: sum.unanswered + place.unanswered.load(Relaxed),
        })
    }
}

/// What became of tokens that memory did not know, and that were looked for elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fetches {
    pub known: u64,
    pub revoked: u64,
    pub unknown: u64,
    /// There were too many in a second.
    pub refused: u64,
    /// No answer, or none in time.
    pub failed: u64,
}

#[derive(Debug, Default)]
pub(crate) struct FetchTally {
    known: AtomicU64,
    revoked: AtomicU64,
    unknown: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

impl FetchTally {
    pub(crate) fn count(&self, fetched: &Result<Fetched, Unfetched>) {
        let counter = match fetched {
            Ok(Fetched::Known) => &self.known,
            Ok(Fetched::Revoked) => &self.revoked,
            Ok(Fetched::Unknown) => &self.unknown,
            Ok(Fetched::Unreadable) | Err(Unfetched::NoAnswer) => &self.failed,
            Err(Unfetched::TooMany) => &self.refused,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn sum(&self) -> Fetches {
        Fetches {
            known: self.known.load(Relaxed),
            revoked: self.revoked.load(Relaxed),
            unknown: self.unknown.load(Relaxed),
            refused: self.refused.load(Relaxed),
            failed: self.failed.load(Relaxed),
        }
    }
}
