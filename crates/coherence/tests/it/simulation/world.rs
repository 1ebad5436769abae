//! The queue of what will happen.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rescind_coherence::{BootInstant, NodeId, Rule, Rules};

use super::clock::{Clock, DRIFT};
use super::database::Database;
use super::host::{Host, Process};
use super::judge::{Judge, Promise};
use super::network::{End, Network};
use super::process::What;
use super::server::Request;
use super::{MILLISECOND, Plan, SECOND, Token};

pub struct World {
    pub plan: Plan,
    pub rng: StdRng,
    /// True time.
    pub now: u64,
    queue: BTreeMap<(u64, u64), Event>,
    /// Counts events, writes and transactions.
    pub count: u64,
    pub hosts: Vec<Host>,
    pub network: Network,
    pub database: Database,
    pub writes: BTreeMap<u64, Request>,
    pub judge: Judge,
    pub next_token: Token,
    /// The end of the last fault that concerned the database.
    pub trouble_until: u64,
}

#[derive(Debug)]
pub enum Event {
    /// On a host; if it is meant for one process, only there.
    On {
        at: usize,
        life: Option<u32>,
        what: What,
    },
    Arrives(Request),
    /// The standby has a write; it is visible on the primary.
    Replicated {
        server: usize,
        write: u64,
    },
    Visible {
        server: usize,
        write: u64,
    },
    Start {
        at: usize,
    },
    /// Somebody wants a token revoked; somebody shows one.
    Client,
    Probe,
    Fault,
    /// By now this revocation is answered, if all is well.
    Due {
        at: usize,
        life: u32,
        token: Token,
        since: u64,
    },
}

impl World {
    pub fn new(seed: u64, rules: Rules, trace: bool) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let plan = Plan::draw(&mut rng, rules, trace);
        let host = |at: usize, rng: &mut StdRng| Host {
            id: NodeId(at as u128),
            clock: Clock::new(rng.random_range(0..1_000_000 * SECOND), [0, DRIFT, -DRIFT][at % 3]),
            wall_stepped: 0,
            life: 0,
            process: None,
            paused_until: 0,
            trouble_until: 0,
        };
        let hosts = (0..=plan.nodes).map(|at| host(at, &mut rng)).collect();
        let mut world = Self {
            network: Network::new(&plan),
            plan,
            rng,
            now: 0,
            queue: BTreeMap::new(),
            count: 0,
            hosts,
            database: Database::new(),
            writes: BTreeMap::new(),
            judge: Judge::default(),
            next_token: 0,
            trouble_until: 0,
        };
        (0..world.plan.nodes).for_each(|at| world.after(at as u64, Event::Start { at }));
        for event in [Event::Client, Event::Probe, Event::Fault] {
            world.after(0, event);
        }
        world
    }

    /// To the end, or until one of these is broken.
    pub fn run_until(mut self, promises: &[Promise]) -> Judge {
        while let Some(((time, _), event)) = self.queue.pop_first() {
            let broken = promises.iter().any(|promise| self.judge.broken.contains_key(promise));
            if broken || time > self.plan.ends_at {
                break;
            }
            self.now = time;
            self.judge.seen.events += 1;
            if self.plan.trace {
                println!("{:>10} {event:?}", self.now);
            }
            self.happens(event);
        }
        self.judge
    }

    pub fn at(&mut self, time: u64, event: Event) {
        self.count += 1;
        self.queue.insert((time, self.count), event);
    }

    pub fn after(&mut self, delay: u64, event: Event) {
        self.at(self.now.saturating_add(delay), event);
    }

    pub fn random(&mut self, below: u64) -> u64 {
        self.rng.random_range(0..below.max(1))
    }

    /// On this process, in a moment; seldom a long one.
    pub fn soon(&mut self, at: usize, what: What) {
        let delay = match self.rng.random_range(0..100) {
            0 => self.random(20 * MILLISECOND),
            _ => self.random(100),
        };
        let life = Some(self.hosts[at].life);
        self.after(delay, Event::On { at, life, what });
    }

    pub fn local(&self, at: usize) -> BootInstant {
        self.hosts[at].local(self.now)
    }

    pub fn process(&mut self, at: usize) -> Option<&mut Process> {
        self.hosts[at].process.as_mut()
    }

    pub fn keeps(&self, rule: Rule) -> bool {
        self.plan.rules.keeps(rule)
    }

    /// Since when neither this host nor the database has had a fault; later than now during one.
    pub fn well_since(&self, at: usize) -> u64 {
        self.hosts[at].trouble_until.max(self.trouble_until)
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::On { at, life, what } => self.on(at, life, what),
            Event::Arrives(request) => self.arrives(request),
            Event::Replicated { server, write } if server == self.database.primary() => {
                self.replicated(write);
            }
            Event::Visible { server, write } if server == self.database.primary() => {
                self.visible(write);
            }
            Event::Replicated { .. } | Event::Visible { .. } => {} // Lost with the old primary.
            Event::Start { at } => self.start(at),
            Event::Client => self.client(),
            Event::Probe => self.probe(),
            Event::Fault => self.fault(),
            Event::Due { at, life, token, since } => {
                let well = self.hosts[at].life == life && self.well_since(at) <= since;
                if well && !self.judge.was_answered(token) {
                    let what = format!("{token} committed at {since}, not answered on {at}");
                    self.judge.breaks(Promise::Answered, &what);
                }
            }
        }
    }

    fn on(&mut self, at: usize, life: Option<u32>, what: What) {
        let host = &self.hosts[at];
        if life.is_some_and(|life| life != host.life) || host.process.is_none() {
            return;
        }
        if self.now < host.paused_until {
            // Threads that wake up together run in any order.
            let wakes = host.paused_until + self.random(MILLISECOND);
            return self.at(wakes, Event::On { at, life, what });
        }
        self.does(at, what);
    }

    /// A new connection reaches the primary, or for a while after a failover the old one.
    pub fn connect(&mut self) -> usize {
        let primary = self.database.primary();
        let stale = self.now < self.database.stale_until && self.rng.random_bool(0.4);
        if stale { primary.saturating_sub(1) } else { primary }
    }

    /// To every process, by messages that may be lost.
    pub fn tell_all(&mut self, from: End, what: impl Fn() -> What) {
        (0..self.hosts.len()).for_each(|at| self.tell(from, at, &what));
    }

    fn client(&mut self) {
        let spacing = self.plan.lease() / 12;
        let next = self.random(spacing);
        self.after(next, Event::Client);
        let at = self.random(self.hosts.len() as u64) as usize;
        if self.next_token == 0 || self.rng.random_bool(0.75) {
            return self.revoke_one(at);
        }
        let token = self.next_token - 1 - self.random(10.min(self.next_token.into())) as Token;
        self.after(0, Event::On { at, life: None, what: What::Wants(token) });
    }

    /// One that nobody has revoked before.
    pub fn revoke_one(&mut self, at: usize) {
        let token = self.next_token;
        self.next_token += 1;
        self.judge.requested(token);
        self.after(0, Event::On { at, life: None, what: What::Wants(token) });
    }

    fn probe(&mut self) {
        let spacing = self.plan.lease() / 300;
        let next = self.random(spacing);
        self.after(next, Event::Probe);
        let token = (self.next_token + 3).saturating_sub(self.random(12) as Token);
        let at = self.random(self.hosts.len() as u64) as usize;
        self.after(0, Event::On { at, life: None, what: What::Verify { token, late: None } });
    }
}
