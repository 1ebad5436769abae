//! What the named transactions of every engine have in common: the values after a change, computed
//! from those before it, and the traces that it leaves in the log and in the audit trail.
//!
//! Nothing here reads or writes: an engine brings rows, and takes away what is to be written. So a
//! rule that engines must agree on stands once.

pub(crate) mod owner;
pub(crate) mod token;

use crate::By;
use rescind_core::{NetworkSet, ScopeSet};

/// How long an `Idempotency-Key` is remembered.
const IDEMPOTENCY_MILLIS: i64 = 24 * 60 * 60 * 1_000;
/// How far ahead it is asked whether somebody can still administer.
pub(crate) const ADMINISTERED_MILLIS: i64 = 24 * 60 * 60 * 1_000;
/// Last-used times that share a savepoint; others' transactions go in between, and wait a millisecond for
/// so many.
pub(crate) const USES_PER_JOB: usize = 64;

/// `Idempotency-Key`s of this moment and before are forgotten.
pub(crate) fn forgotten(by: &By) -> i64 {
    by.at.plus_millis(-IDEMPOTENCY_MILLIS).as_millis()
}

fn blocks(networks: &NetworkSet) -> Vec<String> {
    networks.iter().map(ToString::to_string).collect()
}

fn names(scopes: &ScopeSet) -> Vec<&str> {
    scopes.iter().collect()
}

/// The names of what holds.
fn holding<const N: usize>(named: [(&'static str, bool); N]) -> Vec<&'static str> {
    named.into_iter().filter_map(|(name, holds)| holds.then_some(name)).collect()
}
