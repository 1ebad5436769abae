//! How it grows: the machines that ship, on many nodes, in virtual time.
//!
//! The simulator beside this asks whether the promise is kept, and makes everything go wrong. Here
//! next to nothing does, and what is measured is what a revocation costs: how long it takes, how
//! many messages, rows and readings. Each delay is stated ([`Delays`]), and nothing else takes
//! time: no processor, no bandwidth, no queue in PostgreSQL. So what comes out is the shape (what
//! grows with the number of nodes, and how), and not how fast a cluster of a thousand would be.
//! `just growth` makes the figures of docs/growth.md.
//!
//! # The tree
//!
//! The product has no edges. What is here of them is a simulation of a design: a node holds its
//! lease from PostgreSQL, an edge holds one from its node, and perhaps has edges of its own.
//! Towards its parent an edge is what a node is towards PostgreSQL, and the same machine
//! ([`Node`](rescind_coherence::Node)); towards its edges a parent is what a revoker is, and the
//! same machine too ([`Settler`](rescind_coherence::Settler)). Two rules are the tree's own, and
//! each can be left out, to show that it is needed ([`TreeRule`]):
//!
//! **Within the parent.** Whoever waits for a silent parent waits for the parent's lease, and knows
//! of no edges. So an edge's lease must end with the lease that its parent had when it granted.
//! With each answer the parent says how much of its own lease is left, by its own clock; the edge
//! adds that to its own clock's reading *before it asked*, and trusts its lease no longer. No
//! margin is needed on the way, however deep the tree:
//!
//! ```text
//! parent  t0 ───── a ─────┬─────────── L·(1−ρ) − a ───────────┤    by the parent's clock
//! edge              asked ┴── L·(1−ρ) − a by the edge's clock ─┤   asked before a had passed
//! ```
//!
//! The pieces of the way from `t0` add up to `L·(1−ρ)`, each by a clock that loses at most ρ. So in
//! true time they take at most `L`: as long as a lease of the parent itself. One millisecond is
//! taken off for each tier, because the readings between which `a` lies are rounded down.
//!
//! **Wait for the edges.** A parent says that it has applied something only when each of its edges
//! has said so, or its lease is surely over: the rule of the revoker, with the parent's application
//! in the place of the commit. Its row says no more either.
//!
//! A parent that renews without saying so is waited for as a silent node is, once, whatever the
//! depth: the lease that the edge's is a part of was asked for before the commit.

mod ablations;
mod edges;
mod figures;
mod peers;
mod plots;
mod process;
mod requests;
mod shape;
mod storm;
mod world;

use super::simulation::MILLISECOND;

/// What is run.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How many there are under PostgreSQL, under each of these, and so on.
    pub tiers: Vec<usize>,
    pub lease_ms: u64,
    pub delays: Delays,
    pub left_out: Option<TreeRule>,
    /// The worst moments are sought out: see `storm.rs`.
    pub stormy: bool,
    pub seed: u64,
}

/// One way, in microseconds. Each message takes between half of it and one and a half of it.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    /// Between a node and PostgreSQL.
    pub database: u64,
    /// Between two nodes, over a direct connection.
    pub direct: u64,
    /// Between a parent and its edge.
    pub edge: u64,
    /// Of a thousand messages so many come late, by so much.
    pub late_per_mille: u32,
    pub late_by: u64,
}

impl Delays {
    /// A round trip to the database 1 ms, a message to another node or an edge 0.5 ms.
    pub const EVEN: Self = Self {
        database: MILLISECOND / 2,
        direct: MILLISECOND / 2,
        edge: MILLISECOND / 2,
        late_per_mille: 0,
        late_by: 20 * MILLISECOND,
    };
    pub const SOME_LATE: Self = Self { late_per_mille: 1, ..Self::EVEN };
}

/// The rules that only a tree needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeRule {
    /// Without: edges of a node that is cut off go on when everybody has waited for the node.
    WithinTheParent,
    /// Without: a node has acknowledged, and its edge accepts.
    WaitForTheEdges,
    /// What is left of the parent's lease counts from before the question. Without, from the
    /// answer: what was long on its way outlives the parent's lease.
    CountFromTheQuestion,
}

impl Setup {
    pub fn of(tiers: &[usize]) -> Self {
        Self {
            tiers: tiers.to_vec(),
            lease_ms: rescind_coherence::timing::LEASE_MILLIS_DEFAULT,
            delays: Delays::EVEN,
            left_out: None,
            stormy: false,
            seed: 0,
        }
    }

    pub fn keeps(&self, rule: TreeRule) -> bool {
        self.left_out != Some(rule)
    }
}
