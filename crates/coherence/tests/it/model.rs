//! A cluster in which one token is revoked, small enough for every order of its steps to be tried.
//!
//! The node, the revoker, the reaper and the gate are the ones that ship; this model is only what
//! is around them: a database, connections, clocks and verifications. Whatever takes time is a step
//! of its own, and a step that is never taken is a pause, a partition or a lost message. So there
//! is no step "pause" or "partition": they are everywhere.
//!
//! Time is true time in ticks. A lease is two ticks long; a holder's clock may lose one tick, a
//! revoker's may gain one, and ρ is one half accordingly, so that holder and revoker meet at the
//! very tick where a margin that is too small shows.
//!
//! What is checked: **P**, no verification invoked after the revocation was answered is accepted;
//! **P′**, no accept is decided after the answer. And that the model is worth something: the token
//! is accepted before, and the revocation is answered.

mod ablations;
mod action;
mod check;
mod database;
mod full;
mod holder;
mod revoker;
mod steps;

use rescind_coherence::{BootInstant, Member, NodeId, Rule, Rules, Timing};

use self::database::Database;
use self::holder::Holder;
use self::revoker::Revoker;

/// Two ticks; ρ of one half; no ε, because ticks are exact.
const TIMING: Timing = Timing::coarse(2, 500, 0);

/// Nothing but pauses and lost messages; as long as a lease and the wait for it.
const LEAST: Bounds = Bounds::least(4);

/// What may happen, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub rules: Rules,
    pub holders: usize,
    /// All holders are called the same, as after a replacement of a node that was paused.
    pub same_name: bool,
    /// The last tick.
    pub horizon: u64,
    pub crashes: u8,
    pub timeouts: u8,
    pub stops: u8,
    pub failovers: u8,
    pub restores: u8,
    /// The backup is a moment old, nodes hold leases throughout, and others write on at once.
    pub overtaken: bool,
    /// Changes that do not concern the token.
    pub others: u8,
    /// The revocation may share its transaction with them.
    pub batches: bool,
    /// How often the token's record is fetched, as if the index did not know it.
    pub fetches: u8,
    /// How often the revocation is asked for.
    pub attempts: u8,
    /// A holder's clock may lose a tick, the revoker's may gain one.
    pub drift: bool,
    /// Acknowledgements go directly to the revoker as well.
    pub direct: bool,
    /// Whoever commits says what, directly. The last one is on its way, earlier ones are lost.
    pub pushes: bool,
    /// The rows may be read behind the commit.
    pub behind: bool,
    pub reaper: bool,
}

impl Bounds {
    pub const fn least(horizon: u64) -> Self {
        Self {
            rules: Rules::ALL,
            holders: 1,
            same_name: false,
            horizon,
            crashes: 0,
            timeouts: 0,
            stops: 0,
            failovers: 0,
            restores: 0,
            overtaken: false,
            others: 0,
            batches: false,
            fetches: 0,
            attempts: 1,
            drift: false,
            direct: false,
            pushes: false,
            behind: false,
            reaper: false,
        }
    }

    pub const fn without(self, rule: Rule) -> Self {
        Self { rules: self.rules.without(rule), ..self }
    }

    fn keeps(&self, rule: Rule) -> bool {
        self.rules.keeps(rule)
    }
}

/// What has been seen of the promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Verdict {
    pub answered: bool,
    /// P is broken.
    pub accepted_late: bool,
    /// P′ is broken.
    pub decided_late: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub time: u64,
    pub database: Database,
    pub holders: Vec<Holder>,
    pub revoker: Revoker,
    pub verdict: Verdict,
    pub crashes: u8,
    pub timeouts: u8,
    pub stops: u8,
    pub failovers: u8,
    pub restores: u8,
    pub others: u8,
    pub fetches: u8,
}

impl State {
    fn first(bounds: &Bounds) -> Self {
        let name = |at: usize| if bounds.same_name { 1 } else { 1 + at as u128 };
        let holders = (0..bounds.holders).map(|at| Holder::new(NodeId(name(at)), at, bounds));
        Self {
            time: 1,
            database: Database::new(bounds),
            holders: holders.collect(),
            revoker: Revoker::new(bounds),
            verdict: Verdict::default(),
            crashes: 0,
            timeouts: 0,
            stops: 0,
            failovers: 0,
            restores: 0,
            others: 0,
            fetches: 0,
        }
    }

    /// What a holder's clock shows.
    fn local(&self, at: usize) -> BootInstant {
        BootInstant::from_millis(self.time - self.holders[at].lag)
    }
}

/// As whom the revoker's own index acknowledges. It verifies nothing and has no row.
const REVOKER: Member = Member { node: NodeId(0), incarnation: rescind_coherence::Incarnation(0) };
