//! One thread, and nothing else happens.

use crate::house::{House, Signer, Size};
use crate::limits::BODIES;
use crate::scattered::Scattered;
use crate::texts::{Texts, in_blocks, verified};
use criterion::{Criterion, Throughput};
use rescind_core::signature::SignedRequest;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Numbers from here on have never been issued.
const UNKNOWN: u64 = 1 << 40;

pub fn bearer(c: &mut Criterion, name: &str, house: &House, size: Size) {
    let mut group = c.benchmark_group(format!("bearer, {name}"));
    group.throughput(Throughput::Elements(1));
    let text = house.text(0);
    assert!(house.bearer(text.expose()));
    group.bench_function("hot", |b| b.iter(|| house.bearer(black_box(text.expose()))));
    group.bench_function("cold", |b| {
        let mut numbers = Scattered::below(size.tokens);
        b.iter_custom(|count| in_blocks(count, |block| scattered(house, &mut numbers, block)));
    });
    let unknown = house.text(UNKNOWN);
    assert!(!house.bearer(unknown.expose()));
    group.bench_function("unknown, hot", |b| b.iter(|| house.bearer(black_box(unknown.expose()))));
    group.bench_function("unknown, cold", |b| {
        let mut numbers = UNKNOWN..;
        b.iter_custom(|count| {
            in_blocks(count, |block| {
                let texts = Texts::of(house, numbers.by_ref().take(block as usize));
                verified(house, &texts, false)
            })
        });
    });
    group.finish();
}

/// Where each look at a token is one at another owner too.
pub fn few_of_one_owner(c: &mut Criterion, name: &str, house: &House, size: Size) {
    let mut group = c.benchmark_group(format!("bearer, {name}, {} an owner", size.of_one_owner));
    group.throughput(Throughput::Elements(1));
    group.bench_function("cold", |b| {
        let mut numbers = Scattered::below(size.tokens);
        b.iter_custom(|count| in_blocks(count, |block| scattered(house, &mut numbers, block)));
    });
    group.finish();
}

fn scattered(house: &House, numbers: &mut Scattered, count: u64) -> Duration {
    let texts = Texts::of(house, numbers.take(count as usize));
    verified(house, &texts, true)
}

pub fn signed(c: &mut Criterion, name: &str, house: &House, size: Size) {
    let mut group = c.benchmark_group(format!("signed, {name}"));
    group.throughput(Throughput::Elements(1));
    for (length, body_name) in BODIES {
        let body = vec![b'x'; length];
        let request = SignedRequest::with_body("POST", "/orders", &body);
        group.bench_function(format!("{body_name}, hot"), |b| {
            let signer = Signer::numbered(0);
            b.iter_custom(|count| {
                in_blocks(count, |block| always_the_same(house, &signer, &request, block))
            });
        });
    }
    let request = SignedRequest::with_body("POST", "/orders", b"");
    group.bench_function("no body, cold", |b| {
        let mut numbers = Scattered::below(size.signers);
        b.iter_custom(|count| {
            in_blocks(count, |block| each_another(house, &mut numbers, &request, block))
        });
    });
    group.finish();
}

/// Signed anew for each block, so that the signature stays recent.
fn always_the_same(
    house: &House,
    signer: &Signer,
    request: &SignedRequest<'_>,
    count: u64,
) -> Duration {
    let signed = house.sign(signer, request);
    let mut all = true;
    let begun = Instant::now();
    for _ in 0..count {
        all &= house.signed(black_box(&signed), black_box(request));
    }
    let spent = begun.elapsed();
    assert!(all, "each is valid");
    spent
}

fn each_another(
    house: &House,
    numbers: &mut Scattered,
    request: &SignedRequest<'_>,
    count: u64,
) -> Duration {
    let signers = numbers.take(count as usize).map(Signer::numbered);
    let signed: Vec<_> = signers.map(|signer| house.sign(&signer, request)).collect();
    let mut all = true;
    let begun = Instant::now();
    for one in &signed {
        all &= house.signed(black_box(one), request);
    }
    let spent = begun.elapsed();
    assert!(all, "each is valid");
    spent
}
