//! What goes wrong in a tree: links that are cut one way or both, parents and edges that stand
//! still or begin anew, clocks that drift.

use rand::RngExt;

use super::process::{Process, What};
use super::world::{End, Event, World};
use crate::simulation::MILLISECOND;
use crate::simulation::clock::DRIFT;

impl World {
    /// One fault, a revocation close by, and the time of the next.
    pub fn strike(&mut self) {
        let lease = self.setup.lease_ms * MILLISECOND;
        let next = self.rng.random_range(0..lease / 2);
        self.after(next, Event::Strike);
        let at = self.rng.random_range(0..self.processes.len());
        // Most are short, some are longer than any lease.
        let most = [lease / 20, lease, 3 * lease][self.rng.random_range(0..3)];
        let lasts = self.rng.random_range(0..most);
        match self.rng.random_range(0..8) {
            0..=3 => self.cut_off(at, lasts),
            4 | 5 => self.pause(at, most),
            6 => {
                let ppm = [DRIFT, -DRIFT, 0][self.rng.random_range(0..3)];
                self.processes[at].clock.drift(self.now, ppm);
            }
            _ => self.begin_anew(at),
        }
        let node = self.rng.random_range(0..self.nodes());
        let soon = self.rng.random_range(0..lease / 10);
        self.after(soon, Event::Revoke { at: node });
    }

    /// The worst moment for an edge to stand still: its parent has not renewed for long, and says
    /// how little is left.
    pub fn strike_when_little_is_left(&mut self, at: usize, left_ms: u64) {
        let little = left_ms < self.setup.lease_ms * 7 / 10;
        if self.setup.stormy && little && self.rng.random_bool(0.2) {
            self.pause(at, self.setup.lease_ms * MILLISECOND / 2);
        }
    }

    fn pause(&mut self, at: usize, most: u64) {
        let until = self.now + self.rng.random_range(0..most);
        let process = &mut self.processes[at];
        process.paused_until = until.max(process.paused_until);
    }

    /// From its parent or PostgreSQL, one way or both; from the other nodes too, now and then.
    fn cut_off(&mut self, at: usize, lasts: u64) {
        let up = self.processes[at].parent.map_or(End::Database, End::Process);
        let (here, until) = (End::Process(at), self.now + lasts);
        let ways = self.rng.random_range(1..=3);
        if ways & 1 != 0 {
            self.cut(here, up, until);
        }
        if ways & 2 != 0 {
            self.cut(up, here, until);
        }
        if up == End::Database && self.rng.random_bool(0.5) {
            for other in (0..self.nodes()).map(End::Process) {
                self.cut(here, other, until);
                self.cut(other, here, until);
            }
        }
    }

    /// Its memory is gone, and with it what it knew of its edges.
    fn begin_anew(&mut self, at: usize) {
        let old = &self.processes[at];
        let (life, parent, clock) = (old.life + 1, old.parent, old.clock.clone());
        let has_edges = old.edges.is_some();
        let incarnation = self.rng.random();
        let new = Process::new(&self.setup, at, incarnation, parent, has_edges, clock);
        self.processes[at] = new;
        self.processes[at].life = life;
        self.soon(at, MILLISECOND, What::Start);
    }

    /// It stands still for ever.
    pub fn stop(&mut self, at: usize) {
        self.processes[at].stopped_at = Some(self.now);
    }
}
