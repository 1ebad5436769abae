//! A node that revokes: the shipping [`Settler`] and [`Reaper`], and what its transaction does.

use rescind_coherence::settling::{Effect, Event};
use rescind_coherence::{
    BootInstant, DeadRow, Epoch, Member, MemberRow, Position, Reaper, Rule, Rules, Settler,
};

use super::database::{Database, Server};
use super::{Bounds, REVOKER, TIMING, Verdict};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Revoker {
    settler: Settler,
    reaper: Option<Reaper>,
    pub doomed: Vec<DeadRow>,
    pub stage: Stage,
    pub attempts: u8,
    /// By how much its clock is ahead of true time.
    pub ahead: u64,
    /// By how much the wall clock has stepped (only without [`Rule::MonotonicWait`]).
    pub stepped: u64,
    /// The rows are asked for.
    pub asked: Option<Epoch>,
    /// Rows have changed since they were read.
    pub hint: bool,
    /// What was read behind the commit, and is not heard yet.
    pub read_behind: Option<(Position, Vec<MemberRow>)>,
    /// Only without [`Rule::CommitBeforeMembers`].
    read_early: Option<Vec<MemberRow>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    Idle,
    /// Committed; the revoker has not heard of it yet.
    Committed {
        epoch: Epoch,
    },
    Settling,
    Answered,
}

impl Revoker {
    pub fn new(bounds: &Bounds) -> Self {
        Self {
            settler: Settler::new(TIMING, bounds.rules),
            reaper: bounds.reaper.then(|| Reaper::new(TIMING, bounds.rules)),
            doomed: vec![],
            stage: Stage::Idle,
            attempts: 0,
            ahead: 0,
            stepped: 0,
            asked: None,
            hint: false,
            read_behind: None,
            read_early: None,
        }
    }

    pub fn local(&self, time: u64) -> BootInstant {
        BootInstant::from_millis(time + self.ahead + self.stepped)
    }

    pub fn reads_early(&mut self, database: &Database) {
        self.read_early = Some(database.primary.members.clone());
    }

    pub fn reads_behind(&mut self, database: &Database) {
        self.read_behind = Some((database.primary.at(), database.primary.members.clone()));
    }

    pub fn has_read_early(&self) -> bool {
        self.read_early.is_some()
    }

    pub fn commit(&mut self, database: &mut Database, bounds: &Bounds, verdict: &mut Verdict) {
        let (epoch, new) = database.primary.revoke();
        self.attempts += 1;
        self.stage = Stage::Committed { epoch };
        if !new && !bounds.keeps(Rule::SettleRepeats) {
            self.answer(verdict);
        }
    }

    /// The connection broke before the commit was carried out.
    pub fn lose_commit(&mut self, bounds: &Bounds, verdict: &mut Verdict) {
        self.attempts += 1;
        if !bounds.keeps(Rule::KnownOutcome) {
            self.answer(verdict);
        }
    }

    fn answer(&mut self, verdict: &mut Verdict) {
        self.stage = Stage::Answered;
        self.asked = None;
        verdict.answered = true;
    }

    /// The commit has returned: publish, with what others have written since, then settle.
    pub fn hear_commit(
        &mut self,
        epoch: Epoch,
        server: &Server,
        now: BootInstant,
        verdict: &mut Verdict,
    ) {
        self.stage = Stage::Settling;
        if let Some((at, rows)) = self.read_behind.take() {
            self.tell(Event::MembersBehind { at, rows }, now, verdict);
        }
        for at in [server.place(epoch), server.at()] {
            self.tell(Event::Applied { by: REVOKER, at }, now, verdict);
        }
        self.tell(Event::Committed { epoch }, now, verdict);
    }

    /// The rows are read, and heard of at once: rows read long ago would only be waited for longer.
    pub fn read(
        &mut self,
        database: &Database,
        fenced: bool,
        now: BootInstant,
        verdict: &mut Verdict,
    ) -> Option<()> {
        let covers = self.asked.take()?;
        let server = database.read(fenced);
        let rows = self.read_early.clone().unwrap_or_else(|| server.members.clone());
        self.hint = false;
        self.tell(Event::Members { covers, epoch: server.epoch(), rows }, now, verdict);
        Some(())
    }

    pub fn hear(&mut self, by: Member, at: Position, now: BootInstant, verdict: &mut Verdict) {
        self.tell(Event::Acknowledged { by, at }, now, verdict);
    }

    pub fn take_hint(&mut self, now: BootInstant, verdict: &mut Verdict) {
        self.hint = false;
        self.tell(Event::RowsChanged, now, verdict);
    }

    /// `None` if nothing is due.
    pub fn tick(&mut self, now: BootInstant, verdict: &mut Verdict) -> Option<()> {
        let before = self.settler.clone();
        self.tell(Event::Tick, now, verdict);
        (before != self.settler).then_some(())
    }

    fn tell(&mut self, event: Event, now: BootInstant, verdict: &mut Verdict) {
        for effect in self.settler.step(event, now) {
            match effect {
                Effect::ReadMembers { covers } => self.asked = Some(covers),
                Effect::Settled(_) if self.stage == Stage::Settling => self.answer(verdict),
                Effect::Settled(_) | Effect::WakeAt { .. } => {}
            }
        }
        if self.stage == Stage::Answered {
            // It has nothing more to do; what it remembers would only make states differ.
            self.settler = Settler::new(TIMING, Rules::ALL);
            (self.asked, self.hint) = (None, false);
            (self.read_behind, self.read_early) = (None, None);
        }
    }

    /// It forgets everything but its clock.
    pub fn crash(&mut self, bounds: &Bounds) {
        let (attempts, ahead, stepped) = (self.attempts, self.ahead, self.stepped);
        *self = Self { attempts, ahead, stepped, ..Self::new(bounds) };
    }

    pub fn watch(&mut self, database: &Database, now: BootInstant) -> Option<()> {
        let before = self.reaper.clone();
        let reaper = self.reaper.as_mut()?;
        let doomed = reaper.saw(&database.primary.members, REVOKER, now);
        let news = self.reaper != before || self.doomed != doomed;
        self.doomed = doomed;
        news.then_some(())
    }
}
