//! What the guard says of one token at one moment.

use crate::house::{House, START, ada, demand, denied, suspended};
use rescind_core::signature::SignedRequest;
use rescind_core::{Capabilities, Demand, Denial, Owner, Plain, ScopeSet, TokenKind};
use rescind_guard::Refusal;
use rescind_store::{Change, Follower};

const REQUEST: SignedRequest<'_> = SignedRequest::with_body("POST", "/orders?a=1", b"{}");

#[test]
fn sealed_guard_says_neither_yes_nor_no() {
    let house = House::sealed();
    let (_, token) = house.issue(&[], None);
    assert_eq!(house.ask(&token, &[]), Err(Refusal::Sealed));
    assert_eq!(house.ask(&Plain::from_text("unknown"), &[]), Err(Refusal::Sealed));
    house.guard.open_for_good();
    assert!(house.ask(&token, &[]).is_ok());
}

#[test]
fn guard_whose_store_failed_is_sealed_for_good() {
    let house = House::open();
    let (_, token) = house.issue(&[], None);
    house.guard.seal();
    assert_eq!(house.ask(&token, &[]), Err(Refusal::Sealed));
    house.guard.open_for_good();
    assert_eq!(house.ask(&token, &[]), Err(Refusal::Sealed));
    assert!(!house.guard.is_open());
}

/// Whoever forgets the proof is refused by construction.
#[test]
fn guard_without_leases_answers_by_a_proof_and_by_nothing_else() {
    let house = House::sealed();
    let (id, token) = house.issue(&[], None);
    let none = ScopeSet::default();
    let by = |proof| {
        let answer = house.guard.by(Some(proof)).bearer(token.expose(), &demand(&none));
        answer.map(|verified| verified.token().id().clone())
    };
    let proof = house.guard.prove();
    assert_eq!(house.ask(&token, &[]), Err(Refusal::Sealed), "without the proof");
    assert_eq!(by(proof), Ok(id.clone()));
    assert!(house.guard.is_open() && house.guard.lease_remaining_millis().is_none());
    house.revoke(&id, Some(&token));
    assert_eq!(by(proof), Err(denied(Denial::Unknown)), "what is newer counts");
    house.guard.close();
    assert_eq!(by(proof), Err(Refusal::Sealed));
    assert!(!house.guard.is_open());
    let anew = house.guard.prove();
    assert_eq!(by(proof), Err(Refusal::Sealed), "it is of before");
    assert_eq!(by(anew), Err(denied(Denial::Unknown)));
    house.guard.prove_nothing();
    assert!(!house.guard.is_open());
    house.guard.seal();
    assert_eq!(by(anew), Err(Refusal::Sealed));
}

#[test]
fn bearer_token_is_valid_until_it_is_revoked() {
    let house = House::open();
    let (id, token) = house.issue(&[], None);
    let (_, other) = house.issue(&[], None);
    assert_eq!(house.ask(&token, &[]), Ok(id.clone()));
    house.revoke(&id, Some(&token));
    assert_eq!(house.ask(&token, &[]), Err(denied(Denial::Unknown)));
    assert!(house.ask(&other, &[]).is_ok());
    assert_eq!(house.guard.index().tokens(), 1);
}

#[test]
fn signing_token_is_valid_until_it_is_revoked() {
    let house = House::open();
    let signer = house.issue_signing(&[]);
    assert_eq!(house.ask_signed(&signer, &REQUEST), Ok(signer.id.clone()));
    house.revoke(&signer.id, None);
    assert_eq!(house.ask_signed(&signer, &REQUEST), Err(denied(Denial::Unknown)));
}

#[test]
fn signature_by_another_tokens_secret_is_refused() {
    let house = House::open();
    let (mut one, other) = (house.issue_signing(&[]), house.issue_signing(&[]));
    one.secret = other.secret;
    assert_eq!(house.ask_signed(&one, &REQUEST), Err(denied(Denial::BadSignature)));
}

#[test]
fn expiry_is_half_open() {
    let house = House::open();
    let end = START.plus_millis(60_000);
    let (_, token) = house.issue(&[], Some(end));
    house.clock.set(end.plus_millis(-1));
    assert!(house.ask(&token, &[]).is_ok());
    house.clock.set(end);
    assert_eq!(house.ask(&token, &[]), Err(denied(Denial::Expired)));
}

#[test]
fn change_of_an_owner_reaches_tokens_issued_before() {
    let house = House::open();
    let (_, token) = house.issue(&["read", "write"], None);
    assert!(house.ask(&token, &["read", "write"]).is_ok());
    let change = |owner: Owner| house.guard.apply(Change::Owner(owner));

    let read = Some(ScopeSet::parse(["read"]).unwrap());
    change(Owner {
        capabilities: Capabilities { allowed_scopes: read, ..ada().capabilities },
        ..ada()
    });
    assert!(house.ask(&token, &["read"]).is_ok());
    assert_eq!(house.ask(&token, &["write"]), Err(denied(Denial::MissingScope)));
    let scopes = ScopeSet::default();
    let verified = house.guard.bearer(token.expose(), &demand(&scopes)).unwrap();
    assert_eq!(verified.scopes().collect::<Vec<_>>(), ["read"]);

    change(suspended(ada()));
    assert_eq!(house.ask(&token, &[]), Err(denied(Denial::OwnerSuspended)));
    change(Owner { not_before: Some(START.plus_millis(1)), ..ada() });
    assert_eq!(house.ask(&token, &[]), Err(denied(Denial::IssuedBefore)));
    change(Owner { not_before: Some(START), ..ada() });
    assert!(house.ask(&token, &["write"]).is_ok());
}

#[test]
fn operators_token_and_apis_token_do_not_open_each_others_door() {
    let house = House::open();
    let (_, operator) = house.issue_kind(TokenKind::Admin, &[], None);
    let (_, user) = house.issue(&[], None);
    assert_eq!(house.ask(&operator, &[]), Err(denied(Denial::WrongAudience)));
    let scopes = ScopeSet::default();
    let demand = Demand { admin: true, ..demand(&scopes) };
    assert!(house.guard.bearer(operator.expose(), &demand).is_ok());
    let refused = house.guard.bearer(user.expose(), &demand).map(|_| ());
    assert_eq!(refused, Err(denied(Denial::WrongAudience)));
}

#[test]
fn unknown_and_mistyped_are_told_apart_inside() {
    let house = House::open();
    let (_, token) = house.issue(&[], None);
    let mut mistyped = token.expose().to_owned();
    mistyped.pop();
    assert_eq!(house.ask(&Plain::from_text(&mistyped), &[]), Err(denied(Denial::Mistyped)));
    assert_eq!(house.ask(&Plain::from_text("theirs"), &[]), Err(denied(Denial::Unknown)));
}

#[test]
fn token_without_a_known_owner_is_not_loaded() {
    let house = House::open();
    let (id, plain) = house.issue(&[], None);
    house.revoke(&id, Some(&plain));
    let clock = std::sync::Arc::clone(house.guard.clock());
    let empty = rescind_guard::Guard::new(clock, Vec::new());
    empty.open_for_good();
    let strangers = House { guard: empty.into(), clock: house.clock };
    let (_, token) = strangers.issue(&[], None);
    assert_eq!(strangers.ask(&token, &[]), Err(denied(Denial::Unknown)));
}

#[test]
fn uses_are_handed_out_once_with_their_latest_time() {
    let house = House::open();
    let (id, token) = house.issue(&[], None);
    assert!(house.guard.take_uses().is_empty());
    for seconds in 0..5 {
        house.clock.set(START.plus_millis(seconds * 1_000));
        house.ask(&token, &[]).unwrap();
    }
    assert_eq!(house.guard.take_uses(), [(id.clone(), START.plus_millis(4_000))]);
    assert!(house.guard.take_uses().is_empty());
    house.clock.set(START.plus_millis(4_999));
    house.ask(&token, &[]).unwrap();
    assert!(house.guard.take_uses().is_empty(), "within the resolution");
    house.clock.set(START.plus_millis(5_000));
    house.ask(&token, &[]).unwrap();
    assert_eq!(house.guard.take_uses(), [(id, START.plus_millis(5_000))]);
}

#[test]
fn refused_use_is_no_use() {
    let house = House::open();
    let (_, token) = house.issue(&[], Some(START));
    assert!(house.ask(&token, &[]).is_err());
    assert!(house.guard.take_uses().is_empty());
}
