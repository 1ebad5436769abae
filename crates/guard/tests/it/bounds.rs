//! Bounds on sets, networks, and what a signature proves of a body.

use crate::house::{House, START, ada, demand, denied, networks, record, tenant};
use rescind_core::signature::{BodyProof, Content, SignedRequest};
use rescind_core::{
    Capabilities, Demand, Denial, Digest, Owner, OwnerId, Plain, ScopeSet, SignedHeaders, TenantId,
    Timestamp, TokenKind, TokenRecord,
};
use rescind_guard::{Clock, Refusal};
use rescind_store::{Change, Follower};

impl House {
    fn bound(&self, tenant: Option<TenantId>, start: Timestamp) {
        self.guard.apply(Change::NotBefore { tenant, start });
    }

    fn ask_from(&self, plain: &Plain, address: Option<&str>) -> Result<(), Refusal> {
        let client = address.map(|address| address.parse().unwrap());
        let scopes = ScopeSet::default();
        let demand = Demand { client, ..demand(&scopes) };
        self.guard.bearer(plain.expose(), &demand).map(drop)
    }
}

#[test]
fn bound_of_a_tenant_reaches_tokens_held_already_and_no_other_tenants() {
    let house = House::open();
    let other = Owner {
        id: OwnerId::parse("user_bob").unwrap(),
        tenant: Some(TenantId::parse("tenant_2").unwrap()),
        ..ada()
    };
    let of_nobody = Owner { id: OwnerId::parse("user_eve").unwrap(), tenant: None, ..ada() };
    let (_, mine) = house.issue(&[], None);
    let others = [other, of_nobody].map(|owner| {
        let record =
            TokenRecord { owner: owner.id.clone(), ..record(TokenKind::Bearer, &[], None) };
        house.guard.apply(Change::Owner(owner));
        house.issue_record(record)
    });
    house.bound(Some(tenant()), START);
    assert!(house.ask(&mine, &[]).is_ok(), "issued at the bound");
    house.bound(Some(tenant()), START.plus_millis(1));
    assert_eq!(house.ask(&mine, &[]), Err(denied(Denial::IssuedBefore)));
    for plain in &others {
        assert!(house.ask(plain, &[]).is_ok());
    }
    house.bound(Some(tenant()), START);
    assert_eq!(house.ask(&mine, &[]), Err(denied(Denial::IssuedBefore)), "it does not go back");
    // A change of the owner keeps what is above it.
    house.guard.apply(Change::Owner(ada()));
    assert_eq!(house.ask(&mine, &[]), Err(denied(Denial::IssuedBefore)));
}

#[test]
fn bound_of_a_tenant_without_owners_awaits_them() {
    let house = House::open();
    let later = TenantId::parse("tenant_3").unwrap();
    house.bound(Some(later.clone()), START.plus_millis(1));
    let id = OwnerId::parse("user_later").unwrap();
    house.guard.apply(Change::Owner(Owner { id: id.clone(), tenant: Some(later), ..ada() }));
    let old = TokenRecord { owner: id, ..record(TokenKind::Bearer, &[], None) };
    let plain = house.issue_record(old);
    assert_eq!(house.ask(&plain, &[]), Err(denied(Denial::IssuedBefore)));
}

#[test]
fn bound_of_everything_spares_operators_only() {
    let house = House::open();
    let (_, bearer) = house.issue(&[], None);
    let (_, operator) = house.issue_kind(TokenKind::Admin, &[], None);
    let signer = house.issue_signing(&[]);
    let request = SignedRequest::with_body("GET", "/", b"");
    house.bound(None, START.plus_millis(1));
    assert_eq!(house.ask(&bearer, &[]), Err(denied(Denial::IssuedBefore)));
    assert_eq!(house.ask_signed(&signer, &request), Err(denied(Denial::IssuedBefore)));
    let scopes = ScopeSet::default();
    let admin = Demand { admin: true, ..demand(&scopes) };
    assert!(house.guard.bearer(operator.expose(), &admin).is_ok());
    let after =
        TokenRecord { issued_at: START.plus_millis(1), ..record(TokenKind::Bearer, &[], None) };
    assert!(house.ask(&house.issue_record(after), &[]).is_ok());
}

#[test]
fn updated_token_may_do_what_it_says_now() {
    let house = House::open();
    let before = record(TokenKind::Bearer, &["read", "write"], None);
    let plain = house.issue_record(before.clone());
    assert!(house.ask(&plain, &["write"]).is_ok());
    let scopes = ScopeSet::parse(["read"]).unwrap();
    let narrow = TokenRecord { scopes, ..before };
    house.update(&narrow, Some(&plain));
    assert_eq!(house.ask(&plain, &["write"]), Err(denied(Denial::MissingScope)));
    assert!(house.ask(&plain, &["read"]).is_ok());
    let ended = TokenRecord { expires_at: Some(START), ..narrow };
    house.update(&ended, Some(&plain));
    assert_eq!(house.ask(&plain, &[]), Err(denied(Denial::Expired)));
    assert_eq!(house.guard.index().tokens(), 1);
}

#[test]
fn updated_signing_token_keeps_its_secret() {
    let house = House::open();
    let signer = house.issue_signing(&["trading"]);
    let request = SignedRequest::with_body("GET", "/", b"");
    let record = TokenRecord { id: signer.id.clone(), ..record(TokenKind::Signing, &[], None) };
    house.update(&record, None);
    assert!(house.ask_signed(&signer, &request).is_ok());
    house.update(&TokenRecord { expires_at: Some(START), ..record }, None);
    assert_eq!(house.ask_signed(&signer, &request), Err(denied(Denial::Expired)));
}

/// Otherwise a late word about a token that is gone would bring it back.
#[test]
fn update_of_a_revoked_token_does_not_bring_it_back() {
    let house = House::open();
    let bearer = record(TokenKind::Bearer, &[], None);
    let plain = house.issue_record(bearer.clone());
    let signer = house.issue_signing(&[]);
    house.revoke(&bearer.id, Some(&plain));
    house.revoke(&signer.id, None);
    house.update(&bearer, Some(&plain));
    let signing = TokenRecord { id: signer.id.clone(), ..record(TokenKind::Signing, &[], None) };
    house.update(&signing, None);
    assert_eq!(house.ask(&plain, &[]), Err(denied(Denial::Unknown)));
    let request = SignedRequest::with_body("GET", "/", b"");
    assert_eq!(house.ask_signed(&signer, &request), Err(denied(Denial::Unknown)));
    assert_eq!(house.guard.index().tokens(), 0);
}

#[test]
fn token_is_used_from_its_networks_and_its_owners_only() {
    let house = House::open();
    let within = |blocks: &[&str]| TokenRecord {
        allowed_networks: Some(networks(blocks)),
        ..record(TokenKind::Bearer, &[], None)
    };
    let (_, free) = house.issue(&[], None);
    let bound = house.issue_record(within(&["192.0.2.0/24", "2001:db8::/32"]));
    let nowhere = house.issue_record(within(&[]));
    let wrong = Err(denied(Denial::WrongNetwork));
    for (address, reached) in [
        (Some("192.0.2.9"), true),
        (Some("::ffff:192.0.2.9"), true),
        (Some("2001:db8::1"), true),
        (Some("198.51.100.1"), false),
        (None, false),
    ] {
        let expected = if reached { Ok(()) } else { wrong };
        assert_eq!(house.ask_from(&bound, address), expected, "{address:?}");
        assert_eq!(house.ask_from(&nowhere, address), wrong, "{address:?}");
        assert_eq!(house.ask_from(&free, address), Ok(()), "{address:?}");
    }
    let allowed_networks = Some(networks(&["192.0.2.0/25"]));
    let capabilities = Capabilities { allowed_networks, ..ada().capabilities };
    house.guard.apply(Change::Owner(Owner { capabilities, ..ada() }));
    for (address, of_free, of_bound) in [
        (Some("192.0.2.9"), Ok(()), Ok(())),
        (Some("192.0.2.200"), wrong, wrong),
        (Some("2001:db8::1"), wrong, wrong),
        (None, wrong, wrong),
    ] {
        assert_eq!(house.ask_from(&free, address), of_free, "{address:?}");
        assert_eq!(house.ask_from(&bound, address), of_bound, "{address:?}");
    }
}

#[test]
fn proof_says_what_was_seen_of_the_body() {
    let house = House::open();
    let (_, token) = house.issue(&[], None);
    let scopes = ScopeSet::default();
    let bearer = house.guard.bearer(token.expose(), &demand(&scopes)).unwrap();
    assert_eq!(bearer.body(), BodyProof::Unsigned);

    let signer = house.issue_signing(&[]);
    let timestamp = house.clock.now().to_rfc3339_millis();
    let seen = SignedRequest::with_body("POST", "/orders", b"{}");
    let unseen = SignedRequest { content: Content::Unseen, ..seen };
    let empty = SignedRequest::with_body("POST", "/orders", b"");
    let key = signer.secret.key();
    let over_body = |request| (key.sign(&timestamp, request), false);
    let over_digest = (key.sign_digest(&timestamp, &unseen, "sha-256=:of-body:"), true);
    let ask = |(signature, covers): (String, bool), request: &SignedRequest<'_>| {
        let signed = SignedHeaders::parse(signer.id.as_str(), &timestamp, &signature).unwrap();
        let signed = match covers {
            true => signed.covering_digest("sha-256=:of-body:", Digest::of(b"{}")),
            false => signed,
        };
        house.guard.signed(&signed, request, &demand(&scopes)).map(|verified| verified.body())
    };
    let bad = Err(denied(Denial::BadSignature));
    assert_eq!(ask(over_body(&seen), &seen), Ok(BodyProof::Verified));
    assert_eq!(ask(over_body(&empty), &unseen), Ok(BodyProof::Empty));
    assert_eq!(ask(over_body(&seen), &unseen), bad);
    assert_eq!(ask(over_digest.clone(), &unseen), Ok(BodyProof::Digest));
    assert_eq!(ask(over_digest.clone(), &seen), Ok(BodyProof::Verified));
    assert_eq!(ask(over_digest, &empty), bad);
}
