//! What was promised, held against what was seen.

use std::collections::{BTreeMap, BTreeSet};

use super::Token;

#[derive(Debug, Default)]
pub struct Judge {
    answered: BTreeMap<Token, u64>,
    requested: BTreeSet<Token>,
    /// The first time that each promise was broken.
    pub broken: BTreeMap<Promise, String>,
    pub seen: Seen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// P
    NoLateAccept,
    /// P′
    NoLateDecision,
    NoFalseRefusal,
    /// A revocation is answered in time.
    Answered,
    /// A node that is well is not sealed.
    Open,
}

impl Promise {
    pub const ALL: [Self; 5] = [
        Self::NoLateAccept,
        Self::NoLateDecision,
        Self::NoFalseRefusal,
        Self::Answered,
        Self::Open,
    ];
}

/// How much has happened: a run in which nothing does proves nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub accepted: u64,
    pub refused: u64,
    pub sealed: u64,
    pub answered: u64,
    pub acknowledged: u64,
    pub waited_out: u64,
    pub late: u64,
    pub failovers: u64,
    pub reaped: u64,
    pub alarms: u64,
    /// Commits that notified nobody, and second looks that did.
    pub unnotified: u64,
    pub rung_again: u64,
    pub events: u64,
}

impl std::ops::AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.sealed += other.sealed;
        self.answered += other.answered;
        self.acknowledged += other.acknowledged;
        self.waited_out += other.waited_out;
        self.late += other.late;
        self.failovers += other.failovers;
        self.reaped += other.reaped;
        self.alarms += other.alarms;
        self.unnotified += other.unnotified;
        self.rung_again += other.rung_again;
        self.events += other.events;
    }
}

impl Judge {
    pub fn requested(&mut self, token: Token) {
        self.requested.insert(token);
    }

    pub fn answered(&mut self, token: Token, now: u64) {
        self.seen.answered += 1;
        self.answered.entry(token).or_insert(now);
    }

    pub fn was_answered(&self, token: Token) -> bool {
        self.answered.contains_key(&token)
    }

    pub fn accepted(&mut self, token: Token, invoked_late: bool, what: &str) {
        self.seen.accepted += 1;
        if invoked_late {
            self.breaks(Promise::NoLateAccept, what);
        }
        if self.was_answered(token) {
            self.breaks(Promise::NoLateDecision, what);
        }
    }

    pub fn refused(&mut self, token: Token, invoked_late: bool, what: &str) {
        self.seen.refused += 1;
        self.seen.late += u64::from(invoked_late);
        if !self.requested.contains(&token) {
            self.breaks(Promise::NoFalseRefusal, what);
        }
    }

    pub fn breaks(&mut self, promise: Promise, what: &str) {
        self.broken.entry(promise).or_insert_with(|| what.to_owned());
    }
}
