//! One thread verifies, while on another core more is revoked than a durable store can.

use crate::cores;
use crate::house::{House, Signer, Size};
use crate::scattered::Scattered;
use crate::texts::{Texts, in_blocks, verified};
use criterion::{Criterion, Throughput};
use rescind_core::signature::SignedRequest;
use std::iter::repeat_n;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Revocations a second, and as many tokens that are issued in their place. Sixty-four callers at
/// once have reached sixteen thousand with a disk that flushes in a tenth of a millisecond.
const REVOCATIONS_A_SECOND: u64 = 20_000;
/// Between two looks at what is due: as long as a commit takes, so that what one flush carries comes
/// at once, as it does from a store.
const COMMIT: Duration = Duration::from_micros(100);

pub fn measure(
    c: &mut Criterion,
    name: &str,
    house: &House,
    size: Size,
    [here, there]: [usize; 2],
) {
    let mut group = c.benchmark_group(format!("storm, {name}"));
    group.throughput(Throughput::Elements(1));
    let storm =
        Storm { house, revoked: AtomicU64::new(0), micros: AtomicU64::new(0), size, core: there };
    // Below this number everything stays valid.
    let safe = size.tokens / 2;
    for (case, work) in
        [("bearer, hot", hot as Work), ("bearer, cold", cold), ("signed, no body", signed)]
    {
        // One after the other, so that noise which comes and goes falls on both.
        for (weather, stormy) in [("quiet", false), ("storm", true)] {
            group.bench_function(format!("{case}, {weather}"), |b| {
                let mut numbers = Scattered::below(safe);
                b.iter_custom(|count| {
                    storm.during(stormy, here, &mut || work(house, &mut numbers, count))
                });
            });
        }
    }
    group.finish();
    println!("storm, {name}: {:.0} revocations a second", storm.rate());
}

type Work = fn(&House, &mut Scattered, u64) -> Duration;

fn hot(house: &House, _: &mut Scattered, count: u64) -> Duration {
    in_blocks(count, |block| verified(house, &Texts::of(house, repeat_n(0, block as usize)), true))
}

fn cold(house: &House, numbers: &mut Scattered, count: u64) -> Duration {
    in_blocks(count, |block| {
        verified(house, &Texts::of(house, numbers.by_ref().take(block as usize)), true)
    })
}

fn signed(house: &House, _: &mut Scattered, count: u64) -> Duration {
    let (signer, request) = (Signer::numbered(0), SignedRequest::with_body("POST", "/orders", b""));
    in_blocks(count, |block| {
        let signed = house.sign(&signer, &request);
        let begun = Instant::now();
        for _ in 0..block {
            assert!(house.signed(std::hint::black_box(&signed), &request));
        }
        begun.elapsed()
    })
}

struct Storm<'h> {
    house: &'h House,
    size: Size,
    core: usize,
    revoked: AtomicU64,
    micros: AtomicU64,
}

impl Storm<'_> {
    /// Does the work on core `here`, on this storm's other one if there is to be one.
    fn during(
        &self,
        stormy: bool,
        here: usize,
        work: &mut (dyn FnMut() -> Duration + Send),
    ) -> Duration {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let storm = stormy.then(|| scope.spawn(|| self.rage(&over)));
            let working = scope.spawn(|| {
                cores::stay_on(here);
                work()
            });
            let spent = working.join();
            over.store(true, Ordering::Release);
            if let Some(storm) = storm {
                storm.join().unwrap();
            }
            spent.unwrap()
        })
    }

    /// Each of the upper half of the tokens in turn is revoked and issued again.
    fn rage(&self, over: &AtomicBool) {
        cores::stay_on(self.core);
        let (begun, mut done) = (Instant::now(), 0);
        while !over.load(Ordering::Acquire) {
            let due = begun.elapsed().as_micros() as u64 * REVOCATIONS_A_SECOND / 1_000_000;
            for _ in done..due {
                self.one();
            }
            done = done.max(due);
            thread::sleep(COMMIT);
        }
        self.micros.fetch_add(begun.elapsed().as_micros() as u64, Ordering::Relaxed);
    }

    fn one(&self) {
        let Size { tokens, of_one_owner, .. } = self.size;
        let number = tokens - 1 - self.revoked.fetch_add(1, Ordering::Relaxed) % (tokens / 2);
        self.house.revoke(number);
        self.house.issue(number, number / of_one_owner);
    }

    fn rate(&self) -> f64 {
        let seconds = self.micros.load(Ordering::Relaxed) as f64 / 1e6;
        self.revoked.load(Ordering::Relaxed) as f64 / seconds
    }
}
