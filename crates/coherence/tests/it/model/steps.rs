//! What each step does.

use rescind_coherence::node::{Effect, Event};
use rescind_coherence::{BootInstant, Node, Position};

use super::action::Action::{self, *};
use super::database::Entry;
use super::holder::Process;
use super::revoker::Stage;
use super::{Bounds, State};

/// What a step does; `None` if it does nothing.
impl State {
    pub fn clocks(&mut self, action: Action) -> Option<()> {
        match action {
            WallClockSteps => self.revoker.stepped = 3,
            AdvanceWhileSlow(at) => self.holders[at].lag = 1,
            AdvanceWhileRevokerIsFast => self.revoker.ahead = 1,
            _ => {}
        }
        self.time += u64::from(action != WallClockSteps);
        Some(())
    }

    pub fn holder(&mut self, at: usize, action: Action, bounds: &Bounds) -> Option<()> {
        let now = self.local(at);
        if action == Start(at) {
            self.holders[at].start(now, bounds);
            return Some(());
        }
        let epoch = self.database.primary.epoch();
        let process = self.holders[at].process.as_mut()?;
        let mut changed = false;
        match action {
            Serve(_) => process.served(&mut self.database, bounds)?,
            CarryOut(_) => changed = process.carry_out(&mut self.database, bounds),
            Hear(_) => process.hear_answer(now)?,
            Tick(_) => self.timeouts += process.tick(now, bounds.timeouts - self.timeouts)?,
            Doorbell(_) => {
                let effects = process.node.step(Event::Doorbell { epoch }, now);
                process.told(effects);
            }
            HearPush(_) => process.hear_push(now)?,
            Stop(_) => {
                let effects = process.node.step(Event::Stop, now);
                process.told(effects);
                self.stops += 1;
            }
            Fetch(_) => {
                process.fetch(&self.database);
                self.fetches += 1;
            }
            Put(_) => process.put(bounds)?,
            Verify(_) => process.verify(now, bounds, &mut self.verdict),
            _ => {
                self.crashes += 1;
                self.holders[at].process = None;
                return Some(());
            }
        }
        if matches!(action, Hear(_) | HearPush(_) | Tick(_) | Doorbell(_) | Stop(_)) {
            changed = process.begin(&mut self.database, bounds);
        }
        self.revoker.hint |= changed;
        Some(())
    }

    pub fn revoker(&mut self, action: Action, bounds: &Bounds) -> Option<()> {
        let now = self.revoker.local(self.time);
        let before = self.database.primary.at();
        let (revoker, verdict) = (&mut self.revoker, &mut self.verdict);
        match action {
            ReadMembersEarly => revoker.reads_early(&self.database),
            Commit => revoker.commit(&mut self.database, bounds, verdict),
            CommitInBatch => {
                self.database.primary.push_entry(Entry::Other);
                revoker.commit(&mut self.database, bounds, verdict);
                self.database.primary.push_entry(Entry::Other);
            }
            LoseCommit => revoker.lose_commit(bounds, verdict),
            ReadBehind => revoker.reads_behind(&self.database),
            HearCommit => {
                let Stage::Committed { epoch } = revoker.stage else { return None };
                revoker.hear_commit(epoch, &self.database.primary, now, verdict);
            }
            ReadMembers { fenced } => revoker.read(&self.database, fenced, now, verdict)?,
            HearDirectly(at) => {
                let process = self.holders[at].process.as_mut()?;
                let (by, at) = process.direct.take()?;
                revoker.hear(by, at, now, verdict);
            }
            HearOfRows => revoker.take_hint(now, verdict),
            RevokerTick => revoker.tick(now, verdict)?,
            RevokerCrash => revoker.crash(bounds),
            Watch => revoker.watch(&self.database, now)?,
            _ => {
                let doomed = core::mem::take(&mut revoker.doomed);
                doomed.into_iter().for_each(|dead| self.database.primary.reap(dead));
            }
        }
        self.pushed(before, bounds);
        Some(())
    }

    /// Whoever has committed says so to all.
    fn pushed(&mut self, before: Position, bounds: &Bounds) {
        if bounds.pushes && self.database.primary.epoch() > before.epoch {
            let push = self.database.primary.push(before);
            let alive = self.holders.iter_mut().filter_map(|at| at.process.as_mut());
            alive.for_each(|process| process.push = Some(push));
        }
    }

    pub fn forget_what_is_over(&mut self, bounds: &Bounds) {
        for at in 0..self.holders.len() {
            let now = self.local(at);
            if let Some(process) = &mut self.holders[at].process {
                process.forget_what_is_over(now, bounds);
            }
        }
    }

    pub fn database(&mut self, action: Action, bounds: &Bounds) -> Option<()> {
        match action {
            CommitOther => {
                self.others += 1;
                let before = self.database.primary.at();
                self.database.primary.push_entry(Entry::Other);
                self.pushed(before, bounds);
            }
            DrawNumber => self.database.primary.push_entry(Entry::Drawn),
            Replicate => self.database.standby = Some(self.database.primary.clone()),
            FailOver => {
                self.failovers += 1;
                self.database.fail_over();
                let alive = self.holders.iter_mut().filter_map(|at| at.process.as_mut());
                alive.for_each(|process| process.fenced = true);
            }
            _ => {
                self.restores += 1;
                self.revoker.crash(bounds);
                if self.database.restore(bounds.overtaken) == Some(Entry::Token) {
                    // The promise is void: its assumption is that the primary forgets nothing.
                    self.verdict.answered = false;
                }
                let alive = self.holders.iter_mut().filter_map(|at| at.process.as_mut());
                alive.for_each(|process| process.knows_restore = false);
            }
        }
        Some(())
    }
}

impl Process {
    /// A tick that does something; how many requests it has timed out, if that is allowed.
    fn tick(&mut self, now: BootInstant, allowed: u8) -> Option<u8> {
        let mut node: Node = self.node.clone();
        let effects = node.step(Event::Tick, now);
        let timed_out = effects.iter().any(|effect| matches!(effect, Effect::Disconnect { .. }));
        if node == self.node || (timed_out && allowed == 0) {
            return None;
        }
        self.node = node;
        self.told(effects);
        Some(u8::from(timed_out))
    }
}
