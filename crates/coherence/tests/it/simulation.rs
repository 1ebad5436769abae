//! A cluster in virtual time: the machines that ship, on hosts whose clocks drift, over a network
//! that delays, loses and doubles, with a PostgreSQL that fails over.
//!
//! The model tries every order of few steps; this tries one random order of very many, with real
//! lengths of leases and several nodes. A run is a function of its seed: the seed is printed first,
//! and `SEED=… cargo nextest run … one_seed --no-capture` shows that run, step by step.
//!
//! What is asserted at every step, by [`judge`](self::judge): **P** and **P′**; that no token is
//! refused that nobody revoked; that a revocation is answered within a lease and its margins while
//! its node and the database are well; and that a node which is well is not sealed.
//!
//! Commit, replication, visibility and notification are events of their own, as are the steps of a
//! verification and the effects of one step of a machine; a pause can fall between any two.

#[cfg(feature = "ablation")]
mod ablations;
pub mod clock;
pub mod database;
mod host;
mod judge;
mod nemesis;
mod network;
mod peers;
mod process;
mod seeds;
mod server;
mod world;
mod writer;

use rand::RngExt;
use rand::rngs::StdRng;
use rescind_coherence::Rules;

pub type Token = u32;

/// One thousandth of a millisecond of true time, the unit of the simulation.
pub const MILLISECOND: u64 = 1_000;
pub const SECOND: u64 = 1_000 * MILLISECOND;

/// What a seed decides before anything happens.
#[derive(Clone, Debug)]
pub struct Plan {
    pub rules: Rules,
    /// Nodes; one more host stands by, to replace one of them.
    pub nodes: usize,
    /// For each host, in milliseconds.
    pub leases: Vec<u64>,
    pub ends_at: u64,
    /// Nodes ring and acknowledge over direct connections.
    pub direct: bool,
    /// Of messages that may be lost: how many of a thousand are, and how many come twice.
    pub lost_per_mille: u32,
    pub doubled_per_mille: u32,
    pub trace: bool,
}

impl Plan {
    fn draw(rng: &mut StdRng, rules: Rules, trace: bool) -> Self {
        let nodes = rng.random_range(2..=4);
        let lease = [1_000, 1_000, 2_000, 5_000][rng.random_range(0..4)];
        let mixed = rng.random_bool(0.2);
        let draw = |_| if mixed && rng.random_bool(0.5) { lease * 2 } else { lease };
        let leases: Vec<_> = (0..=nodes).map(draw).collect();
        let lost_per_mille = [0, 20, 300, 1_000][rng.random_range(0..4)];
        Self {
            rules,
            nodes,
            ends_at: 12 * lease * MILLISECOND,
            leases,
            lost_per_mille,
            direct: rng.random_bool(0.8),
            doubled_per_mille: rng.random_range(0..200),
            trace,
        }
    }

    /// The longest lease in true time, in microseconds.
    pub fn lease(&self) -> u64 {
        self.leases.iter().max().copied().unwrap_or_default() * MILLISECOND
    }
}
