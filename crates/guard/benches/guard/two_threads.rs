//! Two threads at once, each on a core of its own; beside one on its own, measured in the same way.
//! The time is that of the slower one, for a call: if nothing is shared, it is that of one thread.

use crate::cores;
use crate::house::{House, Size};
use crate::scattered::Scattered;
use crate::texts::{BLOCK, Texts, asked};
use criterion::{Criterion, Throughput};
use std::iter::repeat;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// What one thread shows, in turn.
type Numbers = Box<dyn Iterator<Item = u64> + Send>;

pub fn measure(c: &mut Criterion, name: &str, house: &House, size: Size, cores: [usize; 2]) {
    let mut group = c.benchmark_group(format!("threads, {name}"));
    group.throughput(Throughput::Elements(1));
    let last = size.tokens - 1;
    let cold = move || Scattered::below(size.tokens);
    let cases: [(&str, &dyn Fn() -> Vec<Numbers>); 6] = [
        ("one, hot", &|| vec![Box::new(repeat(0))]),
        ("two, hot, the same token", &|| vec![Box::new(repeat(0)), Box::new(repeat(0))]),
        ("two, hot, of the same owner", &|| vec![Box::new(repeat(0)), Box::new(repeat(1))]),
        ("two, hot, of different owners", &|| vec![Box::new(repeat(0)), Box::new(repeat(last))]),
        ("one, cold", &|| vec![Box::new(cold())]),
        ("two, cold", &|| vec![Box::new(cold()), Box::new(cold().half_way_ahead())]),
    ];
    for (case, numbers) in cases {
        group.bench_function(case, |b| {
            let mut numbers = numbers();
            b.iter_custom(|count| at_once(house, &mut numbers, count, cores));
        });
    }
    group.finish();
}

/// Each thread verifies `count` times.
fn at_once(house: &House, numbers: &mut [Numbers], count: u64, cores: [usize; 2]) -> Duration {
    let start = Start { threads: numbers.len() as u64, arrived: AtomicU64::new(0) };
    thread::scope(|scope| {
        let running: Vec<_> = numbers
            .iter_mut()
            .zip(cores)
            .map(|(numbers, core)| {
                let start = &start;
                scope.spawn(move || {
                    cores::stay_on(core);
                    one_of_them(house, numbers, count, start)
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap()).max().unwrap()
    })
}

fn one_of_them(house: &House, numbers: &mut Numbers, count: u64, start: &Start) -> Duration {
    let (mut spent, mut all) = (Duration::ZERO, true);
    for (round, begin) in (0..count).step_by(BLOCK as usize).enumerate() {
        let length = BLOCK.min(count - begin) as usize;
        let texts = Texts::of(house, numbers.by_ref().take(length));
        start.together(round as u64);
        let (took, valid) = asked(house, &texts, true);
        spent += took;
        all &= valid;
    }
    assert!(all, "each is valid");
    spent
}

/// Where threads wait for one another, awake: waking one takes as long as a good part of a block.
struct Start {
    threads: u64,
    arrived: AtomicU64,
}

impl Start {
    fn together(&self, round: u64) {
        self.arrived.fetch_add(1, Ordering::AcqRel);
        while self.arrived.load(Ordering::Acquire) < (round + 1) * self.threads {
            std::hint::spin_loop();
        }
    }
}
