//! The queue of what will happen, who reaches whom, and what was promised.

use std::collections::BTreeMap;
use std::rc::Rc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rescind_coherence::{BootInstant, Epoch, Mark, MemberRow, Position};

use super::process::{Process, What};
use super::requests::Request;
use super::{Setup, figures::Seen};
use crate::simulation::MILLISECOND;
use crate::simulation::clock::{Clock, DRIFT};
use crate::simulation::database::Server;

pub struct World {
    pub setup: Setup,
    pub rng: StdRng,
    /// True time, in microseconds.
    pub now: u64,
    queue: BTreeMap<(u64, u64), Event>,
    count: u64,
    pub processes: Vec<Process>,
    /// Of each process its edges.
    pub below: Vec<Vec<usize>>,
    pub database: Server,
    /// Its rows, as long as they stay the same.
    pub rows: Option<Rc<Vec<MemberRow>>>,
    /// Nothing passes in this direction until then.
    cut: BTreeMap<(End, End), u64>,
    pub next_token: u32,
    /// Everything up to here was answered.
    pub answered: Epoch,
    /// The first late accept that there could have been.
    pub late: Option<String>,
    pub seen: Seen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Process(usize),
    Database,
}

#[derive(Debug)]
pub enum Event {
    /// On a process; what is meant for one life of it does not reach the next.
    On {
        at: usize,
        life: Option<u32>,
        what: What,
    },
    Arrives(Request),
    /// A notification or an acknowledgement that all nodes hear in the same moment.
    OnAll {
        from: Option<usize>,
        what: What,
    },
    /// Somebody wants a token revoked, on this node.
    Revoke {
        at: usize,
    },
    /// Something goes wrong; see `storm.rs`.
    Strike,
}

impl World {
    /// All started: parents before their edges, and each tier spread over a renewal.
    pub fn new(setup: Setup) -> Self {
        let mut rng = StdRng::seed_from_u64(setup.seed);
        let mut processes: Vec<Process> = vec![];
        let mut parents = vec![None];
        for (tier, &each) in setup.tiers.iter().enumerate() {
            let last = tier + 1 == setup.tiers.len();
            let first = processes.len();
            for parent in parents {
                for _ in 0..each {
                    let ppm = [0, DRIFT, -DRIFT][processes.len() % 3];
                    let clock = Clock::new(rng.random_range(0..1 << 40), ppm);
                    let incarnation = rng.random();
                    let at = processes.len();
                    processes.push(Process::new(&setup, at, incarnation, parent, !last, clock));
                }
            }
            parents = (first..processes.len()).map(Some).collect();
        }
        let mut below = vec![vec![]; processes.len()];
        for (at, process) in processes.iter().enumerate() {
            process.parent.into_iter().for_each(|up: usize| below[up].push(at));
        }
        let mut world = Self {
            setup,
            rng,
            now: 0,
            queue: BTreeMap::new(),
            count: 0,
            processes,
            below,
            database: Server::default(),
            rows: None,
            cut: BTreeMap::new(),
            next_token: 0,
            answered: 0,
            late: None,
            seen: Seen::default(),
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        let renewal = self.setup.lease_ms * MILLISECOND / 5;
        for at in 0..self.processes.len() {
            let tier = self.tier(at) as u64;
            let spread = self.rng.random_range(0..renewal);
            self.after(tier * renewal + spread, Event::On { at, life: None, what: What::Start });
        }
    }

    pub fn tier(&self, at: usize) -> usize {
        std::iter::successors(self.processes[at].parent, |&up| self.processes[up].parent).count()
    }

    /// How many nodes PostgreSQL knows: the first so many.
    pub fn nodes(&self) -> usize {
        self.setup.tiers.first().copied().unwrap_or_default()
    }

    pub fn run_until(&mut self, time: u64) {
        while let Some(next) = self.queue.first_entry().filter(|next| next.key().0 <= time) {
            let ((now, _), event) = next.remove_entry();
            self.now = now;
            self.happens(event);
        }
        self.now = time;
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::On { at, life, what } => self.on(at, life, what),
            Event::Arrives(request) => self.arrives(request),
            Event::OnAll { from, what } => {
                for at in 0..self.nodes() {
                    if from.is_none_or(|from| from != at && self.hears(at, from)) {
                        self.on(at, None, what.clone());
                    }
                }
            }
            Event::Revoke { at } => self.revoke(at),
            Event::Strike => self.strike(),
        }
    }

    fn on(&mut self, at: usize, life: Option<u32>, what: What) {
        let process = &self.processes[at];
        if life.is_some_and(|life| life != process.life) || process.stopped() {
            return;
        }
        if self.now < process.paused_until {
            return self.at(process.paused_until, Event::On { at, life, what });
        }
        self.does(at, what);
    }

    pub fn at(&mut self, time: u64, event: Event) {
        self.count += 1;
        self.queue.insert((time, self.count), event);
    }

    pub fn after(&mut self, delay: u64, event: Event) {
        self.at(self.now.saturating_add(delay), event);
    }

    /// To the same life of the same process.
    pub fn soon(&mut self, at: usize, delay: u64, what: What) {
        let life = Some(self.processes[at].life);
        self.after(delay, Event::On { at, life, what });
    }

    pub fn local(&self, at: usize) -> BootInstant {
        self.processes[at].clock.read(self.now)
    }

    /// How long a message of this mean takes.
    pub fn takes(&mut self, mean: u64) -> u64 {
        let late = self.rng.random_ratio(self.setup.delays.late_per_mille, 1_000);
        let more = if late { self.setup.delays.late_by } else { 0 };
        self.rng.random_range(mean / 2..=mean + mean / 2) + more
    }

    pub fn cut(&mut self, from: End, to: End, until: u64) {
        let cut = self.cut.entry((from, to)).or_default();
        *cut = until.max(*cut);
    }

    pub fn passes(&self, from: End, to: End) -> bool {
        self.cut.get(&(from, to)).is_none_or(|&until| self.now >= until)
    }

    /// Whether this process could accept, by its gate and its clock, what was answered as revoked.
    pub fn look_for_late_accepts(&mut self, at: usize) {
        let process = &self.processes[at];
        let open = process.gate.is_open(process.clock.read(self.now));
        if open && process.applied < self.answered && self.late.is_none() {
            let (applied, answered) = (process.applied, self.answered);
            self.late = Some(format!("{at} at {} of {answered}, at {}", applied, self.now));
        }
    }

    pub fn answered(&mut self, epoch: Epoch) {
        self.answered = self.answered.max(epoch);
        (0..self.processes.len()).for_each(|at| self.look_for_late_accepts(at));
    }
}

/// In the one history that there is here.
pub fn place(epoch: Epoch) -> Position {
    Position { epoch, mark: (epoch > 0).then_some(Mark([0; 32])) }
}
