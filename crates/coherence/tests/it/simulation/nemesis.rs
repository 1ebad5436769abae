//! What goes wrong, and for how long.

use rand::RngExt;
use rescind_coherence::node::Event as NodeEvent;

use super::clock::DRIFT;
use super::network::End;
use super::process::What;
use super::world::{Event, World};
use super::{MILLISECOND, SECOND};

impl World {
    /// One fault, and the time of the next.
    pub fn fault(&mut self) {
        let lease = self.plan.lease();
        let next = self.random(lease);
        self.after(next, Event::Fault);
        let at = self.random(self.plan.nodes as u64) as usize;
        // Most are short, some are longer than any lease.
        let lasts = match self.rng.random_range(0..3) {
            0 => self.random(lease / 20),
            1 => self.random(lease),
            _ => self.random(3 * lease),
        };
        match self.rng.random_range(0..14) {
            0..=2 => self.pause(at, lasts),
            3 => self.crash(at, lasts),
            4..=5 => self.cut_off(at, lasts),
            6 => {
                let other = self.random(self.hosts.len() as u64) as usize;
                self.cut_apart(at, other, lasts);
            }
            7 => {
                let ppm = [DRIFT, -DRIFT, 0][self.rng.random_range(0..3)];
                self.hosts[at].clock.drift(self.now, ppm);
            }
            8 => self.fail_over(),
            9 => {
                self.does(at, What::Hear(NodeEvent::Stop));
                self.after(lasts, Event::Start { at });
                self.trouble(at, lasts + SECOND);
            }
            10 => self.replace(at, lasts),
            11 => {
                self.database.slow = (self.now + lasts, self.rng.random_range(2..100));
                self.trouble_until = self.trouble_until.max(self.now + lasts + SECOND);
            }
            12 => (0..self.hosts.len()).for_each(|other| self.cut_apart(at, other, lasts)),
            _ => self.hosts[at].wall_stepped += self.rng.random_range(0..20_000),
        }
    }

    /// The worst moment to lose a node: it has just read the log, and now something is revoked.
    pub fn strike_after_renewal(&mut self, at: usize) {
        if self.rng.random_bool(0.97) {
            return;
        }
        let lasts = 2 * self.plan.lease();
        let ends = (0..self.hosts.len()).map(End::Host).chain([End::Database]);
        ends.for_each(|from| self.network.cut(from, End::Host(at), self.now, lasts));
        self.network.cut(End::Host(at), End::Database, self.now, lasts);
        self.trouble(at, lasts + SECOND);
        let other = self.random(self.hosts.len() as u64) as usize;
        self.revoke_one(other);
    }

    /// Its row is about to be gone, and nobody will wait for it.
    pub fn strike_after_leaving(&mut self, at: usize) {
        if self.rng.random_bool(0.7) {
            return;
        }
        let (lease, other) = (self.plan.lease(), self.random(self.hosts.len() as u64) as usize);
        let lasts = self.random(lease);
        self.pause(at, lasts);
        self.revoke_one(other);
    }

    /// The worst moment to pause one: a step is carried out by half.
    pub fn strike_between_effects(&mut self, at: usize) {
        if self.rng.random_bool(0.01) {
            let lasts = self.plan.lease();
            let lasts = self.random(lasts);
            self.pause(at, lasts);
        }
    }

    fn pause(&mut self, at: usize, lasts: u64) {
        let until = self.now + lasts;
        self.hosts[at].paused_until = until.max(self.hosts[at].paused_until);
        self.trouble(at, lasts + SECOND);
    }

    fn crash(&mut self, at: usize, lasts: u64) {
        self.end(at);
        self.after(lasts, Event::Start { at });
        self.trouble(at, lasts + SECOND);
    }

    /// From the database, in one direction or both.
    fn cut_off(&mut self, at: usize, lasts: u64) {
        self.cut(End::Host(at), End::Database, lasts);
        self.trouble(at, lasts + SECOND);
    }

    /// Direct connections alone. Nobody is in trouble: what goes through the database is enough.
    fn cut_apart(&mut self, at: usize, other: usize, lasts: u64) {
        self.cut(End::Host(at), End::Host(other), lasts);
    }

    /// One way or both.
    fn cut(&mut self, one: End, other: End, lasts: u64) {
        let ways = self.rng.random_range(1..=3);
        if ways & 1 != 0 {
            self.network.cut(one, other, self.now, lasts);
        }
        if ways & 2 != 0 {
            self.network.cut(other, one, self.now, lasts);
        }
    }

    /// The standby takes over; whoever was connected to the old primary stays so.
    fn fail_over(&mut self) {
        self.judge.seen.failovers += 1;
        let stale = self.random(2 * SECOND);
        self.database.fail_over(self.now + stale);
        let (lease, slow) = (self.plan.lease(), 300 * MILLISECOND);
        let calm = self.now + stale + slow + lease + SECOND;
        self.trouble_until = self.trouble_until.max(calm);
    }

    /// A node seems to be dead, and the host that stands by takes its place and its name.
    fn replace(&mut self, at: usize, lasts: u64) {
        let spare = self.plan.nodes;
        self.end(spare);
        self.hosts[spare].id = self.hosts[at].id;
        self.pause(at, lasts);
        self.after(0, Event::Start { at: spare });
    }
}
