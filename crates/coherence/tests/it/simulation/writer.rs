//! How a process revokes: what waits goes into one transaction; commit, publish, settle, answer.

use rand::RngExt;
use rescind_coherence::node::Event as NodeEvent;
use rescind_coherence::settling::{Effect, Event as SettlerEvent};
use rescind_coherence::{BootInstant, Epoch, Position, Rule, Settled};

use super::database::Write;
use super::process::{Committed, What};
use super::server::Body;
use super::world::{Event, World};
use super::{MILLISECOND, SECOND, Token};

/// Revocations in one transaction.
const BATCH_MAX: usize = 4;

impl World {
    pub fn writes(&mut self, at: usize, what: What) {
        match what {
            What::Wants(token) => {
                self.process(at).into_iter().for_each(|process| process.jobs.push_back(token));
                self.next_batch(at);
            }
            What::Committed { batch, written, committed } => {
                self.committed(at, batch, written, committed);
            }
            What::TimedOut { batch } => self.timed_out(at, batch),
            What::PublishersLog { at: place, changes } => self.log_read(at, place, &changes),
            _ => {}
        }
    }

    fn next_batch(&mut self, at: usize) {
        self.count += 1;
        let batch = self.count;
        let rows = self.database.servers[self.database.primary()].rows();
        let Some(process) = self.process(at) else { return };
        if process.batch.is_some() || process.jobs.is_empty() {
            return;
        }
        let jobs: Vec<_> = process.jobs.drain(..process.jobs.len().min(BATCH_MAX)).collect();
        process.batch = Some((batch, jobs.clone()));
        process.early_rows = rows;
        let server = self.connect();
        let write = Write::Revoke(jobs.into_iter().map(|token| (token, None)).collect());
        let notify = !self.reaches_all(at);
        self.ask(at, server, Body::Revoke { batch, write, notify });
        let life = Some(self.hosts[at].life);
        self.after(SECOND, Event::On { at, life, what: What::TimedOut { batch } });
    }

    fn committed(
        &mut self,
        at: usize,
        batch: u64,
        written: Vec<(Token, Epoch, bool)>,
        Committed { at: place, push, rows }: Committed,
    ) {
        let Some(process) = self.process(at) else { return };
        if process.batch.take_if(|(id, _)| *id == batch).is_none() {
            return; // It has timed out; nobody waits any more.
        }
        let last = written.iter().map(|(_, epoch, _)| *epoch).max().unwrap_or_default();
        self.settle(at, rows);
        self.publish(at, &written, place, last);
        // Numbers of a sequence have gaps, and what lies in one may still be on its way.
        let news = written.iter().any(|(_, _, new)| *new) && self.keeps(Rule::GaplessEpochs);
        let ring = if news { push } else { NodeEvent::Doorbell { epoch: last } };
        self.tell_connected(at, || What::Hear(ring.clone()));
        self.process(at).into_iter().for_each(|process| process.looks = 0);
        for (token, epoch, new) in written {
            if !new && !self.keeps(Rule::SettleRepeats) {
                self.answered(at, token, Settled::alone(epoch));
                continue;
            }
            self.process(at).into_iter().for_each(|it| it.waiting.push((epoch, token)));
            self.settle(at, SettlerEvent::Committed { epoch });
            let (lease, since, life) = (self.plan.lease(), self.now, self.hosts[at].life);
            // A lease and its margins, by a slow clock; a request that fails, and two readings.
            let due = lease + lease / 80 + 300 * MILLISECOND + lease / 2 + SECOND / 2;
            self.after(due, Event::Due { at, life, token, since });
        }
        self.next_batch(at);
    }

    /// From memory if the index is exactly before it, and by the log otherwise.
    fn publish(
        &mut self,
        at: usize,
        written: &[(Token, Epoch, bool)],
        place: Position,
        last: Epoch,
    ) {
        let Some(process) = self.process(at) else { return };
        let new: Vec<_> = written.iter().filter(|(_, _, new)| *new).collect();
        let follows = new.first().is_some_and(|(_, epoch, _)| *epoch == process.applied.epoch + 1);
        let tokens: Vec<_> = new.iter().map(|(token, _, _)| *token).collect();
        if follows && process.apply(place, &tokens) {
            self.published(at);
            self.hear(at, NodeEvent::Applied { at: place });
        } else {
            self.read_up_to(at, last);
        }
    }

    fn read_up_to(&mut self, at: usize, epoch: Epoch) {
        let Some(process) = self.process(at) else { return };
        let after = process.applied.epoch;
        if after < epoch {
            let server = self.connect();
            self.ask(at, server, Body::PublishersLog { after });
        }
    }

    fn log_read(&mut self, at: usize, place: Position, changes: &[Token]) {
        let Some(process) = self.process(at) else { return };
        if process.apply(place, changes) {
            self.published(at);
            self.hear(at, NodeEvent::Applied { at: place });
        }
    }

    /// The index has moved.
    pub fn published(&mut self, at: usize) {
        if let Some(process) = self.process(at) {
            let (by, place) = (process.node.member(), process.applied);
            self.settle(at, SettlerEvent::Applied { by, at: place });
        }
    }

    /// Unknown: it may have happened. The client may ask again, here or elsewhere.
    fn timed_out(&mut self, at: usize, batch: u64) {
        let Some(process) = self.process(at) else { return };
        let Some((_, jobs)) = process.batch.take_if(|(id, _)| *id == batch) else { return };
        for token in jobs {
            if !self.keeps(Rule::KnownOutcome) {
                self.answered(at, token, Settled::alone(0));
            }
            if self.rng.random_bool(0.7) {
                let (other, delay) = (self.random(self.hosts.len() as u64), self.random(SECOND));
                let (at, what) = (other as usize, What::Wants(token));
                self.after(delay, Event::On { at, life: None, what });
            }
        }
        self.next_batch(at);
    }

    pub fn settle(&mut self, at: usize, event: SettlerEvent) {
        let stepped = if self.keeps(Rule::MonotonicWait) { 0 } else { self.hosts[at].wall_stepped };
        let now = BootInstant::from_millis(self.local(at).as_millis() + stepped);
        let Some(process) = self.process(at) else { return };
        for effect in process.settler.step(event, now) {
            match effect {
                Effect::ReadMembers { covers } => self.read_members(at, covers),
                Effect::Settled(settled) => self.settled(at, settled),
                Effect::WakeAt { at: wake_at } => {
                    let boot = wake_at.as_millis().saturating_sub(stepped);
                    self.wake_settler(at, BootInstant::from_millis(boot));
                }
            }
        }
    }

    fn wake_settler(&mut self, at: usize, wake_at: BootInstant) {
        let time = self.hosts[at].clock.when(wake_at).max(self.now);
        let late = self.random(2 * MILLISECOND);
        let life = Some(self.hosts[at].life);
        let Some(process) = self.process(at) else { return };
        process.settler_wake += 1;
        let what = What::SettlerWake(process.settler_wake);
        self.at(time.saturating_add(late), Event::On { at, life, what });
    }

    fn read_members(&mut self, at: usize, covers: Epoch) {
        if self.keeps(Rule::CommitBeforeMembers) {
            let server = self.connect();
            return self.ask(at, server, Body::Members { covers });
        }
        let Some(process) = self.process(at) else { return };
        let rows = process.early_rows.clone();
        let event = SettlerEvent::Members { covers, epoch: covers, rows };
        self.soon(at, What::Settle(event));
    }

    fn settled(&mut self, at: usize, settled: Settled) {
        let Some(process) = self.process(at) else { return };
        let of = |(epoch, _): &mut (Epoch, Token)| *epoch == settled.epoch;
        let tokens: Vec<_> = process.waiting.extract_if(.., of).map(|(_, token)| token).collect();
        tokens.into_iter().for_each(|token| self.answered(at, token, settled));
    }

    /// And everybody tries at once whether it is true.
    fn answered(&mut self, from: usize, token: Token, settled: Settled) {
        self.judge.answered(token, self.now);
        self.judge.seen.acknowledged += u64::from(settled.acknowledged);
        self.judge.seen.waited_out += u64::from(settled.waited_out);
        if self.plan.trace {
            println!("{:>10} answered {token} by {from}: {settled:?}", self.now);
        }
        let lease = self.plan.lease();
        for at in 0..self.hosts.len() {
            for delay in [0, 200, 2_000, 20_000, lease / 50, lease / 5, lease / 2, lease] {
                let what = What::Verify { token, late: None };
                self.after(delay, Event::On { at, life: None, what });
            }
        }
    }
}
