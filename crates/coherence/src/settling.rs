//! When a revocation may be answered.
//!
//! A revocation is durable once its commit has returned, and true everywhere once every node has
//! applied it or can no longer hold a lease that does not know of it. The [`Settler`] of the node
//! that committed it finds out:
//!
//! ```text
//! commit returned ──► tw = now ──► read the member rows ──► wait for each ──► Settled
//! ```
//!
//! For each row, however dead it looks, one of these:
//! - its node has acknowledged the epoch, in the row or directly: by node *and* incarnation;
//! - the row is gone: its owner sealed itself before it deleted it, or somebody has watched its
//!   last lease to the end;
//! - `tw` is so long ago that no lease from before it is held ([`Timing::surely_over`]), by the
//!   clock of this node.
//!
//! A node that registers after the rows were read needs no waiting: it wrote its row after the
//! commit, so the log that it reads afterwards knows of it.
//!
//! Epochs are applied in order, so whatever lets one settle lets everything before it settle, and
//! only the first that waits has to be looked at. Many wait at once, thousands while a node is
//! dead, and one reading of the rows serves them all.
//!
//! An unknown outcome of a commit is not told here at all: it may not have happened, and what did
//! not happen never settles. Neither is there a time-out: whoever is tired of waiting answers that
//! he is, and not that it is done.
//!
//! # For the driver
//!
//! Tell [`Event::Applied`] whenever this node's own index has moved, then [`Event::Committed`] when
//! the commit has returned; carry out [`Effect::ReadMembers`] on the primary, on any connection.
//! "Already revoked" is told as `Committed` too, with its epoch (or any later one), once the
//! transaction that found it has ended.
//!
//! After any [`Alarm`](crate::Alarm) but `RowGone`, the epochs mean something else: answer whoever
//! waits that the outcome is unknown, and begin with a new `Settler`.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

#[cfg(test)]
mod tests;

use crate::{BootInstant, Epoch, Member, MemberRow, Position, Rule, Rules, Timing};

/// How many incarnations' direct acknowledgements are remembered. A cluster has tens of nodes; more
/// would be restarts, whose old names mean nothing. One forgotten is read from its row.
pub const HEARD_MAX: usize = 1_024;

/// How many places of this node's own history are remembered, the last ones. An acknowledgement of an
/// earlier one comes from a node that is further behind than any that can be waited for with profit.
pub const PASSED_MAX: usize = 1_024;

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The commit of this epoch has returned, just now.
    Committed { epoch: Epoch },
    /// This node's own index has applied everything up to here.
    Applied { by: Member, at: Position },
    /// A node says so of itself directly.
    Acknowledged { by: Member, at: Position },
    /// The answer to [`Effect::ReadMembers`]: all rows and `epoch.n`, from one snapshot.
    Members { covers: Epoch, epoch: Epoch, rows: Vec<MemberRow> },
    /// All rows, as the very connection that committed this epoch has read them behind the commit.
    /// Whatever is `Committed` up to here, and is told later, need not read them first.
    MembersBehind { at: Position, rows: Vec<MemberRow> },
    /// The rows could not be read.
    Failed,
    /// A hint that rows have changed: read them again at once.
    RowsChanged,
    /// An [`Effect::WakeAt`] came due. Harmless at any other moment.
    Tick,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Read all member rows and `epoch.n` in one snapshot that begins after now. The answer carries
    /// `covers` back.
    ReadMembers { covers: Epoch },
    /// Answer whoever waits for this epoch.
    Settled(Settled),
    /// Tell [`Event::Tick`] at this moment or soon after it. Replaces the one before.
    WakeAt { at: BootInstant },
}

/// What became of a revocation, as its answer says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settled {
    pub epoch: Epoch,
    /// Nodes that have applied it, this one among them.
    pub acknowledged: u32,
    /// Nodes whose leases were waited out, or that were waited for until their rows were gone.
    pub waited_out: u32,
}

impl Settled {
    /// On the only node there is.
    pub const fn alone(epoch: Epoch) -> Self {
        Self { epoch, acknowledged: 1, waited_out: 0 }
    }
}

/// The revoker's machine: see the module's head.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settler {
    timing: Timing,
    rules: Rules,
    /// What waits, and since when its commit is known to have returned. Never later for an earlier
    /// epoch: the later one's commit came after its own.
    waiting: BTreeMap<Epoch, BootInstant>,
    /// The members as they were read last; what they acknowledged directly is in `heard`.
    rows: Vec<MemberRow>,
    /// The last epoch that had been committed before the rows were read.
    covered: Epoch,
    /// Acknowledgements may come before the commit has returned here, and before the rows.
    heard: BTreeMap<Member, Heard>,
    /// Where this node has been itself, or one of its commits: what others say of another history is
    /// nothing to go by.
    passed: BTreeMap<Epoch, Position>,
    /// Of what waits: how many had not acknowledged it when their rows went away.
    gone: BTreeMap<Epoch, usize>,
    /// What this node itself has applied.
    own: Epoch,
    /// The last that settled, and with it everything before.
    settled: Settled,
    reading: Option<Reading>,
    /// When the rows are read again, or that they are once the present reading is there.
    look_at: Option<BootInstant>,
    /// Readings since something new began to wait.
    looks: u32,
}

/// What a node has said directly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Heard {
    /// It has applied everything up to here, of this node's own history.
    applied: Epoch,
    /// What it said last, if this node has not been there yet.
    unproved: Option<Position>,
}

/// The rows are being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Reading {
    covers: Epoch,
    /// By then it has failed.
    deadline: BootInstant,
}

impl Settler {
    /// The timing is this node's own; how long the leases of others are is in their rows.
    pub fn new(timing: Timing, rules: Rules) -> Self {
        Self {
            timing: timing.under(rules),
            rules,
            waiting: BTreeMap::new(),
            rows: Vec::new(),
            covered: 0,
            heard: BTreeMap::new(),
            passed: BTreeMap::new(),
            gone: BTreeMap::new(),
            own: 0,
            settled: Settled { epoch: 0, acknowledged: 0, waited_out: 0 },
            reading: None,
            look_at: None,
            looks: 0,
        }
    }

    /// How many epochs wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// One event, at the moment when it is told. If anything still waits, the last effect is
    /// [`Effect::WakeAt`].
    pub fn step(&mut self, event: Event, now: BootInstant) -> Vec<Effect> {
        let mut effects = match event {
            Event::Committed { epoch } => self.committed(epoch, now),
            Event::Applied { by, at } => {
                self.own = self.own.max(at.epoch);
                self.pass(at);
                self.acknowledged(by, at)
            }
            Event::Acknowledged { by, at } => self.acknowledged(by, at),
            Event::Members { covers, epoch, rows } => self.members(covers, epoch, rows, now),
            Event::MembersBehind { at, rows } => {
                self.pass(at);
                self.members_behind(at.epoch, rows)
            }
            Event::Failed => self.look_later(now),
            Event::RowsChanged => self.look_soon(now),
            Event::Tick => self.tick(now),
        };
        effects.extend(self.settle(now));
        effects.extend(self.wake_at().map(|at| Effect::WakeAt { at }));
        effects
    }

    /// `now` is `tw`: after the commit. The rows are read after the commit too, before `tw` or after
    /// it: whoever is not among them has registered since, and reads the log afterwards.
    fn committed(&mut self, epoch: Epoch, now: BootInstant) -> Vec<Effect> {
        if epoch <= self.settled.epoch {
            return vec![Effect::Settled(Settled { epoch, ..self.settled })];
        }
        let later = self.waiting.range(epoch..).next();
        let tw = later.map_or(now, |(_, &tw)| tw.min(now));
        self.waiting.insert(epoch, tw);
        self.looks = 0;
        if !self.rules.keeps(Rule::CommitBeforeMembers) && !self.rows.is_empty() {
            self.covered = epoch; // Whoever has joined since they were read is not among them.
            return vec![];
        }
        if epoch <= self.covered {
            if self.reading.is_none() && self.look_at.is_none() {
                return self.look_later(now);
            }
            return vec![];
        }
        // A reading that is under way may have begun before this commit; the next one covers it.
        if self.reading.is_none() { self.look(now) } else { vec![] }
    }

    fn members_behind(&mut self, epoch: Epoch, rows: Vec<MemberRow>) -> Vec<Effect> {
        if self.rules.keeps(Rule::CommitBeforeMembers) && epoch >= self.covered {
            self.cover(epoch, rows);
        }
        vec![]
    }

    fn cover(&mut self, epoch: Epoch, rows: Vec<MemberRow>) {
        self.note_gone(&rows);
        self.heard.retain(|by, _| rows.iter().any(|row| row.member == *by));
        (self.rows, self.covered) = (rows, epoch);
    }

    fn acknowledged(&mut self, by: Member, at: Position) -> Vec<Effect> {
        if self.heard.len() < HEARD_MAX || self.heard.contains_key(&by) {
            let proved = self.passed.get(&at.epoch) == Some(&at);
            let proved = proved || !self.rules.keeps(Rule::AcknowledgeOfOneHistory);
            let heard = self.heard.entry(by).or_default();
            if proved {
                heard.applied = heard.applied.max(at.epoch);
            } else {
                heard.unproved = Some(at);
            }
        }
        vec![]
    }

    /// Whoever has said so before has been in the same history.
    fn pass(&mut self, at: Position) {
        if self.passed.insert(at.epoch, at) == Some(at) {
            return;
        }
        if self.passed.len() > PASSED_MAX {
            self.passed.pop_first();
        }
        for heard in self.heard.values_mut() {
            if heard.unproved.take_if(|said| *said == at).is_some() {
                heard.applied = heard.applied.max(at.epoch);
            }
        }
    }

    fn members(
        &mut self,
        covers: Epoch,
        epoch: Epoch,
        rows: Vec<MemberRow>,
        now: BootInstant,
    ) -> Vec<Effect> {
        // A server that does not know of the commit does not know who has joined since either.
        if self.rules.keeps(Rule::MembersKnowTheEpoch) && epoch < covers {
            return self.look_later(now);
        }
        if covers < self.covered {
            return vec![]; // A late answer, from before the one that is known.
        }
        self.cover(covers, rows);
        let uncovered = self.waiting.last_key_value().is_some_and(|(&last, _)| last > covers);
        if uncovered || self.look_at.is_some() { self.look(now) } else { self.look_later(now) }
    }

    /// Whoever was waited for until its row was gone (another node has buried it, or it has left) was
    /// waited for all the same.
    fn note_gone(&mut self, rows: &[MemberRow]) {
        let stays = |row: &MemberRow| rows.iter().any(|other| other.member == row.member);
        let left: Vec<_> = self.rows.iter().filter(|row| !stays(row)).collect();
        for &epoch in self.waiting.range(..=self.covered).map(|(epoch, _)| epoch) {
            let missing = left.iter().filter(|row| !self.has_applied(row, epoch)).count();
            if missing > 0 {
                *self.gone.entry(epoch).or_default() += missing;
            }
        }
    }

    fn tick(&mut self, now: BootInstant) -> Vec<Effect> {
        let due = match self.reading {
            Some(reading) => now >= reading.deadline,
            None => self.look_at.is_some_and(|at| now >= at),
        };
        if due { self.look(now) } else { vec![] }
    }

    fn look(&mut self, now: BootInstant) -> Vec<Effect> {
        self.look_at = None;
        let Some((&covers, _)) = self.waiting.last_key_value() else { return vec![] };
        let deadline = now.plus_millis(self.timing.renewal_ms());
        self.reading = Some(Reading { covers, deadline });
        vec![Effect::ReadMembers { covers }]
    }

    fn look_soon(&mut self, now: BootInstant) -> Vec<Effect> {
        if self.reading.is_none() {
            return self.look(now);
        }
        self.look_at = Some(now);
        vec![]
    }

    fn look_later(&mut self, now: BootInstant) -> Vec<Effect> {
        self.reading = None;
        self.look_at = Some(now.plus_millis(self.timing.look_again_ms(self.looks)));
        self.looks = self.looks.saturating_add(1);
        vec![]
    }

    /// All that can be answered now, in order.
    fn settle(&mut self, now: BootInstant) -> Vec<Effect> {
        let mut effects = vec![];
        while let Some((&epoch, &tw)) = self.waiting.first_key_value() {
            if !self.is_settled(epoch, tw, now) {
                break;
            }
            self.waiting.remove(&epoch);
            self.settled = self.count(epoch);
            self.gone.remove(&epoch);
            effects.push(Effect::Settled(self.settled));
        }
        if self.waiting.is_empty() {
            (self.reading, self.look_at) = (None, None);
        }
        effects
    }

    fn is_settled(&self, epoch: Epoch, tw: BootInstant, now: BootInstant) -> bool {
        if epoch > self.own {
            return false;
        }
        if !self.rules.keeps(Rule::RevokerWaits) {
            return true;
        }
        let given_up = !self.rules.keeps(Rule::WaitForTheSilent) && self.looks > 1;
        epoch <= self.covered
            && (given_up || self.over_at(epoch, tw).is_none_or(|over| now >= over))
    }

    /// When the longest lease of those missing is surely over; `None` if nobody is missing.
    fn over_at(&self, epoch: Epoch, tw: BootInstant) -> Option<BootInstant> {
        let missing = self.rows.iter().filter(|row| !self.has_applied(row, epoch));
        let longest = missing.map(|row| row.lease_ms).max()?;
        Some(self.timing.surely_over(tw, longest))
    }

    fn has_applied(&self, row: &MemberRow, epoch: Epoch) -> bool {
        row.applied >= epoch
            || self.heard.get(&row.member).is_some_and(|heard| heard.applied >= epoch)
    }

    fn count(&self, epoch: Epoch) -> Settled {
        let applied = self.rows.iter().filter(|row| self.has_applied(row, epoch)).count();
        let gone = self.gone.get(&epoch).copied().unwrap_or_default();
        let missing = self.rows.len().saturating_sub(applied) + gone;
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Settled { epoch, acknowledged: count(applied), waited_out: count(missing) }
    }

    fn wake_at(&self) -> Option<BootInstant> {
        let (&epoch, &tw) = self.waiting.first_key_value()?;
        // If it is this node that is late, it is told so, and no moment makes a difference.
        let waits_for_others = epoch <= self.covered && epoch <= self.own;
        let over = if waits_for_others { self.over_at(epoch, tw) } else { None };
        let look = self.reading.map(|reading| reading.deadline).or(self.look_at);
        over.into_iter().chain(look).min()
    }
}
