//! The queue of what will happen, and the database's part of it.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rescind_coherence::{BootInstant, Epoch, NodeId, Rule, Rules, node, settling};

use super::clock::{Clock, DRIFT};
use super::database::{Database, Write, Written};
use super::host::{Host, Process};
use super::judge::{Judge, Promise};
use super::network::{End, Network};
use super::process::What;
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
    writes: BTreeMap<u64, Request>,
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

#[derive(Clone, Debug)]
pub struct Request {
    pub at: usize,
    pub life: u32,
    pub server: usize,
    pub body: Body,
}

#[derive(Clone, Debug)]
pub enum Body {
    Load {
        link: node::Link,
        keep_revoked: bool,
    },
    Log {
        link: node::Link,
        after: Epoch,
    },
    /// On the lease connection.
    Write {
        link: node::Link,
        write: Write,
    },
    /// On any other: acknowledgements and deletions, which nobody answers.
    Silent(Write),
    Revoke {
        batch: u64,
        write: Write,
    },
    PublishersLog {
        after: Epoch,
    },
    Members {
        covers: Epoch,
    },
    Rows,
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

    pub fn ask(&mut self, at: usize, server: usize, body: Body) {
        let life = self.hosts[at].life;
        let arrives = self.network.connected(&mut self.rng, self.now, End::Host(at), End::Database);
        match (arrives, &body) {
            (Some(time), _) => self.at(time, Event::Arrives(Request { at, life, server, body })),
            // The one request that the machine lets take its time: TCP's keep-alive ends it.
            (None, &Body::Load { link, .. }) => {
                let lease = self.plan.lease();
                self.trouble(at, 2 * lease);
                let what = What::Hear(node::Event::Failed { link });
                self.after(2 * lease, Event::On { at, life: Some(life), what });
            }
            (None, _) => {}
        }
    }

    fn answer(&mut self, at: usize, life: u32, what: What) {
        let arrives = self.network.connected(&mut self.rng, self.now, End::Database, End::Host(at));
        if let Some(time) = arrives {
            self.at(time, Event::On { at, life: Some(life), what });
        }
    }

    /// To every process, by messages that may be lost.
    pub fn tell_all(&mut self, from: End, what: impl Fn() -> What) {
        for at in 0..self.hosts.len() {
            let (plan, to) = (&self.plan, End::Host(at));
            for time in self.network.message(&mut self.rng, plan, self.now, from, to) {
                self.at(time, Event::On { at, life: None, what: what() });
            }
        }
    }

    fn arrives(&mut self, request: Request) {
        let Request { at, life, server, ref body } = request;
        let state = &self.database.servers[server];
        let (epoch, timeline) = (state.epoch(), Database::timeline(server));
        let what = match *body {
            Body::Load { link, keep_revoked } => {
                let revoked = state.revoked.keys().copied().collect();
                let told = node::Event::Loaded { link, epoch, timeline };
                let (lease, what) =
                    (self.plan.lease(), What::Loaded { told, revoked, keep_revoked });
                let takes = self.random(lease / 4);
                return self.after(takes, Event::On { at, life: Some(life), what });
            }
            Body::Log { link, after } => What::Hear(node::Event::Log {
                link,
                epoch,
                in_recovery: false,
                timeline,
                changes: state.after(after),
            }),
            Body::PublishersLog { after } => {
                What::PublishersLog { epoch, changes: state.after(after) }
            }
            Body::Members { covers } => {
                What::Settle(settling::Event::Members { covers, epoch, rows: state.rows() })
            }
            Body::Rows => What::Rows(state.rows()),
            _ => return self.write(request),
        };
        self.answer(at, life, what);
    }

    /// Carried out here, then on the standby, then visible; on an old primary never.
    fn write(&mut self, mut request: Request) {
        let server = request.server;
        if server != self.database.primary() {
            return;
        }
        let drawn = !self.keeps(Rule::GaplessEpochs);
        if let (true, Body::Revoke { write: Write::Revoke(tokens), .. }) =
            (drawn, &mut request.body)
        {
            for (_, epoch) in tokens {
                self.database.sequence += 1;
                *epoch = Some(self.database.sequence);
            }
        }
        self.count += 1;
        let write = self.count;
        self.writes.insert(write, request);
        let (slow_until, times) = self.database.slow;
        let slow = if self.now < slow_until { times } else { 1 };
        let (standby, shows) = (100 + self.random(700 * slow), 20 + self.random(700 * slow));
        let one_by_one = |last: &mut u64, time: u64| {
            *last = time.max(*last + 1);
            *last
        };
        if drawn {
            let jumps = self.random(100 * MILLISECOND);
            self.after(jumps, Event::Replicated { server, write });
            self.after(jumps, Event::Visible { server, write });
        } else if self.keeps(Rule::SynchronousReplication) {
            let replicated = one_by_one(&mut self.database.replicated_at, self.now + standby);
            self.at(replicated, Event::Replicated { server, write });
            let visible = one_by_one(&mut self.database.visible_at, replicated + shows);
            self.at(visible, Event::Visible { server, write });
        } else {
            let visible = one_by_one(&mut self.database.visible_at, self.now + shows);
            self.at(visible, Event::Visible { server, write });
            let lags = visible + self.random(500 * MILLISECOND);
            let replicated = one_by_one(&mut self.database.replicated_at, lags);
            self.at(replicated, Event::Replicated { server, write });
        }
    }

    fn replicated(&mut self, write: u64) {
        let apart = self.keeps(Rule::RowPerIncarnation);
        if let Some(request) = self.writes.get(&write) {
            self.database.standby.write(request.body.write(), apart);
        }
    }

    fn visible(&mut self, write: u64) {
        let apart = self.keeps(Rule::RowPerIncarnation);
        let Some(Request { at, life, server, body }) = self.writes.get(&write).cloned() else {
            return;
        };
        let written = self.database.servers[server].write(body.write(), apart);
        let epoch = self.database.servers[server].epoch();
        match (body, written) {
            (Body::Write { link, write }, Written::Rows(found)) => {
                let told = match write {
                    Write::Register(_) => node::Event::Registered { link },
                    Write::Renew(_) => node::Event::Renewed { link, found },
                    _ => node::Event::Unregistered { link },
                };
                self.answer(at, life, What::Hear(told));
            }
            (Body::Silent(Write::Acknowledge(..)), Written::Rows(true)) => {
                self.tell_all(End::Database, || What::Settle(settling::Event::RowsChanged));
            }
            (Body::Silent(Write::Reap(_)), Written::Rows(true)) => self.judge.seen.reaped += 1,
            (Body::Revoke { batch, .. }, Written::Revoked(written)) => {
                if written.iter().any(|(_, _, new)| *new) {
                    self.tell_all(End::Database, || What::Hear(node::Event::Doorbell { epoch }));
                }
                self.answer(at, life, What::Committed { batch, written });
            }
            _ => {}
        }
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

impl Body {
    fn write(&self) -> &Write {
        match self {
            Self::Write { write, .. } | Self::Silent(write) | Self::Revoke { write, .. } => write,
            read => unreachable!("{read:?} writes nothing"),
        }
    }
}
