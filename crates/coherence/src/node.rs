//! How a node gets its lease, keeps it and loses it.
//!
//! # The order that everything hangs on
//!
//! ```text
//! t0 = now ──► write the member row ──► read the log ──► apply ──► OpenUntil(t0 + L·(1−ρ))
//! ```
//!
//! A revocation that commits *before* the row is written is in the log that is read afterwards. One
//! that commits *later* reads the member rows later still, so it finds the row and waits: until the
//! node has applied it, or until a lease that began at `t0` is surely over. There is no third case.
//! Each arrow matters; [`Rule`] names what breaks when two are swapped.
//!
//! The naive way is a cache with a time to live, refreshed by a subscription. It has no `t0`: an
//! answer that was delayed for a minute refreshes the cache with the state of a minute ago.
//!
//! # What the machine does
//!
//! It starts sealed and loads the whole set, *then* registers, so that a node that loads for long
//! holds up nobody. Each renewal goes the way above. A doorbell makes it read the log at once and
//! acknowledge, and a push brings what the log would say; both are hints and may be lost. A request
//! that fails or takes too long costs its connection, and the next attempt comes after a pause;
//! meanwhile the lease simply runs out by itself, because every verification looks at the clock
//! ([`Gate`](crate::Gate)).
//!
//! What it deliberately does not do: own a socket, a task, a clock, or randomness; know what a
//! change is; or seal by a timer.
//!
//! # The loop of a driver
//!
//! One task owns the machine and tells it one event at a time. Requests run beside it (or inside,
//! with a time-out: the machine's own ticks end what hangs), so that doorbells are heard meanwhile.
//!
//! ```
//! use rescind_coherence::node::{Effect, Event};
//! use rescind_coherence::{BootInstant, Gate, Incarnation, Mark, Member, Node, NodeId, Position,
//!     Rules, Timeline, Timing};
//!
//! # struct Changes;
//! # let boottime = || BootInstant::from_millis(1_000);
//! # let at = |epoch| Position { epoch, mark: Some(Mark([7; 32])) };
//! let gate = Gate::sealed();
//! let me = Member { node: NodeId(7), incarnation: Incarnation(0x5eed) }; // drawn at random
//! let mut node = Node::new(me, Timing::default(), Rules::ALL);
//!
//! let mut wake_at = BootInstant::NEVER;
//! let mut inbox = std::collections::VecDeque::from([Event::Tick]); // begin with a tick
//! while let Some(event) = inbox.pop_front() { // or: select! { inbox, sleep_until(wake_at) }
//!     for effect in node.step(event, boottime()) {
//!         match effect {
//!             // Requests: send over the connection of this link, tell the answer as an event.
//!             Effect::Load { link, .. } => {
//!                 inbox.push_back(Event::Loaded { link, at: at(4), timeline: Timeline(1) });
//!             }
//!             Effect::Register { link, .. } => inbox.push_back(Event::Registered { link }),
//!             Effect::Renew { link, .. } => inbox.push_back(Event::Renewed { link, found: true }),
//!             Effect::ReadLog { link, after } if after == at(4) => inbox.push_back(Event::Log {
//!                 link, at: at(5), holds: true, in_recovery: false, timeline: Timeline(1),
//!                 changes: Changes,
//!             }),
//!             // The index and the gate: at once, in the order given.
//!             Effect::Apply { at, changes: Changes } => gate.reached(at.epoch),
//!             Effect::OpenUntil { end } => gate.open_until(end),
//!             Effect::Seal => gate.seal(),
//!             Effect::WakeAt { at } => wake_at = at,
//!             // To others, without waiting: acknowledgements, alarms, the end of a connection.
//!             other => drop(other),
//!         }
//!     }
//! }
//! assert!(gate.is_open(boottime()));
//! assert_eq!(gate.applied(), 5);
//! assert_eq!(wake_at, BootInstant::from_millis(4_000)); // the next renewal, L/5 later
//! ```

mod answers;
mod messages;
mod requests;
#[cfg(test)]
mod tests;

use alloc::vec;
use alloc::vec::Vec;

pub use messages::{Alarm, Effect, Event, Link, Timeline};

use crate::{BootInstant, Epoch, Member, Position, Rule, Rules, Timing};

/// The holder's machine: see the module's head.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    timing: Timing,
    rules: Rules,
    member: Member,
    link: Link,
    doing: Doing,
    /// When the next renewal begins, or the next attempt after a failure.
    due: BootInstant,
    /// The index holds the whole set, up to `applied`.
    loaded: bool,
    /// This incarnation's row has been written.
    registered: bool,
    /// The last that was given up, and may have left a row.
    given_up: Option<Member>,
    /// The truth went backwards while this process lived: see [`Effect::Load`].
    keep_revoked: bool,
    applied: Position,
    /// The highest epoch that others were told this node has applied.
    told: Epoch,
    /// The highest doorbell that no reading of the log has covered yet.
    rung: Option<Epoch>,
    timeline: Option<Timeline>,
    /// What the last renewal has read is either a fenced primary's or a log that went backwards.
    doubted: Option<Alarm>,
    lease_end: Option<BootInstant>,
    /// Failed attempts since the last lease.
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Doing {
    /// Until `due`.
    Resting,
    /// A request is under way; by the deadline it has failed.
    Asking {
        what: Asked,
        deadline: BootInstant,
    },
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Asked {
    Load,
    Register {
        t0: BootInstant,
    },
    Renew {
        t0: BootInstant,
    },
    /// With `t0`, the reading that a lease is built on; without, a doorbell's.
    Log {
        t0: Option<BootInstant>,
        after: Position,
    },
    Unregister,
}

impl Node {
    /// Sealed and idle. Tell it a first [`Event::Tick`].
    pub fn new(member: Member, timing: Timing, rules: Rules) -> Self {
        Self {
            timing: timing.under(rules),
            rules,
            member,
            link: Link(0),
            doing: Doing::Resting,
            due: BootInstant::from_millis(0),
            loaded: false,
            registered: false,
            given_up: None,
            keep_revoked: false,
            applied: Position::default(),
            told: 0,
            rung: None,
            timeline: None,
            doubted: None,
            lease_end: None,
            failures: 0,
        }
    }

    /// Under which name this node's acknowledgements count. It changes when the node begins anew.
    pub fn member(&self) -> Member {
        self.member
    }

    /// The end of the lease that was published last; `None` while sealed.
    pub fn lease_end(&self) -> Option<BootInstant> {
        self.lease_end
    }

    pub fn applied(&self) -> Position {
        self.applied
    }

    /// Whether a push had better be kept until this has ended: it would only be a doorbell now.
    pub fn is_reading(&self) -> bool {
        matches!(self.doing, Doing::Asking { what: Asked::Log { .. }, .. })
    }

    /// One event, at the moment when it is told. The last effect is always [`Effect::WakeAt`],
    /// unless the node has stopped.
    pub fn step<C>(&mut self, event: Event<C>, now: BootInstant) -> Vec<Effect<C>> {
        let mut effects = match event {
            Event::Tick => self.tick(now),
            Event::Doorbell { epoch } => self.doorbell(epoch, now),
            Event::Pushed { after, at, changes } => self.pushed(after, at, changes, now),
            Event::Applied { at } => self.applied_past_us(at),
            Event::IndexLost => self.index_lost(now),
            Event::Stop => self.stop(now),
            answer => self.answer(answer, now),
        };
        if let Some(at) = self.wake_at() {
            effects.push(Effect::WakeAt { at });
        }
        effects
    }

    fn tick<C>(&mut self, now: BootInstant) -> Vec<Effect<C>> {
        let mut effects = self.clear_the_flag(now);
        effects.extend(match self.doing {
            Doing::Asking { what: Asked::Unregister, deadline } if now >= deadline => {
                self.stopped()
            }
            Doing::Asking { deadline, .. } if now >= deadline => self.fail(now),
            Doing::Resting if now >= self.due => self.begin(now),
            _ => vec![],
        });
        effects
    }

    fn doorbell<C>(&mut self, epoch: Epoch, now: BootInstant) -> Vec<Effect<C>> {
        if !self.registered || self.doing == Doing::Stopped {
            return vec![]; // Nobody waits for this incarnation, and it reads the log before it opens.
        }
        let mut effects = vec![];
        if !self.rules.keeps(Rule::ApplyBeforeAcknowledge) {
            let at = Position { epoch, ..self.applied };
            effects.push(Effect::Acknowledge { member: self.member, at });
        }
        if epoch <= self.applied.epoch {
            effects.push(self.acknowledgement());
            return effects;
        }
        self.rung = self.rung.max(Some(epoch));
        // After a failure the next attempt is a renewal, which reads the log as well.
        if self.doing == Doing::Resting && self.failures == 0 {
            effects.extend(self.read_log(None, now));
        }
        effects
    }

    /// Nothing is read if this is all that is missing: the same as the log would say now, from
    /// whoever holds the right to write it. It extends no lease. While the log is being read it is
    /// not known of which history that will be.
    fn pushed<C>(
        &mut self,
        after: Position,
        at: Position,
        changes: C,
        now: BootInstant,
    ) -> Vec<Effect<C>> {
        let follows = after.epoch == self.applied.epoch || !self.rules.keeps(Rule::PushFollows);
        let same = after.mark == self.applied.mark || after.epoch != self.applied.epoch;
        let same = (same && !self.is_reading()) || !self.rules.keeps(Rule::PushOfOneHistory);
        let known = self.doubted.is_some() || at.epoch <= self.applied.epoch;
        if !self.registered || self.doing == Doing::Stopped || known || !follows || !same {
            return self.doorbell(at.epoch, now);
        }
        self.applied = at;
        self.rung = self.rung.filter(|rung| *rung > at.epoch);
        vec![Effect::Apply { at, changes }, self.acknowledgement()]
    }

    fn applied_past_us<C>(&mut self, at: Position) -> Vec<Effect<C>> {
        if !self.loaded {
            return vec![];
        }
        self.applied = self.applied.later(at);
        match self.rung {
            Some(rung) if rung <= self.applied.epoch => {
                self.rung = None;
                vec![self.acknowledgement()]
            }
            _ => vec![],
        }
    }

    fn acknowledgement<C>(&mut self) -> Effect<C> {
        self.told = self.told.max(self.applied.epoch);
        Effect::Acknowledge { member: self.member, at: self.applied }
    }

    /// Stop answering, drop the lease, *then* delete the row.
    fn stop<C>(&mut self, now: BootInstant) -> Vec<Effect<C>> {
        let registering = match self.doing {
            Doing::Stopped | Doing::Asking { what: Asked::Unregister, .. } => return vec![],
            Doing::Asking { what: Asked::Register { .. }, .. } => true,
            _ => false,
        };
        self.lease_end = None;
        let mut effects = vec![];
        if self.rules.keeps(Rule::SealBeforeLeaving) {
            effects.push(Effect::Seal);
        }
        if matches!(self.doing, Doing::Asking { .. }) {
            effects.push(self.disconnect());
        }
        if !self.registered && !registering {
            effects.extend(self.stopped());
            return effects;
        }
        effects.push(Effect::Unregister { link: self.link, member: self.member });
        self.ask(Asked::Unregister, now);
        effects
    }

    fn stopped<C>(&mut self) -> Vec<Effect<C>> {
        self.doing = Doing::Stopped;
        // Without the rule it answers until it knows that it has left. To seal behind the request
        // in the same step would be no later: a driver sends the request when the step has ended.
        let late = (!self.rules.keeps(Rule::SealBeforeLeaving)).then_some(Effect::Seal);
        late.into_iter().chain([Effect::Stopped]).collect()
    }

    fn wake_at(&self) -> Option<BootInstant> {
        let next = match self.doing {
            Doing::Resting => self.due,
            Doing::Asking { deadline, .. } => deadline,
            Doing::Stopped => return None,
        };
        let flag = self.lease_end.filter(|_| !self.rules.keeps(Rule::DecideByTheClock));
        Some(flag.map_or(next, |end| next.min(end)))
    }

    /// The naive way, for the test that shows why it is naive.
    fn clear_the_flag<C>(&mut self, now: BootInstant) -> Vec<Effect<C>> {
        match self.lease_end {
            Some(end) if now >= end && !self.rules.keeps(Rule::DecideByTheClock) => {
                self.lease_end = None;
                vec![Effect::Seal]
            }
            _ => vec![],
        }
    }
}
