//! What one verification costs in process, with a thousand and a million tokens in the index.
//!
//! `cargo bench -p rescind-guard --bench guard`. Each figure stands beside the bare hash or MAC
//! that no verification can do without.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod house;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use house::House;
use rescind_core::Digest;
use rescind_core::signature::SignedRequest;
use std::hint::black_box;

const SIZES: [(usize, &str); 2] = [(1_000, "1k"), (1_000_000, "1M")];

fn limits(c: &mut Criterion) {
    let text = House::with_tokens(1).token(0).to_owned();
    c.bench_function("limit/sha256 of a token", |b| {
        b.iter(|| Digest::of(black_box(text.as_bytes())))
    });
    let house = House::with_tokens(1);
    for (body, name) in [(&b""[..], "no body"), (&[b'x'; 1_024], "1 KiB")] {
        let request = SignedRequest::with_body("POST", "/orders", body);
        let key = house.secret.key();
        c.bench_function(&format!("limit/hmac, base64, {name}"), |b| {
            b.iter(|| key.sign(black_box(&house.timestamp), &request));
        });
    }
}

fn bearer(c: &mut Criterion) {
    for (size, name) in SIZES {
        let house = House::with_tokens(size);
        let mut group = c.benchmark_group(format!("bearer/{name}"));
        group.throughput(Throughput::Elements(1));
        group.bench_function("hot", |b| b.iter(|| house.bearer(black_box(house.token(0)))));
        let mut at = 0;
        group.bench_function("cold", |b| {
            b.iter_batched(
                || {
                    // A large odd stride visits every token in an order that no cache foresees.
                    at = (at + 618_033_989) % size;
                    house.token(at)
                },
                |token| house.bearer(token),
                BatchSize::SmallInput,
            );
        });
        let unknown = "api_prod_00000000000000000000000000000000000000";
        group.bench_function("unknown", |b| b.iter(|| house.bearer(black_box(unknown))));
        group.finish();
    }
}

fn signed(c: &mut Criterion) {
    for (size, name) in SIZES {
        let house = House::with_tokens(size);
        let mut group = c.benchmark_group(format!("signed/{name}"));
        group.throughput(Throughput::Elements(1));
        for (body, name) in [(&b""[..], "no body"), (&[b'x'; 1_024], "1 KiB")] {
            let request = SignedRequest::with_body("POST", "/orders", body);
            let signature = house.secret.key().sign(&house.timestamp, &request);
            group
                .bench_function(name, |b| b.iter(|| house.signed(black_box(&signature), &request)));
        }
        group.finish();
    }
}

criterion_group!(benches, limits, bearer, signed);
criterion_main!(benches);
