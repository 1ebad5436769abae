//! What is counted, and one run that is measured.

use super::Setup;
use super::world::{Event, World};
use crate::simulation::{MILLISECOND, SECOND};

use rescind_coherence::timing::RENEWALS_PER_LEASE;

/// Between two revocations: long enough that acknowledgements are in their rows before the next.
const SPACING: u64 = SECOND / 2;

#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// When each was asked for, and how long it took, in microseconds.
    pub revocations: Vec<(u64, u64)>,
    pub renewals: u64,
    pub edge_renewals: u64,
    /// For a lease, and because somebody has rung.
    pub log_reads: u64,
    pub log_reads_rung: u64,
    /// Member rows, for a revocation, and to watch the dead.
    pub rows_read: u64,
    pub rows_watched: u64,
    /// Acknowledgements in rows.
    pub rows_written: u64,
    /// NOTIFY, and what comes of it at all listeners.
    pub notifications: u64,
    pub notified: u64,
    /// Between nodes.
    pub rings: u64,
    pub acknowledgements: u64,
    /// Between parents and edges.
    pub edge_rings: u64,
    pub edge_acknowledgements: u64,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Figures {
    pub tiers: Vec<usize>,
    /// In microseconds, the shortest first.
    pub took: Vec<u64>,
    /// In a second in which nothing is revoked.
    pub renewals: f64,
    pub log_reads: f64,
    pub rows_watched: f64,
    /// For each revocation.
    pub rung_log_reads: f64,
    pub rows_read: f64,
    pub rows_written: f64,
    pub notified: f64,
    pub direct: f64,
    pub edge: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The last process of all, an edge if there are any, stands still from the first revocation
    /// on.
    OneStopped,
}

impl Figures {
    /// Quiet for two renewals, then so many revocations, one after the other, on one node after
    /// the other.
    pub fn of(setup: &Setup, fault: Fault, revocations: u64) -> Self {
        let mut world = World::new(setup.clone());
        let renewal = setup.lease_ms / RENEWALS_PER_LEASE * MILLISECOND;
        let begins = (setup.tiers.len() as u64 + 2) * renewal;
        world.run_until(begins);
        let before = world.seen.clone();
        let quiet = 2 * renewal;
        world.run_until(begins + quiet);
        let calm = world.seen.clone();
        let stopped = (fault == Fault::OneStopped).then_some(world.processes.len() - 1);
        stopped.into_iter().for_each(|at| world.stop(at));
        let nodes = world.nodes() as u64 - u64::from(stopped.is_some_and(|at| at < world.nodes()));
        for number in 0..revocations {
            let at = (number % nodes) as usize;
            world.after(number * SPACING, Event::Revoke { at });
        }
        let ends = begins + quiet + revocations * SPACING + 2 * setup.lease_ms * MILLISECOND;
        world.run_until(ends);
        assert_eq!(world.late, None, "{setup:?}");
        let after = &world.seen;
        assert_eq!(after.revocations.len() as u64, revocations, "{setup:?}: not all are answered");
        let mut took: Vec<_> = after.revocations.iter().map(|(_, took)| *took).collect();
        took.sort_unstable();
        let a_second = |of: fn(&Seen) -> u64| {
            (of(&calm) - of(&before)) as f64 / (quiet as f64 / SECOND as f64)
        };
        let each = |of: fn(&Seen) -> u64| (of(after) - of(&calm)) as f64 / revocations as f64;
        Self {
            tiers: setup.tiers.clone(),
            took,
            renewals: a_second(|seen| seen.renewals),
            log_reads: a_second(|seen| seen.log_reads),
            rows_watched: a_second(|seen| seen.rows_watched),
            rung_log_reads: each(|seen| seen.log_reads_rung),
            rows_read: each(|seen| seen.rows_read),
            rows_written: each(|seen| seen.rows_written),
            notified: each(|seen| seen.notified),
            direct: each(|seen| seen.rings + seen.acknowledgements),
            edge: each(|seen| seen.edge_rings + seen.edge_acknowledgements),
        }
    }

    /// Those that answer verifications and have nobody below them.
    pub fn leaves(&self) -> usize {
        self.tiers.iter().product()
    }

    /// In milliseconds.
    pub fn at_most(&self, per_cent: usize) -> f64 {
        let last = self.took.len().saturating_sub(1);
        let at = (self.took.len() * per_cent).div_ceil(100).saturating_sub(1).min(last);
        self.took[at] as f64 / MILLISECOND as f64
    }

    pub fn longest(&self) -> f64 {
        self.at_most(100)
    }
}
