//! The hot path in instructions, which neither a busy machine nor what lies in its caches changes.
//! `bench/instructions.py` counts them and compares them with `instructions.txt` beside this file.
//!
//! Every case is made ready, called once, and then counted over [`CALLS`] calls: what only the first
//! call of a process does (a thread's place in arc-swap, lazy binding) is not what a busy server
//! does. The clock stands still, so that no call is the one that falls into the next second and
//! notes its use.
//!
//! With gungraun-runner installed, `cargo bench -p rescind-guard --bench instructions` counts too.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "who counts is told by it which case this is")]

mod house;

use gungraun::{library_benchmark, library_benchmark_group, main};
use house::{House, Signer, Size};
use http::{HeaderMap, HeaderName, HeaderValue};
use rescind_coherence::BootInstant;
use rescind_core::signature::SignedRequest;
use rescind_core::{
    Authentic, Bounds, Demand, Digest, Fingerprint, NotBefore, Presented, ScopeSet, Timestamp,
    TokenKind, decide,
};
use rescind_guard::Clock;
use rescind_guard::clock::SystemClock;
use rescind_guard::credentials::{CredentialHeaders, SigningHeaders};
use std::hint::black_box;
use std::sync::Arc;

/// Calls that are counted together. `bench/instructions.py` divides by it.
const CALLS: usize = 100;

/// A case: whether it was answered as it should be.
type Call = Box<dyn Fn() -> bool>;

#[library_benchmark]
#[benches::case(
    args = [
        "bearer text read",
        "digest",
        "signing headers read",
        "signature, no body",
        "signature, 300 B",
        "signature, 4 KiB",
        "decide",
        "credentials read, bearer",
        "credentials read, signed",
        "bearer",
        "bearer, unknown",
        "bearer, revoked",
        "signed, no body",
        "signed, 1 KiB",
    ],
    setup = ready
)]
fn calls(call: Call) -> Call {
    for _ in 0..CALLS {
        assert!(call());
    }
    call
}

library_benchmark_group!(name = verification, benchmarks = [calls]);
main!(library_benchmark_groups = verification);

fn ready(name: &str) -> Call {
    println!("{name}");
    let call = match name {
        "bearer text read" => Box::new(|| Presented::bearer(black_box(TEXT)).is_ok()),
        "digest" => digest(),
        "signing headers read" => signing_headers(),
        "signature, no body" => signature(0),
        "signature, 300 B" => signature(300),
        "signature, 4 KiB" => signature(4_096),
        "decide" => decision(),
        "credentials read, bearer" => credentials(&[("x-api-key", TEXT)]),
        "credentials read, signed" => credentials(&SIGNED),
        "bearer" => bearer(TOKEN, true),
        "bearer, unknown" => bearer(TOKENS, false),
        "bearer, revoked" => bearer(REVOKED, false),
        "signed, no body" => signed(0),
        "signed, 1 KiB" => signed(1_024),
        _ => panic!("no such case"),
    };
    assert!(call(), "it is answered as it should be");
    call
}

const TEXT: &str = "api_prod_0123456789abcdefghijABCDEFGHIJ011ahSqu";
const SIGNED: [(&str, &str); 3] = [
    ("lmts-api-key", "yMgNkJxBzzRUetgb"),
    ("lmts-timestamp", "2026-03-23T12:34:56.789Z"),
    ("lmts-signature", "oMeoGw/k9lOlgmdkx4Upqmm99pJ2pHBYkt1CRO5d6bk="),
];

fn digest() -> Call {
    let expected = Digest::of(TEXT.as_bytes());
    Box::new(move || Digest::of(black_box(TEXT).as_bytes()).as_bytes() == expected.as_bytes())
}

fn signing_headers() -> Call {
    let (house, signer) = (house(), Signer::numbered(0));
    let signed = house.sign(&signer, &SignedRequest::with_body("POST", "/orders", b""));
    Box::new(move || black_box(&signed).headers().timestamp() > Timestamp::MIN)
}

fn signature(bytes: usize) -> Call {
    let (house, signer, body) = (house(), Signer::numbered(0), vec![b'x'; bytes]);
    let signed = house.sign(&signer, &SignedRequest::with_body("POST", "/orders", &body));
    let (scopes, headers) = (scopes(), Box::leak(Box::new(signed)).headers());
    Box::new(move || {
        let request = SignedRequest::with_body("POST", "/orders", black_box(&body));
        let now = headers.timestamp();
        Authentic::by_signature(&signer.key, &headers, &request, now, &bounds(&scopes)).is_ok()
    })
}

fn decision() -> Call {
    let any = Fingerprint::from(&Digest::of(b"any"));
    let (held, needed) = (scopes(), scopes());
    Box::new(move || {
        let bounds = black_box(bounds(&held));
        let authentic = Authentic::by_fingerprint(&any, &any, &bounds).unwrap();
        let demand = Demand { admin: false, scopes: black_box(&needed), client: None };
        decide(authentic, &demand, black_box(Timestamp::from_millis(0))).is_ok()
    })
}

/// Among headers that most requests have.
fn credentials(own: &[(&'static str, &'static str)]) -> Call {
    let usual = [
        ("host", "api.example.com"),
        ("user-agent", "client/1.0"),
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("content-length", "300"),
    ];
    let both = usual.iter().chain(own);
    let headers: HeaderMap = both
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    let names = CredentialHeaders {
        api_key: HeaderName::from_static("x-api-key"),
        signing: Some(SigningHeaders::with_prefix("lmts").unwrap()),
    };
    Box::new(move || matches!(names.read(black_box(&headers)), Ok(Some(_))))
}

const TOKENS: u64 = 1_000;
const TOKEN: u64 = 7;
const REVOKED: u64 = 8;

fn bearer(number: u64, valid: bool) -> Call {
    let house = house();
    house.revoke(REVOKED);
    let text = house.text(number);
    Box::new(move || house.bearer(black_box(text.expose())) == valid)
}

fn signed(bytes: usize) -> Call {
    let (house, signer, body) = (house(), Signer::numbered(0), vec![b'x'; bytes]);
    let signed = house.sign(&signer, &SignedRequest::with_body("POST", "/orders", &body));
    Box::new(move || {
        let request = SignedRequest::with_body("POST", "/orders", black_box(&body));
        house.signed(black_box(&signed), &request)
    })
}

fn house() -> House {
    let size = Size { tokens: TOKENS, of_one_owner: TOKENS, signers: 1 };
    House::new(size, Arc::new(Standing))
}

/// Reads the machine's clocks, as a server does, and says always the same: to read a time takes more
/// or less with its digits.
struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        black_box(SystemClock.now());
        Timestamp::from_millis(1_774_269_296_789)
    }

    fn recent(&self) -> Timestamp {
        black_box(SystemClock.recent());
        Timestamp::from_millis(1_774_269_296_789)
    }

    fn boottime(&self) -> BootInstant {
        SystemClock.boottime()
    }
}

fn scopes() -> ScopeSet {
    ScopeSet::parse(["delegated_signing", "trading"]).unwrap()
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
