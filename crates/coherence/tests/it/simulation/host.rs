//! A machine with a clock, and the process that runs on it.

use std::collections::{BTreeSet, VecDeque};

use rescind_coherence::node::{Effect, Event};
use rescind_coherence::{
    BootInstant, Epoch, Gate, Link, Member, MemberRow, Node, NodeId, Position, Reaper, Settler,
    Timing,
};

use super::clock::Clock;
use super::{Plan, Token};

/// What a reading of the log brings: the tokens that were revoked.
pub type Changes = Vec<Token>;

#[derive(Debug)]
pub struct Host {
    pub id: NodeId,
    pub clock: Clock,
    /// By how much its wall clock has stepped, in milliseconds.
    pub wall_stepped: u64,
    /// Counts its processes, so that what was meant for one does not reach the next.
    pub life: u32,
    pub process: Option<Process>,
    pub paused_until: u64,
    /// The end of the last fault that concerned it.
    pub trouble_until: u64,
}

#[derive(Debug)]
pub struct Process {
    pub node: Node,
    pub gate: Gate,
    pub settler: Settler,
    pub reaper: Reaper,

    /// The index: what is revoked, exactly up to `applied`; and which tokens it knows at all.
    pub revoked: BTreeSet<Token>,
    pub known: BTreeSet<Token>,
    pub applied: Position,
    pub loaded: bool,
    /// Whatever this process has ever seen revoked.
    pub ever_revoked: BTreeSet<Token>,

    /// Effects of the last step, and events that wait until they are carried out.
    pub effects: VecDeque<Effect<Changes>>,
    pub inbox: VecDeque<Event<Changes>>,
    /// The lease connection, and which server it leads to.
    pub connection: Option<(Link, usize)>,
    /// The last wake-ups that were asked for; earlier ones are void.
    pub wake: u64,
    pub settler_wake: u64,

    /// Revocations that wait for the next transaction, and those that are in the present one.
    pub jobs: VecDeque<Token>,
    pub batch: Option<(u64, Vec<Token>)>,
    /// Committed, not settled.
    pub waiting: Vec<(Epoch, Token)>,
    /// Only without `CommitBeforeMembers`.
    pub early_rows: Vec<MemberRow>,
    /// The members as they were read last.
    pub rows: Option<Vec<MemberRow>>,
    /// Answers about the rows since something began to wait.
    pub looks: u32,
    /// What was acknowledged last, and what of it was sent to the row.
    pub told: Option<(Member, Position)>,
    pub written: Option<(Member, Position)>,
}

impl Process {
    pub fn new(member: Member, lease_ms: u64, plan: &Plan) -> Self {
        let lease = core::time::Duration::from_millis(lease_ms);
        let timing = Timing::new(lease).unwrap();
        Self {
            node: Node::new(member, timing, plan.rules),
            gate: Gate::sealed_under(plan.rules),
            settler: Settler::new(timing, plan.rules),
            reaper: Reaper::new(timing, plan.rules),
            revoked: BTreeSet::new(),
            known: BTreeSet::new(),
            applied: Position::default(),
            loaded: false,
            ever_revoked: BTreeSet::new(),
            effects: VecDeque::new(),
            inbox: VecDeque::new(),
            connection: None,
            wake: 0,
            settler_wake: 0,
            jobs: VecDeque::new(),
            batch: None,
            waiting: vec![],
            early_rows: vec![],
            rows: None,
            looks: 0,
            told: None,
            written: None,
        }
    }

    /// Brings the index there; whether it was not there yet.
    pub fn apply(&mut self, at: Position, changes: &[Token]) -> bool {
        if !self.loaded || at.epoch <= self.applied.epoch {
            return false;
        }
        self.revoked.extend(changes);
        self.known.extend(changes);
        self.ever_revoked.extend(changes);
        self.applied = at;
        self.gate.changed();
        self.gate.reached(at.epoch);
        true
    }

    pub fn load(&mut self, at: Position, revoked: BTreeSet<Token>, keep_revoked: bool) {
        self.ever_revoked.extend(&revoked);
        self.revoked = if keep_revoked { self.ever_revoked.clone() } else { revoked };
        self.known = self.revoked.clone();
        (self.applied, self.loaded) = (at, true);
        self.gate.changed();
    }
}

impl Process {
    /// A record that was read at this epoch goes into the index, unless that has moved on.
    pub fn put(&mut self, token: Token, revoked: bool, epoch: Epoch, not_older: bool) {
        if not_older && epoch < self.applied.epoch {
            return;
        }
        self.known.insert(token);
        if revoked {
            self.revoked.insert(token);
        } else if !not_older {
            self.revoked.remove(&token);
        }
        self.gate.changed();
    }
}

impl Host {
    pub fn local(&self, now: u64) -> BootInstant {
        self.clock.read(now)
    }
}
