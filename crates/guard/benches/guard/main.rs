//! What one verification costs in process, beside the bare hash or MAC that no verification can do
//! without.
//!
//! `cargo bench -p rescind-guard --bench guard`. `RESCIND_BENCH_TOKENS=1000,10000000` chooses how
//! many tokens there are; ten million want about three GB. `bench/run --only in-process` makes the ratios of
//! it.
//!
//! Nothing is subtracted from any time. What a call needs (its text, its signature) is made before
//! the clock starts, in blocks that are small enough to leave the caches to the index.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::print_stdout, reason = "what else was measured is said beside the times")]

mod cores;
#[path = "../house/mod.rs"]
mod house;
mod limits;
mod one_thread;
mod scattered;
mod storm;
mod texts;
mod two_threads;

use criterion::{Criterion, criterion_group, criterion_main};
use house::{House, Size};
use rescind_guard::clock::SystemClock;
use std::sync::Arc;

/// Tokens of one owner, unless it is said otherwise.
const OF_ONE_OWNER: u64 = 1_000;
/// Many APIs have many users, with few tokens each.
const FEW_OF_ONE_OWNER: u64 = 5;
/// Partners sign, and there are not as many of them as of users.
const SIGNERS_MAX: u64 = 1_000_000;
/// Asked of each number of tokens by itself: with fewer owners no two of them differ.
const OWNERS_MIN: u64 = 2;

fn verification(c: &mut Criterion) {
    limits::measure(c);
    for tokens in sizes() {
        let name = name_of(tokens);
        let of_one_owner = OF_ONE_OWNER.min(tokens / OWNERS_MIN);
        let signers = tokens.min(SIGNERS_MAX);
        let size = Size { tokens, of_one_owner, signers };
        let house = House::new(size, Arc::new(SystemClock));
        one_thread::bearer(c, &name, &house, size);
        one_thread::signed(c, &name, &house, size);
        match cores::two() {
            Some(two) => {
                two_threads::measure(c, &name, &house, size, two);
                storm::measure(c, &name, &house, size, two);
            }
            None => println!("{name}: two threads and the storm are left out: one core only"),
        }
        drop(house);
        let size = Size { of_one_owner: FEW_OF_ONE_OWNER, signers: 0, ..size };
        one_thread::few_of_one_owner(c, &name, &House::new(size, Arc::new(SystemClock)), size);
    }
}

fn sizes() -> Vec<u64> {
    let asked = std::env::var("RESCIND_BENCH_TOKENS");
    let asked = asked.as_deref().unwrap_or("1000,1000000");
    asked.split(',').map(|size| size.trim().parse().unwrap()).collect()
}

/// As in `1k` and `10M`.
fn name_of(tokens: u64) -> String {
    if tokens.is_multiple_of(1_000_000) {
        format!("{}M", tokens / 1_000_000)
    } else if tokens.is_multiple_of(1_000) {
        format!("{}k", tokens / 1_000)
    } else {
        tokens.to_string()
    }
}

criterion_group!(benches, verification);
criterion_main!(benches);
