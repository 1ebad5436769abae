//! What one verification costs, step by step. `cargo bench -p rescind-core`

#![expect(clippy::expect_used, reason = "inputs are constants")]

use criterion::{Criterion, criterion_group, criterion_main};
use rescind_core::signature::{Secret, SignedRequest};
use rescind_core::target::unambiguous_path;
use rescind_core::{
    Authentic, Bounds, Demand, Digest, Fingerprint, NotBefore, Presented, ScopeSet, SignedHeaders,
    Timestamp, TokenKind, TokenPrefix, decide, recognise,
};
use std::hint::black_box;

const TEXT: &str = "api_prod_0123456789abcdefghijABCDEFGHIJ011ahSqu";
const TIME: &str = "2026-03-23T12:34:56.789Z";
/// None, a small JSON body, the limit of many APIs, an upload.
const BODIES: [(&str, usize); 5] =
    [("no body", 0), ("300 B", 300), ("1 KiB", 1 << 10), ("4 KiB", 4 << 10), ("1 MiB", 1 << 20)];

fn scopes(names: &[&'static str]) -> ScopeSet {
    ScopeSet::parse(names.iter().copied()).expect("scopes")
}

fn bounds(scopes: &ScopeSet) -> Bounds<'_> {
    Bounds {
        kind: TokenKind::Bearer,
        issued_at: Timestamp::MIN,
        expires_at: Some(Timestamp::MAX),
        revoked: false,
        scopes,
        owner_suspended: false,
        networks: None,
        not_before: NotBefore { owner: Some(Timestamp::MIN), ..NotBefore::default() },
        owner_networks: None,
        owner_scopes: Some(scopes),
    }
}

fn token_text(c: &mut Criterion) {
    let prefixes = ["api_prod_", "lmts_"].map(|text| TokenPrefix::parse(text).expect("a prefix"));
    c.bench_function("bearer/read", |b| b.iter(|| Presented::bearer(black_box(TEXT)).is_ok()));
    c.bench_function("bearer/recognise", |b| b.iter(|| recognise(black_box(TEXT), &prefixes)));
    c.bench_function("bearer/digest", |b| b.iter(|| Digest::of(black_box(TEXT).as_bytes())));
}

fn signature(c: &mut Criterion) {
    let key = Secret::from_bytes(vec![7; 32]).key();
    let now = Timestamp::parse(TIME).expect("a time");
    let held = scopes(&["trading"]);
    for (name, length) in BODIES {
        let body = vec![b'x'; length];
        let request = SignedRequest::with_body("POST", "/orders?market=btc", &body);
        let signature = key.sign(TIME, &request);
        let signed = SignedHeaders::parse("yMgNkJxBzzRUetgb", TIME, &signature).expect("headers");
        c.bench_function(&format!("signature/verify, {name}"), |b| {
            b.iter(|| {
                let request = black_box(&request);
                Authentic::by_signature(&key, &signed, request, now, &bounds(&held)).is_ok()
            });
        });
    }
    let signature = key.sign(TIME, &SignedRequest::with_body("GET", "/", b""));
    c.bench_function("signature/read headers", |b| {
        b.iter(|| SignedHeaders::parse("yMgNkJxBzzRUetgb", black_box(TIME), &signature).is_ok());
    });
    c.bench_function("timestamp/read", |b| b.iter(|| Timestamp::parse(black_box(TIME))));
}

fn decision(c: &mut Criterion) {
    let held = scopes(&["account_creation", "delegated_signing", "trading", "withdrawal"]);
    let needed = scopes(&["delegated_signing", "trading"]);
    let (now, any) = (Timestamp::from_millis(0), Fingerprint::from(&Digest::of(b"any")));
    let bounds = bounds(&held);
    let authentic = Authentic::by_fingerprint(&any, &any, &bounds).expect("authentic");
    let demand = Demand { admin: false, scopes: &needed, client: None };
    c.bench_function("decide", |b| b.iter(|| decide(black_box(authentic), &demand, now).is_ok()));
    let target = "/v1/markets/btc-100k/orders?limit=10&page=2";
    c.bench_function("target/path", |b| b.iter(|| unambiguous_path(black_box(target)).is_ok()));
}

criterion_group!(benches, token_text, signature, decision);
criterion_main!(benches);
