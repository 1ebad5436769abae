//! How a node verifies that holds no lease, because its clock is not to be trusted.
//!
//! # The order that everything hangs on
//!
//! ```text
//! invoked ──► a round begins: write on the primary ──► read the log ──► apply ──► decide
//! ```
//!
//! A lease is measured with a clock. A hypervisor that freezes a guest freezes its clock with it, and
//! the guest goes on under a lease that others have waited out: nothing inside can tell. So here
//! nothing is measured. A verification is decided only after a *round* that began after it was
//! invoked: the ReadIndex of Raft (Ongaro 2014, §6.4), with PostgreSQL in the place of the leader. A
//! revocation that was answered before has committed before, so the round reads it. How long
//! anything takes, and whether the guest was frozen in the middle of it, does not matter.
//!
//! The naive way reads the log and decides all that wait. The reading may have begun before one of
//! them was invoked, and between the two a revocation was answered. So whoever comes during a round
//! waits for the next one ([`Rule::RoundAfterAsking`]); any number of them share it.
//!
//! The write comes first because only a server that can still commit is the one that others write to:
//! a primary that was fenced answers readings, of the past.
//!
//! What a node of this kind deliberately lacks is a member row: nobody waits for it, however long it
//! stands still. It costs every verification a commit, and without the database none is answered.

#[cfg(test)]
mod tests;

use alloc::vec;
use alloc::vec::Vec;

use crate::node::{Alarm, Link, Timeline};
use crate::{BootInstant, Position, Rule, Rules};

/// How long a round may take, in milliseconds. Then it is given up with its connection, and whoever
/// waited for it is told nothing about his token.
pub const ROUND_MILLIS_MAX: u64 = 2_000;
/// Without anybody who asks a round begins after so long: so that the log is never far behind, and a
/// dead connection is noticed before somebody waits for it.
pub const IDLE_MILLIS: u64 = 3_000;
/// As [`LOAD_SILENCE_MILLIS_MAX`](crate::timing::LOAD_SILENCE_MILLIS_MAX), which is about the same.
const LOAD_MILLIS_MAX: u64 = crate::timing::LOAD_SILENCE_MILLIS_MAX;
/// The pause after a failure: at first, and at most.
const PAUSE_MILLIS_FIRST: u64 = 50;
const PAUSE_MILLIS_MAX: u64 = 1_000;
const DOUBLINGS_MAX: u32 = 5;

/// A round by its number. Whoever asks is told which one decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Round(u64);

/// What has happened. `C` is what a reading of the log brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event<C> {
    /// Somebody waits for [`Rounds::deciding`], which he was told just before.
    Asked,
    /// Time has passed. Harmless at any moment.
    Tick,
    /// An [`Effect::Load`] is getting on.
    Loading { link: Link },
    /// The answer to [`Effect::Load`].
    Loaded { link: Link, at: Position, timeline: Timeline },
    /// The answer to [`Effect::Begin`]: its write has committed, and afterwards this was read.
    Read {
        link: Link,
        at: Position,
        /// As in [`node::Event::Log`](crate::node::Event::Log).
        holds: bool,
        in_recovery: bool,
        timeline: Timeline,
        changes: C,
    },
    /// The request failed. What became of it is unknown, and does not matter.
    Failed { link: Link },
    /// The index was changed past the machine, by this node's own writes.
    Applied { at: Position },
    /// What an [`Effect::Apply`] brought did not fit. Told instead of carrying out the rest of that
    /// step.
    IndexLost,
}

/// What to do, in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect<C> {
    /// Load everything anew; the gate is sealed. With `keep_revoked` the truth has gone backwards:
    /// see [`node::Effect::Load`](crate::node::Effect::Load).
    Load {
        link: Link,
        keep_revoked: bool,
    },
    /// Commit a write on the primary, synchronously, and *then* read the log.
    Begin {
        link: Link,
        after: Position,
    },
    Apply {
        at: Position,
        changes: C,
    },
    /// Decide whoever waits for this round, or for one before.
    Decide {
        round: Round,
    },
    /// Tell whoever waits for this round, or for one before, that nothing can be said.
    GiveUp {
        round: Round,
    },
    /// Nothing that is in memory may be called valid, also by those who were let decide.
    Seal,
    Disconnect {
        link: Link,
    },
    /// Tell [`Event::Tick`] at this moment or soon after it. Replaces the one before.
    WakeAt {
        at: BootInstant,
    },
    Alarm(Alarm),
}

/// The machine: see the module's head. It reads a clock only to give up what hangs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rounds {
    rules: Rules,
    link: Link,
    doing: Doing,
    /// The last that has begun.
    begun: Round,
    /// Somebody waits for the next one.
    asked: bool,
    /// When the next begins though nobody waits, or after a pause though somebody does.
    due: BootInstant,
    failures: u32,
    applied: Position,
    timeline: Option<Timeline>,
    /// The log ended too early, once; a fenced primary may have said so.
    doubted: bool,
    /// The truth went backwards while this process lived.
    keep_revoked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Doing {
    /// Nothing is loaded, and nothing under way.
    Empty,
    Loading {
        deadline: BootInstant,
    },
    Resting,
    Round {
        after: Position,
        deadline: BootInstant,
    },
}

impl Rounds {
    /// Begin with a tick.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            link: Link::default(),
            doing: Doing::Empty,
            begun: Round::default(),
            asked: false,
            due: BootInstant::from_millis(0),
            failures: 0,
            applied: Position::default(),
            timeline: None,
            doubted: false,
            keep_revoked: false,
        }
    }

    /// The round that decides whoever asks now: the next that begins.
    pub fn deciding(&self) -> Round {
        let joins = !self.rules.keeps(Rule::RoundAfterAsking);
        match self.doing {
            Doing::Round { .. } if joins => self.begun,
            _ => Round(self.begun.0.wrapping_add(1)),
        }
    }

    /// One event, at the moment when it is told. The last effect is [`Effect::WakeAt`].
    pub fn step<C>(&mut self, event: Event<C>, now: BootInstant) -> Vec<Effect<C>> {
        let mut effects = match event {
            Event::Asked => self.asked(now),
            Event::Tick => self.tick(now),
            Event::Applied { at } => {
                self.applied = self.applied.later(at);
                vec![]
            }
            Event::IndexLost => self.load_anew(now),
            Event::Loading { link } => {
                if let (Doing::Loading { deadline }, true) = (&mut self.doing, link == self.link) {
                    *deadline = now.plus_millis(LOAD_MILLIS_MAX);
                }
                vec![]
            }
            Event::Loaded { link, at, timeline } => self.loaded(link, at, timeline, now),
            Event::Read { link, at, holds, in_recovery, timeline, changes } => {
                match self.doing {
                    Doing::Round { after, .. } if link == self.link => {
                        let (applied, found) = (after.epoch, at.epoch);
                        let lost = (!holds).then_some(Alarm::EpochWentBack { applied, found });
                        match self.backwards(in_recovery, timeline).or(lost) {
                            None => self.read(at, timeline, changes, now),
                            Some(alarm) => self.doubt(alarm, now),
                        }
                    }
                    // From a connection that was given up.
                    _ => vec![],
                }
            }
            Event::Failed { link } if link == self.link => self.fail(now),
            Event::Failed { .. } => vec![],
        };
        effects.push(Effect::WakeAt { at: self.wake_at() });
        effects
    }

    fn asked<C>(&mut self, now: BootInstant) -> Vec<Effect<C>> {
        self.asked |= self.deciding() != self.begun;
        self.go_on(now)
    }

    fn tick<C>(&mut self, now: BootInstant) -> Vec<Effect<C>> {
        match self.doing {
            Doing::Loading { deadline } | Doing::Round { deadline, .. } if now >= deadline => {
                self.fail(now)
            }
            _ => self.go_on(now),
        }
    }

    /// Begins what is due.
    fn go_on<C>(&mut self, now: BootInstant) -> Vec<Effect<C>> {
        let is_due = now >= self.due;
        match self.doing {
            Doing::Empty if is_due => self.load(now),
            Doing::Resting if is_due || (self.asked && self.failures == 0) => self.begin(now),
            _ => vec![],
        }
    }

    fn load<C>(&mut self, now: BootInstant) -> Vec<Effect<C>> {
        self.doing = Doing::Loading { deadline: now.plus_millis(LOAD_MILLIS_MAX) };
        vec![Effect::Load { link: self.link, keep_revoked: self.keep_revoked }]
    }

    fn begin<C>(&mut self, now: BootInstant) -> Vec<Effect<C>> {
        self.begun = Round(self.begun.0.wrapping_add(1));
        self.asked = false;
        let after = self.applied;
        self.doing = Doing::Round { after, deadline: now.plus_millis(ROUND_MILLIS_MAX) };
        vec![Effect::Begin { link: self.link, after }]
    }

    fn loaded<C>(
        &mut self,
        link: Link,
        at: Position,
        timeline: Timeline,
        now: BootInstant,
    ) -> Vec<Effect<C>> {
        if link != self.link || !matches!(self.doing, Doing::Loading { .. }) {
            return vec![];
        }
        (self.applied, self.timeline) = (at, Some(timeline));
        self.rest(now);
        // What is loaded was read without a write: it may be the past.
        self.begin(now)
    }

    /// Apply, *then* decide.
    fn read<C>(
        &mut self,
        at: Position,
        timeline: Timeline,
        changes: C,
        now: BootInstant,
    ) -> Vec<Effect<C>> {
        self.timeline = Some(timeline);
        self.applied = self.applied.later(at);
        let round = self.begun;
        self.rest(now);
        let mut effects = vec![Effect::Apply { at, changes }, Effect::Decide { round }];
        effects.extend(self.go_on(now));
        effects
    }

    /// After a success.
    fn rest(&mut self, now: BootInstant) {
        (self.doing, self.failures, self.doubted) = (Doing::Resting, 0, false);
        self.due = now.plus_millis(IDLE_MILLIS);
    }

    /// Whether this cannot be a later state of the log that was read before.
    fn backwards(&self, in_recovery: bool, found: Timeline) -> Option<Alarm> {
        match self.timeline {
            _ if in_recovery => Some(Alarm::InRecovery),
            Some(known) if found < known => Some(Alarm::TimelineWentBack { known, found }),
            _ => None,
        }
    }

    /// A server that was fenced after its write may have answered; the next round finds another one.
    /// If it is so again, the log has lost what it had.
    fn doubt<C>(&mut self, alarm: Alarm, now: BootInstant) -> Vec<Effect<C>> {
        let twice = core::mem::replace(&mut self.doubted, true);
        if !twice || alarm == Alarm::InRecovery {
            return self.fail(now);
        }
        self.keep_revoked = true;
        let mut effects = vec![Effect::Alarm(alarm)];
        effects.extend(self.load_anew(now));
        effects
    }

    fn load_anew<C>(&mut self, now: BootInstant) -> Vec<Effect<C>> {
        let mut effects = vec![Effect::Seal];
        effects.extend(self.fail(now));
        self.doing = Doing::Empty;
        effects
    }

    /// Whoever waits is told so at once, those for the next round as well: what they could wait for is
    /// an outage.
    fn fail<C>(&mut self, now: BootInstant) -> Vec<Effect<C>> {
        let link = self.link;
        self.link = link.next();
        self.doing = match self.doing {
            Doing::Empty | Doing::Loading { .. } => Doing::Empty,
            Doing::Resting | Doing::Round { .. } => Doing::Resting,
        };
        let doublings = self.failures.min(DOUBLINGS_MAX);
        self.failures = self.failures.saturating_add(1);
        self.due = now.plus_millis((PAUSE_MILLIS_FIRST << doublings).min(PAUSE_MILLIS_MAX));
        self.asked = false;
        let round = Round(self.begun.0.wrapping_add(1));
        vec![Effect::Disconnect { link }, Effect::GiveUp { round }]
    }

    fn wake_at(&self) -> BootInstant {
        match self.doing {
            Doing::Empty | Doing::Resting => self.due,
            Doing::Loading { deadline } | Doing::Round { deadline, .. } => deadline,
        }
    }
}
