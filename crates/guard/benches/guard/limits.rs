//! What no verification can do without, by the libraries themselves.

use criterion::{Criterion, Throughput};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::hint::black_box;

/// Of an upload, of a large JSON body, of a small one, of a limit of many APIs, and none.
pub const BODIES: [(usize, &str); 5] =
    [(0, "no body"), (300, "300 B"), (1_024, "1 KiB"), (4_096, "4 KiB"), (1 << 20, "1 MiB")];

const TEXT: &[u8] = b"api_prod_0123456789abcdefghijABCDEFGHIJ011ahSqu";
/// What is signed besides the body: the timestamp, the method and the target.
const HEAD: &[u8] = b"2026-03-23T12:34:56.789Z\nPOST\n/orders\n";

pub fn measure(c: &mut Criterion) {
    let mut group = c.benchmark_group("limit");
    group.bench_function("SHA-256 of a token", |b| b.iter(|| Sha256::digest(black_box(TEXT))));
    let keyed = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
    for (length, name) in BODIES {
        let body = vec![b'x'; length];
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function(format!("SHA-256, {name}"), |b| {
            b.iter(|| Sha256::digest(black_box(&body)));
        });
        group.bench_function(format!("HMAC, {name}"), |b| {
            b.iter(|| {
                let mut mac = keyed.clone();
                mac.update(black_box(HEAD));
                mac.update(black_box(&body));
                mac.finalize()
            });
        });
    }
    group.finish();
}
