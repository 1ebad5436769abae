//! The verification path allocates nothing: measured, not promised.

use crate::house::{House, START, ada, demand, networks, record, tenant};
use allocation_counter::measure;
use rescind_core::signature::SignedRequest;
use rescind_core::{
    Capabilities, Demand, Owner, Plain, ScopeSet, SignedHeaders, TokenKind, TokenRecord,
};
use rescind_guard::Clock;
use rescind_store::{Change, Follower};

#[test]
fn bearer_verification_allocates_nothing() {
    let house = House::open();
    let (_, token) = house.issue(&["read"], None);
    let scopes = ScopeSet::parse(["read"]).unwrap();
    let demand = demand(&scopes);
    let ask = |text: &str| measure(|| drop(house.guard.bearer(text, &demand))).count_total;
    ask(token.expose()); // A thread's first one makes its place in arc-swap.
    assert_eq!(ask(token.expose()), 0, "accepted");
    assert_eq!(ask(Plain::from_text("unknown").expose()), 0, "refused");
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
    assert!(house.guard.bearer(token.expose(), &demand).is_ok());
    let mut accepted = false;
    let ask = || accepted = house.guard.bearer(token.expose(), &demand).is_ok();
    let measured = measure(ask);
    assert!(accepted);
    assert_eq!(measured.count_total, 0);
}

#[test]
fn signed_verification_allocates_nothing() {
    let house = House::open();
    let signer = house.issue_signing(&[]);
    let request = SignedRequest::with_body("POST", "/orders", &[b'x'; 1_024]);
    let timestamp = house.clock.now().to_rfc3339_millis();
    let signature = signer.secret.key().sign(&timestamp, &request);
    let scopes = ScopeSet::default();
    let ask = || {
        let signed = SignedHeaders::parse(signer.id.as_str(), &timestamp, &signature).unwrap();
        house.guard.signed(&signed, &request, &demand(&scopes)).is_ok()
    };
    assert!(ask()); // A thread's first one makes its place in arc-swap.
    let mut accepted = false;
    let measured = measure(|| accepted = ask());
    assert!(accepted);
    assert_eq!(measured.count_total, 0);
}
