//! The verification path allocates nothing: measured, not promised.

use crate::house::House;
use allocation_counter::measure;
use rescind_core::signature::SignedRequest;
use rescind_core::{Demand, Plain, ScopeSet, SignedHeaders};
use rescind_guard::Clock;

#[test]
fn bearer_verification_allocates_nothing() {
    let house = House::open();
    let (_, token) = house.issue(&["read"], None);
    let scopes = ScopeSet::parse(["read"]).unwrap();
    let demand = Demand { admin: false, scopes: &scopes };
    let ask = |text: &str| measure(|| drop(house.guard.bearer(text, &demand))).count_total;
    ask(token.expose()); // A thread's first one makes its place in arc-swap.
    assert_eq!(ask(token.expose()), 0, "accepted");
    assert_eq!(ask(Plain::from_text("unknown").expose()), 0, "refused");
}

#[test]
fn signed_verification_allocates_nothing() {
    let house = House::open();
    let signer = house.issue_signing(&[]);
    let request = SignedRequest { method: "POST", target: "/orders", body: &[b'x'; 1_024] };
    let timestamp = house.clock.now().to_rfc3339_millis();
    let signature = signer.secret.key().sign(&timestamp, &request);
    let demand = Demand { admin: false, scopes: &ScopeSet::default() };
    let ask = || {
        let signed = SignedHeaders::parse(signer.id.as_str(), &timestamp, &signature).unwrap();
        house.guard.signed(&signed, &request, &demand).is_ok()
    };
    assert!(ask()); // A thread's first one makes its place in arc-swap.
    let mut accepted = false;
    let measured = measure(|| accepted = ask());
    assert!(accepted);
    assert_eq!(measured.count_total, 0);
}
