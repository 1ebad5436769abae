//! What one process does: the driver of the machines, as small as it can be.

use std::collections::BTreeSet;

use rand::RngExt;
use rescind_coherence::node::{Effect, Event as NodeEvent};
use rescind_coherence::{
    Alarm, Epoch, Incarnation, Link, Member, MemberRow, Position, Rule, Settler, Standing, Timing,
    View, settling,
};

use super::database::Write;
use super::host::{Changes, Process};
use super::judge::Promise;
use super::server::Body;
use super::world::{Event, World};
use super::{MILLISECOND, SECOND, Token};

#[derive(Clone, Debug)]
pub enum What {
    /// Told to the node's machine.
    Hear(NodeEvent<Changes>),
    Loaded {
        told: NodeEvent<Changes>,
        revoked: BTreeSet<Token>,
        keep_revoked: bool,
    },
    CarryOut,
    Wake(u64),
    Settle(settling::Event),
    SettlerWake(u64),
    /// The reaper looks, and sees.
    Watch,
    Rows(Vec<MemberRow>),
    /// What was acknowledged goes into the row.
    WriteWords,
    /// The writer's part: see `writer.rs`.
    Wants(Token),
    Committed {
        batch: u64,
        written: Vec<(Token, Epoch, bool)>,
        committed: Committed,
    },
    TimedOut {
        batch: u64,
    },
    PublishersLog {
        at: Position,
        changes: Changes,
    },
    /// The steps of a verification; `late` once it is known whether it began after the answer.
    Verify {
        token: Token,
        late: Option<bool>,
    },
    Look {
        token: Token,
        late: bool,
        view: View,
    },
    Decide {
        token: Token,
        late: bool,
        view: View,
    },
    /// The record of a token that was not in the index.
    Fetched {
        token: Token,
        late: bool,
        revoked: bool,
        epoch: Epoch,
    },
}

/// What whoever commits has for the others, and for whoever waits.
#[derive(Clone, Debug)]
pub struct Committed {
    pub at: Position,
    pub push: NodeEvent<Changes>,
    pub rows: settling::Event,
}

impl World {
    pub fn start(&mut self, at: usize) {
        if self.hosts[at].process.is_some() {
            return;
        }
        let member =
            Member { node: self.hosts[at].id, incarnation: Incarnation(self.rng.random()) };
        let lease = self.plan.leases[at];
        self.hosts[at].process = Some(Process::new(member, lease, &self.plan));
        self.trouble(at, SECOND);
        self.soon(at, What::Hear(NodeEvent::Tick));
        self.soon(at, What::Watch);
    }

    /// This host has a fault for so long from now.
    pub fn trouble(&mut self, at: usize, lasts: u64) {
        let until = self.now + lasts;
        self.hosts[at].trouble_until = self.hosts[at].trouble_until.max(until);
    }

    pub fn does(&mut self, at: usize, what: What) {
        match what {
            What::Hear(event) => self.hear(at, event),
            What::Loaded { told, revoked, keep_revoked } => {
                if let (NodeEvent::Loaded { at: loaded, .. }, Some(process)) =
                    (&told, self.process(at))
                {
                    process.load(*loaded, revoked, keep_revoked);
                    self.published(at);
                }
                self.hear(at, told);
            }
            What::CarryOut => self.carry_out(at),
            What::Wake(wake) => {
                if self.process(at).is_some_and(|process| process.wake == wake) {
                    self.hear(at, NodeEvent::Tick);
                }
            }
            What::Settle(event) => self.settle_and_ring_again(at, event),
            What::SettlerWake(wake) => {
                if self.process(at).is_some_and(|process| process.settler_wake == wake) {
                    self.settle(at, settling::Event::Tick);
                }
            }
            What::Watch => {
                let (server, lease) = (self.connect(), self.plan.lease());
                self.ask(at, server, Body::Rows);
                let life = Some(self.hosts[at].life);
                self.after(lease / 4, Event::On { at, life, what: What::Watch });
            }
            What::Rows(rows) => {
                self.reap(at, &rows);
                self.process(at).into_iter().for_each(|it| it.rows = Some(rows.clone()));
            }
            What::WriteWords => self.write_words(at),
            What::Wants(_)
            | What::Committed { .. }
            | What::TimedOut { .. }
            | What::PublishersLog { .. } => self.writes(at, what),
            What::Verify { .. } | What::Look { .. } | What::Decide { .. } => self.verify(at, what),
            What::Fetched { token, late, revoked, epoch } => {
                let not_older = self.keeps(Rule::FetchedIsNotOlder);
                if let Some(process) = self.process(at) {
                    process.put(token, revoked, epoch, not_older);
                }
                self.does(at, What::Verify { token, late: Some(late) });
            }
        }
    }

    pub fn hear(&mut self, at: usize, event: NodeEvent<Changes>) {
        let now = self.local(at);
        let Some(process) = self.process(at) else { return };
        if !process.effects.is_empty() {
            process.inbox.push_back(event);
            return;
        }
        process.effects = process.node.step(event, now).into();
        if !process.effects.is_empty() {
            self.soon(at, What::CarryOut);
        }
    }

    fn carry_out(&mut self, at: usize) {
        let Some(process) = self.process(at) else { return };
        let Some(effect) = process.effects.pop_front() else { return };
        self.effect(at, effect);
        let Some(process) = self.process(at) else { return };
        if !process.effects.is_empty() {
            self.soon(at, What::CarryOut);
            self.strike_between_effects(at);
        } else if let Some(event) = process.inbox.pop_front() {
            self.hear(at, event);
        }
    }

    fn effect(&mut self, at: usize, effect: Effect<Changes>) {
        let Some(process) = self.process(at) else { return };
        match effect {
            Effect::Load { link, keep_revoked } => {
                process.loaded = false;
                self.on_link(at, link, Body::Load { link, keep_revoked });
            }
            Effect::Register { link, member, lease_ms, applied } => {
                let row = MemberRow { member, lease_ms, applied: 0, renewals: 0 };
                self.on_link(at, link, Body::Write { link, write: Write::Register(row, applied) });
            }
            Effect::Renew { link, member, lease_ms, applied } => {
                let row = MemberRow { member, lease_ms, applied: 0, renewals: 0 };
                self.on_link(at, link, Body::Write { link, write: Write::Renew(row, applied) });
            }
            Effect::Unregister { link, member } => {
                self.on_link(at, link, Body::Write { link, write: Write::Unregister(member) });
                self.strike_after_leaving(at);
            }
            Effect::ReadLog { link, after } => self.on_link(at, link, Body::Log { link, after }),
            Effect::Apply { at: place, changes } => {
                if self.rng.random_bool(0.002) {
                    return self.lose_index(at);
                }
                let Some(process) = self.process(at) else { return };
                if process.apply(place, &changes) {
                    self.published(at);
                }
            }
            Effect::OpenUntil { end } => {
                process.gate.open_until(end);
                self.strike_after_renewal(at);
            }
            Effect::Seal => process.gate.seal(),
            Effect::Acknowledge { member, at: place } => {
                let event = settling::Event::Acknowledged { by: member, at: place };
                self.tell_connected(at, || What::Settle(event.clone()));
                self.settle(at, event);
                self.speak(at, member, place);
            }
            Effect::Disconnect { .. } => process.connection = None,
            Effect::Forget { member } => {
                let server = self.connect();
                self.ask(at, server, Body::Silent(Write::Unregister(member)));
            }
            Effect::WakeAt { at: wake_at } => {
                process.wake += 1;
                let (wake, life) = (process.wake, Some(self.hosts[at].life));
                let time = self.hosts[at].clock.when(wake_at).max(self.now);
                let late = self.random(2 * MILLISECOND);
                self.at(time.saturating_add(late), Event::On { at, life, what: What::Wake(wake) });
            }
            Effect::Alarm(alarm) => self.alarm(at, alarm),
            Effect::Stopped => self.end(at),
        }
    }

    /// As if the page did not fit: the rest of the step is not carried out.
    fn lose_index(&mut self, at: usize) {
        let lease = self.plan.lease();
        self.trouble(at, lease);
        let Some(process) = self.process(at) else { return };
        process.loaded = false;
        process.effects.clear();
        process.inbox.push_front(NodeEvent::IndexLost);
    }

    fn on_link(&mut self, at: usize, link: Link, body: Body) {
        let known = self.process(at).and_then(|process| process.connection);
        let server = match known {
            Some((same, server)) if same == link => server,
            _ => self.connect(),
        };
        if let Some(process) = self.process(at) {
            process.connection = Some((link, server));
        }
        self.ask(at, server, body);
    }

    /// Whoever waits is told that the outcome is unknown; epochs mean something else now.
    fn alarm(&mut self, at: usize, alarm: Alarm) {
        self.judge.seen.alarms += 1;
        let lease = self.plan.lease();
        self.trouble(at, lease);
        if alarm != Alarm::RowGone {
            let (ms, rules) = (self.plan.leases[at], self.plan.rules);
            let timing = Timing::new(core::time::Duration::from_millis(ms)).unwrap();
            if let Some(process) = self.process(at) {
                process.settler = Settler::new(timing, rules);
                process.waiting.clear();
            }
        }
    }

    /// The process is no more.
    pub fn end(&mut self, at: usize) {
        self.hosts[at].process = None;
        self.hosts[at].life += 1;
        self.hosts[at].paused_until = 0;
    }

    fn reap(&mut self, at: usize, rows: &[MemberRow]) {
        let now = self.local(at);
        let Some(process) = self.process(at) else { return };
        let own = process.node.member();
        for dead in process.reaper.saw(rows, own, now) {
            let server = self.connect();
            self.ask(at, server, Body::Silent(Write::Reap(dead)));
        }
    }

    fn verify(&mut self, at: usize, what: What) {
        let now = self.local(at);
        let Some(process) = self.hosts[at].process.as_mut() else { return };
        match what {
            What::Verify { token, late } => {
                let late = late.unwrap_or_else(|| self.judge.was_answered(token));
                let view = process.gate.view();
                self.soon(at, What::Look { token, late, view });
            }
            What::Look { token, late, .. } if process.revoked.contains(&token) => {
                self.judge.refused(token, late, &format!("{token} on {at}"));
            }
            What::Look { token, late, .. } if !process.known.contains(&token) => {
                let server = self.connect();
                self.ask(at, server, Body::Token { token, late });
            }
            What::Look { token, late, view } => self.soon(at, What::Decide { token, late, view }),
            What::Decide { token, late, view } => match process.gate.still_holds(view, || now) {
                Standing::Holds => {
                    self.judge.accepted(token, late, &format!("{token} on {at} at {}", self.now));
                }
                Standing::Changed => self.does(at, What::Verify { token, late: Some(late) }),
                Standing::Lapsed => self.sealed(at),
            },
            _ => {}
        }
    }

    /// Neither yes nor no. A node that has been well for a lease and a second answers, though.
    fn sealed(&mut self, at: usize) {
        self.judge.seen.sealed += 1;
        let grace = self.plan.lease() + SECOND;
        if self.well_since(at) + grace < self.now {
            let what = format!("{at} is sealed at {}", self.now);
            self.judge.breaks(Promise::Open, &what);
        }
    }
}
