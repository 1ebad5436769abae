//! A node that verifies: the shipping [`Node`] and [`Gate`], an index of one token, and a
//! connection to the database.

use rescind_coherence::node::{Effect, Event};
use rescind_coherence::{
    BootInstant, Epoch, Gate, Incarnation, Member, MemberRow, Node, NodeId, Position, Rule,
    Standing,
};

use super::{Bounds, Database, TIMING, Verdict};

const SEALED: BootInstant = BootInstant::from_millis(0);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    pub id: NodeId,
    /// By how much its clock is behind true time.
    pub lag: u64,
    /// The next process draws this.
    next: Incarnation,
    /// `None`: it is down.
    pub process: Option<Process>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    pub node: Node,
    /// What the gate has stored.
    lease_end: BootInstant,
    /// What the index says of the token, and of which epoch that is.
    revoked: bool,
    index_at: Epoch,
    /// What was read of the token, and is not in the index yet.
    pub fetched: Option<(bool, Epoch)>,
    /// Effects of the last step that are not carried out yet.
    pub to_do: Vec<Effect<bool>>,
    /// The request that was sent and not served.
    pub asked: Option<Effect<bool>>,
    /// What was served and not heard; of a load, also whether the token was revoked.
    pub answer: Option<(Event<bool>, bool)>,
    /// Its connection leads to the old primary.
    pub fenced: bool,
    pub verification: Option<Found>,
    /// An acknowledgement on its way to the revoker.
    pub direct: Option<(Member, Position)>,
    /// A push on its way to it.
    pub push: Option<Event<bool>>,
    /// Has heard of the database since it was restored.
    pub knows_restore: bool,
}

/// A verification that is under way: it has the view, has found the token, and will decide. It
/// begins with the view, because an earlier beginning would only be further before the answer; and
/// view and look-up are one step, because what is not revoked at a later look-up was not revoked at
/// the view either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Found {
    /// Invoked after the answer.
    late: bool,
    /// The view.
    lease_end: BootInstant,
    /// Whether the generation has been raised since.
    changed: bool,
}

impl Holder {
    pub fn new(id: NodeId, at: usize, bounds: &Bounds) -> Self {
        let next = Incarnation(1 + 1_000 * at as u128);
        let mut new = Self { id, lag: 0, next, process: None };
        new.start(BootInstant::from_millis(1), bounds);
        new
    }

    pub fn start(&mut self, now: BootInstant, bounds: &Bounds) {
        let member = Member { node: self.id, incarnation: self.next };
        self.next.0 += 100;
        let mut process = Process {
            node: Node::new(member, TIMING, bounds.rules),
            lease_end: SEALED,
            revoked: false,
            index_at: 0,
            fetched: None,
            to_do: vec![],
            asked: None,
            answer: None,
            fenced: false,
            verification: None,
            direct: None,
            push: None,
            knows_restore: true,
        };
        let effects = process.node.step(Event::Tick, now);
        process.told(effects);
        process.send();
        self.process = Some(process);
    }
}

impl Process {
    /// Takes the effects of a step. What cannot be told from its coming later is done at once.
    pub fn told(&mut self, effects: Vec<Effect<bool>>) {
        self.to_do = effects;
        self.to_do.retain(|effect| !matches!(effect, Effect::WakeAt { .. } | Effect::Alarm(_)));
        self.to_do.reverse();
    }

    /// Sends what comes next, up to an effect that others can see.
    fn send(&mut self) -> bool {
        let mut sent = false;
        while let Some(effect) = self.to_do.last() {
            match effect {
                Effect::Disconnect { .. } => {
                    (self.asked, self.answer, self.fenced) = (None, None, false);
                }
                Effect::Load { .. }
                | Effect::Register { .. }
                | Effect::Renew { .. }
                | Effect::ReadLog { .. }
                | Effect::Unregister { .. } => {
                    self.asked = Some(*effect);
                    sent = true;
                }
                _ => break,
            }
            self.to_do.pop();
        }
        sent
    }

    /// The next effect that others can see, and the requests behind it.
    pub fn carry_out(&mut self, database: &mut Database, bounds: &Bounds) -> bool {
        let mut rows_changed = false;
        match self.to_do.pop() {
            Some(Effect::Apply { at, changes }) => self.apply(at.epoch, changes),
            Some(Effect::OpenUntil { end }) => self.lease_end = end,
            Some(Effect::Seal) => {
                self.lease_end = SEALED;
                self.changed();
            }
            Some(Effect::Acknowledge { member, at }) => {
                if !self.fenced {
                    rows_changed = database.primary.acknowledge(member, at, bounds);
                }
                self.direct = bounds.direct.then_some((member, at)).or(self.direct);
            }
            Some(Effect::Forget { member }) => database.primary.unregister(member),
            _ => {}
        }
        self.send();
        rows_changed
    }

    /// What a step asks for first happens at once; the rest in steps of its own.
    pub fn begin(&mut self, database: &mut Database, bounds: &Bounds) -> bool {
        if self.send() { false } else { self.carry_out(database, bounds) }
    }

    fn apply(&mut self, epoch: Epoch, revokes: bool) {
        self.index_at = epoch;
        if revokes && !self.revoked {
            self.revoked = true;
            self.changed();
        }
    }

    fn changed(&mut self) {
        self.verification.iter_mut().for_each(|found| found.changed = true);
    }

    /// The server carries the request out, if it can.
    pub fn served(&mut self, database: &mut Database, bounds: &Bounds) -> Option<()> {
        let row = |member, lease_ms, applied| MemberRow { member, lease_ms, applied, renewals: 0 };
        let server = database.read(self.fenced);
        let (at, timeline) = (server.at(), server.timeline);
        let mut revoked = false;
        let answer = match self.asked? {
            Effect::Load { link, keep_revoked } => {
                revoked = server.revoked_after(0) || (keep_revoked && self.revoked);
                Event::Loaded { link, at, timeline }
            }
            Effect::ReadLog { link, after } => {
                let (holds, changes) = (server.holds(after), server.revoked_after(after.epoch));
                Event::Log { link, at, holds, in_recovery: false, timeline, changes }
            }
            _ if self.fenced => return None, // Its standby never acknowledges.
            Effect::Register { link, member, lease_ms, applied } => {
                let applied = server.sayable(applied, bounds);
                database.primary.register(row(member, lease_ms, applied), bounds);
                Event::Registered { link }
            }
            Effect::Renew { link, member, lease_ms, applied } => {
                let applied = server.sayable(applied, bounds);
                let found = database.primary.renew(row(member, lease_ms, applied), bounds);
                Event::Renewed { link, found }
            }
            Effect::Unregister { link, member } => {
                database.primary.unregister(member);
                Event::Unregistered { link }
            }
            _ => return None,
        };
        self.knows_restore |= matches!(answer, Event::Loaded { .. } | Event::Log { .. });
        (self.asked, self.answer) = (None, Some((answer, revoked)));
        Some(())
    }

    /// The token's record is read, from whichever server the connection leads to.
    pub fn fetch(&mut self, database: &Database) {
        let server = database.read(self.fenced);
        self.fetched = Some((server.revoked_after(0), server.epoch()));
    }

    /// What was read goes into the index.
    pub fn put(&mut self, bounds: &Bounds) -> Option<()> {
        let (revoked, epoch) = self.fetched.take()?;
        if self.index_at <= epoch || !bounds.keeps(Rule::FetchedIsNotOlder) {
            self.revoked = revoked;
            self.changed();
        }
        Some(())
    }

    pub fn hear_push(&mut self, now: BootInstant) -> Option<()> {
        let effects = self.node.step(self.push.take()?, now);
        self.told(effects);
        Some(())
    }

    pub fn hear_answer(&mut self, now: BootInstant) -> Option<()> {
        let (answer, revoked) = self.answer.take()?;
        if let Event::Loaded { at, .. } = answer {
            (self.revoked, self.index_at) = (revoked, at.epoch);
            self.changed();
        }
        let effects = self.node.step(answer, now);
        self.told(effects);
        Some(())
    }

    /// Whether a verification that begins now, or goes on, could still be accepted.
    pub fn may_accept(&self, now: BootInstant) -> bool {
        let end = self.verification.map_or(self.lease_end, |found| found.lease_end);
        !self.revoked && now < end
    }

    /// Without a lease and with nothing under way.
    pub fn rests(&self, now: BootInstant) -> bool {
        let under_way = self.asked.is_some() || self.answer.is_some() || !self.to_do.is_empty();
        !under_way && now >= self.lease_end
    }

    /// What can make no difference any more is forgotten, so that fewer states differ.
    pub fn forget_what_is_over(&mut self, now: BootInstant, bounds: &Bounds) {
        if bounds.keeps(Rule::DecideByTheClock) && bounds.keeps(Rule::LeaseBeforeData) {
            self.verification = self.verification.filter(|found| now < found.lease_end);
            if now >= self.lease_end {
                self.lease_end = SEALED;
            }
        }
    }

    /// One step of a verification: it begins, or it decides.
    pub fn verify(&mut self, now: BootInstant, bounds: &Bounds, verdict: &mut Verdict) {
        let Some(found) = self.verification.take() else {
            return self.look(verdict.answered);
        };
        let gate = Gate::sealed_under(bounds.rules);
        gate.open_until(found.lease_end);
        let view = gate.view();
        gate.open_until(self.lease_end);
        if found.changed {
            gate.changed();
        }
        match gate.still_holds(view, || now) {
            Standing::Changed => self.look(found.late),
            Standing::Lapsed => {}
            Standing::Holds => {
                verdict.accepted_late |= found.late;
                verdict.decided_late |= verdict.answered;
            }
        }
    }

    fn look(&mut self, late: bool) {
        let found = Found { late, lease_end: self.lease_end, changed: false };
        self.verification = (!self.revoked).then_some(found);
    }
}
