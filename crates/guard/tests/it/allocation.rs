//! The verification path allocates nothing: measured, not promised.

use crate::house::{House, START, Signer, ada, demand, networks, record, tenant};
use allocation_counter::measure;
use http::{HeaderMap, HeaderName, HeaderValue};
use rescind_core::signature::SignedRequest;
use rescind_core::{
    Capabilities, Demand, Owner, Plain, Presented, ScopeSet, SignedHeaders, TokenKind, TokenRecord,
};
use rescind_guard::Clock;
use rescind_guard::credentials::{CredentialHeaders, SigningHeaders};
use rescind_store::{Change, Follower};
use rstest::rstest;

/// What `ask` allocates and whether it is answered with yes, the second time: a thread's first one
/// makes its place in arc-swap.
fn second(ask: impl Fn() -> bool) -> (u64, bool) {
    let _ = ask();
    let mut accepted = false;
    let measured = measure(|| accepted = ask());
    (measured.count_total, accepted)
}

#[test]
fn bearer_verification_allocates_nothing() {
    let house = House::open();
    let (_, token) = house.issue(&["read"], None);
    let (id, revoked) = house.issue(&["read"], None);
    house.revoke(&id, Some(&revoked));
    let scopes = ScopeSet::parse(["read"]).unwrap();
    let ask = |text: &str| second(|| house.guard.bearer(text, &demand(&scopes)).is_ok());
    assert_eq!(ask(token.expose()), (0, true), "accepted");
    assert_eq!(ask(revoked.expose()), (0, false), "revoked");
    assert_eq!(ask(Plain::from_text("unknown").expose()), (0, false), "refused");
}

/// With a bound at each level, and networks on both sides.
#[test]
fn verification_of_a_bounded_token_allocates_nothing() {
    let house = House::open();
    let allowed_networks = Some(networks(&["192.0.2.0/24", "2001:db8::/32"]));
    let capabilities =
        Capabilities { allowed_networks: allowed_networks.clone(), ..ada().capabilities };
    house.guard.apply(Change::Owner(Owner { capabilities, not_before: Some(START), ..ada() }));
    for tenant in [Some(tenant()), None] {
        house.guard.apply(Change::NotBefore { tenant, start: START });
    }
    let bearer = record(TokenKind::Bearer, &[], None);
    let token = house.issue_record(TokenRecord { allowed_networks, ..bearer });
    let scopes = ScopeSet::default();
    let demand = Demand { client: Some("2001:db8::7".parse().unwrap()), ..demand(&scopes) };
    assert_eq!(second(|| house.guard.bearer(token.expose(), &demand).is_ok()), (0, true));
}

/// Whatever the body's length.
#[rstest]
#[case::no_body(0)]
#[case::one_kib(1 << 10)]
#[case::one_mib(1 << 20)]
fn signed_verification_allocates_nothing(#[case] bytes: usize) {
    let house = House::open();
    let signer = house.issue_signing(&[]);
    let body = vec![b'x'; bytes];
    let request = SignedRequest::with_body("POST", "/orders", &body);
    let (timestamp, signature) = signed_now(&house, &signer, &request);
    let scopes = ScopeSet::default();
    let ask = || {
        let signed = SignedHeaders::parse(signer.id.as_str(), &timestamp, &signature).unwrap();
        house.guard.signed(&signed, &request, &demand(&scopes)).is_ok()
    };
    assert_eq!(second(ask), (0, true), "accepted");
    house.revoke(&signer.id, None);
    assert_eq!(second(ask), (0, false), "revoked");
}

#[test]
fn credentials_are_read_from_headers_without_an_allocation() {
    let house = House::open();
    let signer = house.issue_signing(&[]);
    let request = SignedRequest::with_body("POST", "/orders", b"");
    let (timestamp, signature) = signed_now(&house, &signer, &request);
    let (_, token) = house.issue(&[], None);
    let authorization = format!("Bearer {}", token.expose());
    let signed = [
        ("lmts-api-key", signer.id.as_str()),
        ("lmts-timestamp", &timestamp),
        ("lmts-signature", &signature),
    ];
    let is_bearer = |found: &Presented<'_>| matches!(found, Presented::Bearer(_));
    let cases: [(&[(&'static str, &str)], bool); 3] = [
        (&[("x-api-key", token.expose())], true),
        (&[("authorization", &authorization)], true),
        (&signed, false),
    ];
    let names = CredentialHeaders {
        api_key: HeaderName::from_static("x-api-key"),
        signing: Some(SigningHeaders::with_prefix("lmts").unwrap()),
    };
    for (pairs, bearer) in cases {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let read =
            || names.read(&headers).unwrap().is_some_and(|found| is_bearer(&found) == bearer);
        assert_eq!(second(read), (0, true), "{:?}", pairs.first().map(|(name, _)| name));
    }
}

fn signed_now(house: &House, signer: &Signer, request: &SignedRequest<'_>) -> (String, String) {
    let timestamp = house.clock.now().to_rfc3339_millis();
    let signature = signer.secret.key().sign(&timestamp, request);
    (timestamp, signature)
}
