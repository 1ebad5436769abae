//! Who reaches whom, when, and how often.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::rngs::StdRng;

use super::Plan;

/// A host, or the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Host(usize),
    Database,
}

#[derive(Debug)]
pub struct Network {
    /// The longest delay without a fault.
    slowest: u64,
    cut: BTreeMap<(End, End), Cut>,
}

/// Nothing passes in one direction.
#[derive(Clone, Copy, Debug, Default)]
struct Cut {
    since: u64,
    until: u64,
}

impl Network {
    pub fn new(plan: &Plan) -> Self {
        Self { slowest: plan.lease() / 12, cut: BTreeMap::new() }
    }

    pub fn cut(&mut self, from: End, to: End, now: u64, lasts: u64) {
        let cut = self.cut.entry((from, to)).or_default();
        if cut.until <= now {
            cut.since = now;
        }
        cut.until = cut.until.max(now + lasts);
    }

    /// How long nothing has passed in this direction, because it is cut.
    pub fn silent_for(&self, from: End, to: End, now: u64) -> u64 {
        let cut = self.cut.get(&(from, to)).filter(|cut| now < cut.until);
        cut.map_or(0, |cut| now - cut.since)
    }

    /// When something on a connection arrives. During a cut it is lost, or it is sent again by TCP
    /// and arrives long after anybody waits for it.
    pub fn connected(&self, rng: &mut StdRng, now: u64, from: End, to: End) -> Option<u64> {
        let until = self.cut.get(&(from, to)).copied().unwrap_or_default().until;
        if now < until && rng.random_bool(0.5) {
            return None;
        }
        let slow = rng.random_bool(0.02);
        let delay =
            if slow { rng.random_range(0..self.slowest) } else { rng.random_range(50..1_500) };
        Some(now.max(until) + delay)
    }

    /// When a message arrives that nobody sends again: not at all, once, or twice.
    pub fn message(&self, rng: &mut StdRng, plan: &Plan, now: u64, from: End, to: End) -> Vec<u64> {
        if rng.random_ratio(plan.lost_per_mille, 1_000) {
            return vec![];
        }
        let copies = 1 + usize::from(rng.random_ratio(plan.doubled_per_mille, 1_000));
        (0..copies).filter_map(|_| self.connected(rng, now, from, to)).collect()
    }
}
