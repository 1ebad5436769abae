//! The same in instructions, which a noisy machine does not change. Each hands its house back, so
//! that clearing it away does not count. valgrind has no SHA extensions: hashes cost more here than
//! on a processor that has them.
//!
//! Needs valgrind and `cargo install gungraun-runner`; `cargo bench -p rescind-guard --bench
//! instructions`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod house;

use gungraun::{library_benchmark, library_benchmark_group, main};
use house::House;
use rescind_core::signature::SignedRequest;
use std::hint::black_box;

const TOKENS: usize = 1_000;

#[library_benchmark]
#[bench::hit(House::with_tokens(TOKENS))]
fn bearer(house: House) -> (bool, House) {
    (black_box(house.bearer(black_box(house.token(7)))), house)
}

#[library_benchmark]
#[bench::miss(House::with_tokens(TOKENS))]
fn unknown(house: House) -> (bool, House) {
    let text = black_box("api_prod_00000000000000000000000000000000000000");
    (black_box(house.bearer(text)), house)
}

#[library_benchmark]
#[bench::no_body(setup = prepared, args = [0])]
#[bench::one_kib(setup = prepared, args = [1_024])]
fn signed((house, body, signature): (House, Vec<u8>, String)) -> (bool, House) {
    let request = SignedRequest::with_body("POST", "/orders", &body);
    (black_box(house.signed(black_box(&signature), &request)), house)
}

fn prepared(bytes: usize) -> (House, Vec<u8>, String) {
    let house = House::with_tokens(TOKENS);
    let body = vec![b'x'; bytes];
    let request = SignedRequest::with_body("POST", "/orders", &body);
    let signature = house.secret.key().sign(&house.timestamp, &request);
    (house, body, signature)
}

library_benchmark_group!(name = verification, benchmarks = [bearer, unknown, signed]);
main!(library_benchmark_groups = verification);
