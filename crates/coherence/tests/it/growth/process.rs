//! One process: the driver of its machines, as small as it can be. What it does takes no time.

use std::rc::Rc;

use rescind_coherence::node::{Effect, Event as NodeEvent};
use rescind_coherence::{
    BootInstant, Epoch, Gate, Incarnation, Member, MemberRow, Node, NodeId, Position, Reaper,
    Rules, Settled, Settler, Timing, settling,
};

use super::edges::Edges;
use super::requests::Body;
use super::world::{Event, World, place};
use super::{Setup, TreeRule};
use crate::simulation::MILLISECOND;
use crate::simulation::clock::Clock;
use crate::simulation::database::Write;

/// As the product has it: the rows are read soon after somebody had to be waited out.
const WATCH_SOON: u64 = 20 * MILLISECOND;
/// No timer runs out sooner.
const TIMER: u64 = MILLISECOND;

#[derive(Debug)]
pub struct Process {
    pub parent: Option<usize>,
    pub clock: Clock,
    /// Counts its starts.
    pub life: u32,
    /// It stands still. For ever, if nobody says until when.
    pub paused_until: u64,
    pub stopped_at: Option<u64>,

    pub node: Node,
    pub gate: Gate,
    pub settler: Settler,
    pub reaper: Reaper,
    /// The rows of all members, as they were read last.
    pub rows: Rc<Vec<MemberRow>>,
    /// The index holds exactly the changes up to here.
    pub applied: Epoch,
    pub loaded: bool,
    /// If it has edges.
    pub edges: Option<Edges>,

    /// By the own clock: when the log was asked for last, and how long the parent's lease lasts.
    pub asked_log: BootInstant,
    pub parent_until: BootInstant,
    /// The log is read for a lease.
    pub renewing: bool,
    pub words: Words,
    /// Committed, not settled; and since when somebody waits for the answer.
    pub waiting: Vec<(Epoch, u64)>,
    pub looks: u32,
    wake: u64,
    settler_wake: u64,
    pub edges_wake: u64,
    watch: u64,
}

/// Acknowledgements that are to be written into the row.
#[derive(Debug, Default)]
pub struct Words {
    pub told: Option<(Member, Epoch)>,
    pub written: Option<(Member, Epoch)>,
    pub busy: bool,
}

#[derive(Clone, Debug)]
pub enum What {
    Start,
    Hear(NodeEvent<()>),
    /// An answer to a reading of the log, and how much is left of the parent's lease.
    Log(NodeEvent<()>, Option<u64>),
    Settle(settling::Event),
    /// From an edge of this process.
    EdgeApplied(Member, Epoch),
    Wake(u64),
    SettlerWake(u64),
    EdgesWake(u64),
    Watch(u64),
    Members {
        covers: Option<Epoch>,
        epoch: Epoch,
        rows: Rc<Vec<MemberRow>>,
    },
    WriteWords,
    WordsWritten,
    Committed {
        epoch: Epoch,
        since: u64,
        /// Read behind the commit.
        rows: Rc<Vec<MemberRow>>,
    },
    CaughtUp(Epoch),
}

impl Process {
    pub fn new(
        setup: &Setup,
        at: usize,
        incarnation: u128,
        parent: Option<usize>,
        has_edges: bool,
        clock: Clock,
    ) -> Self {
        let timing = Timing::new(core::time::Duration::from_millis(setup.lease_ms)).unwrap();
        let member = Member { node: NodeId(at as u128), incarnation: Incarnation(incarnation) };
        Self {
            parent,
            clock,
            life: 0,
            paused_until: 0,
            stopped_at: None,
            node: Node::new(member, timing, Rules::ALL),
            gate: Gate::sealed(),
            settler: Settler::new(timing, Rules::ALL),
            reaper: Reaper::new(timing, Rules::ALL),
            rows: Rc::default(),
            applied: 0,
            loaded: false,
            edges: has_edges.then(|| Edges::new(timing)),
            asked_log: BootInstant::from_millis(0),
            parent_until: BootInstant::from_millis(0),
            renewing: false,
            words: Words::default(),
            waiting: vec![],
            looks: 0,
            wake: 0,
            settler_wake: 0,
            edges_wake: 0,
            watch: 0,
        }
    }

    pub fn stopped(&self) -> bool {
        self.stopped_at.is_some()
    }

    /// What this process may say that it has applied.
    pub fn may_say(&self, setup: &Setup) -> Epoch {
        match &self.edges {
            Some(edges) if setup.keeps(TreeRule::WaitForTheEdges) => edges.settled,
            _ => self.applied,
        }
    }
}

impl World {
    pub fn does(&mut self, at: usize, what: What) {
        let process = &mut self.processes[at];
        match what {
            What::Start => {
                self.watch_after(at, 0);
                self.hear(at, NodeEvent::Tick);
            }
            What::Hear(event) => {
                if let NodeEvent::Loaded { at: Position { epoch, .. }, .. } = event {
                    (process.loaded, process.applied) = (true, epoch);
                    process.gate.reached(epoch);
                    self.has_applied(at, epoch);
                }
                self.hear(at, event);
            }
            What::Log(event, left) => {
                let counted = if self.setup.keeps(TreeRule::CountFromTheQuestion) {
                    process.asked_log
                } else {
                    process.clock.read(self.now)
                };
                process.parent_until =
                    left.map_or(BootInstant::NEVER, |ms| counted.plus_millis(ms));
                self.hear(at, event);
            }
            What::Settle(event) => self.settle(at, event),
            What::EdgeApplied(by, epoch) => self.edge_applied(at, by, epoch),
            What::Wake(wake) if wake == process.wake => self.hear(at, NodeEvent::Tick),
            What::SettlerWake(wake) if wake == process.settler_wake => {
                self.settle(at, settling::Event::Tick);
            }
            What::EdgesWake(wake) if wake == process.edges_wake => {
                self.settle_edges(at, settling::Event::Tick);
            }
            What::Watch(watch) if watch == process.watch => self.watch(at),
            What::Wake(_) | What::SettlerWake(_) | What::EdgesWake(_) | What::Watch(_) => {}
            What::Members { covers, epoch, rows } => self.members(at, covers, epoch, rows),
            What::WriteWords => self.write_words(at),
            What::WordsWritten => {
                process.words.busy = false;
                self.speak(at);
            }
            What::Committed { epoch, since, rows } => self.committed(at, epoch, since, &rows),
            What::CaughtUp(epoch) => self.publish(at, epoch),
        }
    }

    fn hear(&mut self, at: usize, event: NodeEvent<()>) {
        let now = self.local(at);
        for effect in self.processes[at].node.step(event, now) {
            self.effect(at, effect);
        }
    }

    fn effect(&mut self, at: usize, effect: Effect<()>) {
        let may_say = self.processes[at].may_say(&self.setup);
        let row = |member, lease_ms| MemberRow { member, lease_ms, applied: 0, renewals: 0 };
        let local = self.local(at);
        let process = &mut self.processes[at];
        match effect {
            Effect::Load { link, .. } => self.ask(at, Body::Load { link }),
            Effect::Register { link, member, lease_ms, .. } => {
                process.renewing = true;
                self.ask(
                    at,
                    Body::Row {
                        link,
                        write: Write::Register(row(member, lease_ms), place(may_say)),
                    },
                );
            }
            Effect::Renew { link, member, lease_ms, .. } => {
                process.renewing = true;
                self.ask(
                    at,
                    Body::Row { link, write: Write::Renew(row(member, lease_ms), place(may_say)) },
                );
            }
            Effect::ReadLog { link, .. } => {
                process.asked_log = local;
                let for_lease = std::mem::take(&mut process.renewing);
                self.ask(at, Body::Log { link, for_lease });
            }
            Effect::Apply { at: Position { epoch, .. }, .. } => {
                if epoch > process.applied {
                    self.applies(at, epoch);
                }
            }
            Effect::OpenUntil { end } => {
                let bound = if self.setup.keeps(TreeRule::WithinTheParent) {
                    process.parent_until
                } else {
                    BootInstant::NEVER
                };
                process.gate.open_until(end.min(bound));
                self.look_for_late_accepts(at);
            }
            Effect::Seal => process.gate.seal(),
            // Otherwise it is said when the edges have it.
            Effect::Acknowledge { at: Position { epoch, .. }, .. } if may_say >= epoch => {
                self.say(at, epoch)
            }
            Effect::Acknowledge { .. } => {}
            Effect::WakeAt { at: wake_at } => {
                process.wake += 1;
                let what = What::Wake(process.wake);
                self.wake(at, wake_at, what);
            }
            Effect::Forget { member } => self.ask(at, Body::Forget { member }),
            Effect::Disconnect { .. } | Effect::Alarm(_) => {}
            Effect::Unregister { .. } | Effect::Stopped => unreachable!("nobody is told to stop"),
        }
    }

    /// Never at once: a machine may ask for a moment that has passed, for as long as something else
    /// is missing.
    pub fn wake(&mut self, at: usize, wake_at: BootInstant, what: What) {
        let time = self.processes[at].clock.when(wake_at).max(self.now + TIMER);
        let life = Some(self.processes[at].life);
        self.at(time, Event::On { at, life, what });
    }

    /// The index has moved: whoever holds a lease from this process hears of it.
    pub fn applies(&mut self, at: usize, epoch: Epoch) {
        let process = &mut self.processes[at];
        process.applied = epoch;
        process.gate.changed();
        process.gate.reached(epoch);
        self.has_applied(at, epoch);
        if self.processes[at].edges.is_some() {
            self.ring_edges(at, epoch);
        }
    }

    fn has_applied(&mut self, at: usize, epoch: Epoch) {
        let by = self.processes[at].node.member();
        if self.processes[at].edges.is_some() {
            self.settle_edges(at, settling::Event::Applied { by, at: place(epoch) });
            self.settle_edges(at, settling::Event::Committed { epoch });
        }
        let may_say = self.processes[at].may_say(&self.setup);
        self.settle(at, settling::Event::Applied { by, at: place(may_say.min(epoch)) });
    }

    pub fn settle(&mut self, at: usize, event: settling::Event) {
        let now = self.local(at);
        for effect in self.processes[at].settler.step(event, now) {
            match effect {
                settling::Effect::ReadMembers { covers } => {
                    self.ask(at, Body::Members { covers: Some(covers) });
                }
                settling::Effect::Settled(settled) => self.settled(at, settled),
                settling::Effect::WakeAt { at: wake_at } => {
                    self.processes[at].settler_wake += 1;
                    let what = What::SettlerWake(self.processes[at].settler_wake);
                    self.wake(at, wake_at, what);
                }
            }
        }
    }

    fn settled(&mut self, at: usize, settled: Settled) {
        let now = self.now;
        let of = |(epoch, _): &mut (Epoch, u64)| *epoch == settled.epoch;
        let answered: Vec<_> = self.processes[at].waiting.extract_if(.., of).collect();
        for (epoch, since) in answered {
            self.seen.revocations.push((since, now - since));
            self.answered(epoch);
        }
        if settled.waited_out > 0 {
            self.watch_after(at, WATCH_SOON);
        }
    }

    fn watch_after(&mut self, at: usize, delay: u64) {
        self.processes[at].watch += 1;
        let what = What::Watch(self.processes[at].watch);
        self.soon(at, delay, what);
    }

    /// Who is dead? A parent asks its own memory.
    fn watch(&mut self, at: usize) {
        self.watch_after(at, self.setup.lease_ms * MILLISECOND / 5);
        if self.processes[at].parent.is_none() {
            self.ask(at, Body::Members { covers: None });
        }
        self.watch_edges(at);
    }

    pub fn saw(&mut self, at: usize, rows: &Rc<Vec<MemberRow>>) {
        let (now, own) = (self.local(at), self.processes[at].node.member());
        self.processes[at].rows = Rc::clone(rows);
        for dead in self.processes[at].reaper.saw(rows, own, now) {
            self.ask(at, Body::Reap { dead });
        }
    }

    fn members(
        &mut self,
        at: usize,
        covers: Option<Epoch>,
        epoch: Epoch,
        rows: Rc<Vec<MemberRow>>,
    ) {
        self.saw(at, &rows);
        let Some(covers) = covers else { return };
        self.settle(at, settling::Event::Members { covers, epoch, rows: rows.to_vec() });
        self.processes[at].looks += 1;
        // Whoever has not acknowledged by the second look is rung by notification.
        if self.processes[at].looks > 1 && !self.processes[at].waiting.is_empty() {
            self.ask(at, Body::Ring { epoch: covers });
        }
    }
}
