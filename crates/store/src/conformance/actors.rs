//! Who asks may be a token, and may have lost its power since it was let in: a request can wait for
//! its own slow body. So every mutation asks again, in its own transaction.

use super::{
    Backend,
    scene::{Scene, at, bearer, owner_id, revocation, rotation, token_id, user},
};
use crate::{
    By, IssuedBefore, NewToken, Overlap, OwnerUpdate, RevocationOfAll, Revoked, SetRevocation,
    TokenSet,
};
use rescind_core::{Actor, OVERLAP_MAX, RevocationReason, TokenKind, TokenUpdate};
use std::fmt::Debug;

pub async fn actor_that_is_not_in_force_changes_nothing(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    for name in ["u", "suspended", "bounded"] {
        scene.create(user(name)).await;
    }
    for name in ["victim", "revoked"] {
        scene.issue(bearer(name, "u")).await;
    }
    scene.issue(NewToken { expires_at: Some(at(9)), ..bearer("expired", "u") }).await;
    scene.issue(bearer("of-suspended", "suspended")).await;
    scene.issue(bearer("taken-back", "bounded")).await;
    scene.revoke(&token_id("revoked")).await;
    let off = OwnerUpdate { suspended: Some(true), ..OwnerUpdate::default() };
    scene.update("suspended", off, 3).await;
    let set = TokenSet::Owner(owner_id("bounded"));
    scene.revoke_set(set, IssuedBefore::ThisWrite, 3).await;

    let before = scene.trace().await;
    for name in ["revoked", "expired", "of-suspended", "taken-back", "nothing"] {
        for (mutation, answer) in mutations(&scene, name).await {
            assert!(answer.contains("ActorRefused"), "{mutation} by {name}: {answer}");
        }
    }
    assert_eq!(scene.trace().await, before);
    for (mutation, answer) in mutations(&scene, "victim").await {
        assert!(!answer.contains("ActorRefused"), "{mutation}: {answer}");
    }
}

/// What each mutation answers to a token, in the order of the trait.
async fn mutations(scene: &Scene, actor: &str) -> [(&'static str, String); 8] {
    let by = || By { actor: Actor::token(&token_id(actor)), at: at(9) };
    let (store, u, victim) = (&scene.store, owner_id("u"), token_id("victim"));
    let label = TokenUpdate { label: Some(Some("new".into())), ..TokenUpdate::default() };
    let name = OwnerUpdate { first_name: Some("new".into()), ..OwnerUpdate::default() };
    let reason = RevocationReason::Unspecified;
    let of_all = RevocationOfAll { owner: u.clone(), kind: TokenKind::ApiKey, reason };
    let set = TokenSet::Owner(owner_id("bounded"));
    let of_set = SetRevocation { set, issued_before: IssuedBefore::Moment(at(1)), reason };
    let rotation = rotation("victim", "next", Overlap::FromNow(OVERLAP_MAX));
    [
        ("create_owner", said(store.create_owner(user("w"), by()).await)),
        ("update_owner", said(store.update_owner(u, name, by()).await)),
        ("issue", said(store.issue(bearer("d", "u"), by()).await)),
        ("rotate", said(store.rotate(rotation, by()).await)),
        ("update_token", said(store.update_token(victim, label, by()).await)),
        ("revoke", said(store.revoke(revocation(&token_id("d")), by()).await)),
        ("revoke_all", said(store.revoke_all(of_all, by()).await)),
        ("revoke_set", said(store.revoke_set(of_set, by()).await)),
    ]
}

fn said(answer: impl Debug) -> String {
    format!("{answer:?}")
}

/// Whatever else it may not do any more: giving up a token is never refused.
pub async fn token_may_always_revoke_itself(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    let short = NewToken { expires_at: Some(at(9)), ..bearer("expired", "u") };
    for new in [bearer("revoked", "u"), short, bearer("taken-back", "u")] {
        scene.issue(new).await;
    }
    scene.revoke(&token_id("revoked")).await;
    scene.revoke_set(TokenSet::Owner(owner_id("u")), IssuedBefore::ThisWrite, 3).await;
    let itself = async |name: &str| {
        let by = By { actor: Actor::token(&token_id(name)), at: at(9) };
        scene.store.revoke(revocation(&token_id(name)), by).await.unwrap()
    };
    assert!(matches!(itself("revoked").await, Revoked::Before { .. }));
    assert!(matches!(itself("expired").await, Revoked::Now { .. }));
    assert!(matches!(itself("taken-back").await, Revoked::Now { .. }));
}
