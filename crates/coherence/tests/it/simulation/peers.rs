//! Direct connections between nodes, as far as each end knows of them, and what goes by way of the
//! database because of that: a commit notifies if not all others are connected, and so does the
//! second look at the members; and an acknowledgement goes into the row at once if not all hear it.
//!
//! A connection that is cut looks just like silence, so for a while an end believes in one that is
//! dead. Nothing but time may hang on that.

use rescind_coherence::node::Event as NodeEvent;
use rescind_coherence::{Epoch, Member, Position, settling};

use super::database::Write;
use super::network::End;
use super::process::What;
use super::server::Body;
use super::world::{Event, World};
use super::{MILLISECOND, SECOND};

/// As the product has them: how long a connection may be silent, and how long an acknowledgement
/// that all have heard may be missing from the row.
const SILENCE_MAX: u64 = 4 * SECOND;
const WRITTEN_WITHIN: u64 = 200 * MILLISECOND;

impl World {
    /// Of all others whose rows this process has read, whether each is connected, as far as it
    /// knows. Nobody knows of whoever has come since.
    pub fn reaches_all(&self, at: usize) -> bool {
        let Some(process) = &self.hosts[at].process else { return false };
        let Some(rows) = &process.rows else { return false };
        let mut others = rows.iter().filter(|row| row.member.node != self.hosts[at].id);
        others.all(|row| self.host_of(row.member).is_some_and(|to| self.connected(at, to)))
    }

    /// A process that has ended has ended its connections, too.
    fn host_of(&self, member: Member) -> Option<usize> {
        let is_here = |process: &super::host::Process| process.node.member() == member;
        self.hosts.iter().position(|host| host.process.as_ref().is_some_and(is_here))
    }

    /// Both ends say that they are there, and each believes so until the other was silent for long.
    fn connected(&self, one: usize, other: usize) -> bool {
        let ways = [(one, other), (other, one)].map(|(from, to)| (End::Host(from), End::Host(to)));
        let silent = |(from, to)| self.network.silent_for(from, to, self.now) >= SILENCE_MAX;
        self.plan.direct && !ways.into_iter().any(silent)
    }

    /// Over direct connections.
    pub fn tell_connected(&mut self, from: usize, what: impl Fn() -> What) {
        for at in (0..self.hosts.len()).filter(|&at| at != from) {
            if self.connected(from, at) {
                self.tell(End::Host(from), at, &what);
            }
        }
    }

    /// By a message that may be lost.
    pub fn tell(&mut self, from: End, at: usize, what: &impl Fn() -> What) {
        let (plan, to) = (&self.plan, End::Host(at));
        for time in self.network.message(&mut self.rng, plan, self.now, from, to) {
            self.at(time, Event::On { at, life: None, what: what() });
        }
    }

    pub fn notify_all(&mut self, epoch: Epoch) {
        self.tell_all(End::Database, || What::Hear(NodeEvent::Doorbell { epoch }));
    }

    /// Whoever has not acknowledged by the second look may be new, or its connection may be dead.
    pub fn settle_and_ring_again(&mut self, at: usize, event: settling::Event) {
        let settling::Event::Members { covers, rows, .. } = &event else {
            return self.settle(at, event);
        };
        let (covers, rows) = (*covers, rows.clone());
        self.settle(at, event);
        let Some(process) = self.process(at) else { return };
        process.rows = Some(rows);
        process.looks += 1;
        if process.looks > 1 && !process.waiting.is_empty() {
            self.judge.seen.rung_again += 1;
            let server = self.connect();
            self.ask(at, server, Body::Ring { epoch: covers });
        }
    }

    /// Into the row: at once if anybody hears it no other way.
    pub fn speak(&mut self, at: usize, member: Member, applied: Position) {
        let delay = if self.reaches_all(at) { WRITTEN_WITHIN } else { 0 };
        let life = Some(self.hosts[at].life);
        let Some(process) = self.process(at) else { return };
        process.told = Some((member, applied));
        self.after(delay, Event::On { at, life, what: What::WriteWords });
    }

    pub fn write_words(&mut self, at: usize) {
        let Some(process) = self.process(at) else { return };
        if process.told == process.written {
            return;
        }
        process.written = process.told;
        if let Some((member, applied)) = process.told {
            let server = self.connect();
            self.ask(at, server, Body::Silent(Write::Acknowledge(member, applied)));
        }
    }
}
