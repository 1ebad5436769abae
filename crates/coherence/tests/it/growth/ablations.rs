//! The tree under faults: the promise holds with all its rules, and without any one of them some
//! seed breaks it.

use super::world::{Event, World};
use super::{Delays, Setup, TreeRule};
use crate::simulation::MILLISECOND;

/// With all rules; without one, as many as it takes, and far more than it should.
const SEEDS: u64 = 150;
const SEEDS_MAX: u64 = 2_000;
/// How long each is watched.
const LEASES: u64 = 30;

fn stormy(seed: u64, left_out: Option<TreeRule>) -> World {
    let delays = Delays { late_per_mille: 20, late_by: 300 * MILLISECOND, ..Delays::EVEN };
    let tiers = [&[2, 2][..], &[2, 1, 2], &[1, 3], &[2, 2, 2]][(seed % 4) as usize].to_vec();
    let setup = Setup { tiers, lease_ms: 1_000, delays, left_out, stormy: true, seed };
    let mut world = World::new(setup);
    let lease = world.setup.lease_ms * MILLISECOND;
    world.after(2 * lease, Event::Strike);
    let ends = LEASES * lease;
    while world.late.is_none() && world.now < ends {
        world.run_until(world.now + lease);
    }
    world
}

#[test]
fn no_process_of_a_tree_could_accept_what_was_answered() {
    let mut answered = 0;
    for seed in 0..SEEDS {
        let world = stormy(seed, None);
        assert_eq!(world.late, None, "seed {seed}");
        answered += world.seen.revocations.len();
    }
    assert!(answered as u64 > 10 * SEEDS, "too little has happened: {answered} answers");
}

fn breaks(rule: TreeRule) {
    let late = |seed: u64| stormy(seed, Some(rule)).late.map(|late| (seed, late));
    let (seed, late) = (0..SEEDS_MAX).find_map(late).expect("some seed finds it");
    println!("seed {seed}: {late}");
}

#[test]
fn parent_that_does_not_wait_for_its_edges() {
    breaks(TreeRule::WaitForTheEdges);
}

#[test]
fn edge_whose_lease_is_longer_than_its_parents() {
    breaks(TreeRule::WithinTheParent);
}

#[test]
fn rest_of_the_parents_lease_counted_from_the_answer() {
    breaks(TreeRule::CountFromTheQuestion);
}
