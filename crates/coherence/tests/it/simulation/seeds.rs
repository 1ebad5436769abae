//! Many runs with all rules, and one run by its seed.

use rescind_coherence::Rules;

use super::judge::{Judge, Promise, Seen};
use super::world::World;

/// In every run of the tests: within as many, each rule that is switched off is missed (`ablations`).
/// `SEEDS=…` asks for more; `just simulate` does.
const SEEDS: u64 = 1_500;

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|number| number.parse().unwrap())
}

fn kept(seed: u64, judge: &Judge) {
    let again = "SEED=… cargo nextest run -p rescind-coherence one_seed --no-capture";
    assert!(judge.broken.is_empty(), "seed {seed}: {:?}; {again}", judge.broken);
}

#[test]
fn promises_are_kept_in_every_run() {
    let (first, seeds) = (asked("SEED").unwrap_or(0), asked("SEEDS").unwrap_or(SEEDS));
    println!("seeds {first} to {}", first + seeds - 1);
    let mut seen = Seen::default();
    for seed in first..first + seeds {
        println!("seed {seed}");
        let judge = World::new(seed, Rules::ALL, false).run_until(&Promise::ALL);
        kept(seed, &judge);
        seen += judge.seen;
    }
    println!("{seen:?}");
    let happened = [
        seen.accepted,
        seen.refused,
        seen.sealed,
        seen.answered,
        seen.acknowledged,
        seen.waited_out,
        seen.late,
        seen.failovers,
        seen.reaped,
        seen.unnotified,
        seen.rung_again,
    ];
    assert!(happened.iter().all(|&times| times > seeds), "too little has happened: {seen:?}");
}

#[test]
fn one_seed_shows_its_steps_and_repeats_them() {
    let seed = asked("SEED").unwrap_or(0);
    println!("seed {seed}");
    let judge = World::new(seed, Rules::ALL, asked("SEED").is_some()).run_until(&Promise::ALL);
    let again = World::new(seed, Rules::ALL, false).run_until(&Promise::ALL);
    assert_eq!(format!("{judge:?}"), format!("{again:?}"));
    kept(seed, &judge);
}
