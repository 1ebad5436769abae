//! Somebody must be able to administer: what would take the last token that can is refused, and
//! changes nothing. Whoever stands beside it makes it an ordinary one.

use super::{
    Backend,
    scene::{
        Scene, Trace, admin, at, by, networks, operator, owner_id, revocation, rotation, scopes,
        tenant, token_id,
    },
};
use crate::{
    IssuedBefore, NewOwner, NewRotation, NewToken, Overlap, OwnerUpdate, RevocationOfAll,
    SetRevocation, StoreError, TokenSet,
};
use rescind_core::{RevocationReason, TokenKind, TokenUpdate};
use std::{fmt::Debug, time::Duration};

const NOW: i64 = 100;
const DAY: i64 = 24 * 60 * 60;

/// An operator `o` whose token `a` is the only one that can administer.
async fn alone(backend: &dyn Backend) -> Scene {
    let scene = Scene::of(backend).await;
    scene.create(operator("o")).await;
    scene.issue(admin("a", "o")).await;
    scene
}

/// Each way in which `a` can lose its power, and what the store says.
async fn taken(scene: &Scene, way: usize) -> Option<String> {
    let (store, o, a) = (&scene.store, || owner_id("o"), || token_id("a"));
    let reason = RevocationReason::Unspecified;
    let token = TokenUpdate::default;
    let owner = OwnerUpdate::default;
    let update = async |update| said(store.update_token(a(), update, by(NOW)).await);
    let update_owner = async |update| said(store.update_owner(o(), update, by(NOW)).await);
    let rotate = async |lifetime, overlap| {
        let lifetime = Some(Duration::from_secs(lifetime));
        let what = NewRotation { lifetime, ..rotation("a", "next", overlap) };
        said(store.rotate(what, by(NOW)).await)
    };
    let soon = at(NOW + DAY).plus_millis(-1);
    Some(match way {
        0 => said(store.revoke(revocation(&a()), by(NOW)).await),
        1 => update(TokenUpdate { scopes: Some(scopes(&["read"])), ..token() }).await,
        2 => update(TokenUpdate { expires_at: Some(soon), ..token() }).await,
        3 => update(TokenUpdate { allowed_networks: Some(Some(networks(&[]))), ..token() }).await,
        4 => update_owner(OwnerUpdate { suspended: Some(true), ..owner() }).await,
        5 => {
            let allowed_scopes = Some(Some(scopes(&["administer", "read"])));
            update_owner(OwnerUpdate { allowed_scopes, ..owner() }).await
        }
        6 => {
            let not_before = Some(IssuedBefore::ThisWrite);
            update_owner(OwnerUpdate { not_before, ..owner() }).await
        }
        7 => {
            let allowed_networks = Some(Some(networks(&[])));
            update_owner(OwnerUpdate { allowed_networks, ..owner() }).await
        }
        8 => {
            let (set, issued_before) = (TokenSet::Owner(o()), IssuedBefore::ThisWrite);
            let what = SetRevocation { set, issued_before, reason };
            said(store.revoke_set(what, by(NOW)).await)
        }
        9 => {
            let what = RevocationOfAll { owner: o(), kind: TokenKind::Admin, reason };
            said(store.revoke_all(what, by(NOW)).await)
        }
        // The new one can administer, but not for long.
        10 => rotate(3_600, Overlap::None).await,
        11 => rotate(3_600, Overlap::FromNow(Duration::from_hours(1))).await,
        12 => rotate(3_600, Overlap::FromFirstUse(Duration::ZERO)).await,
        _ => return None,
    })
}

fn said(answer: impl Debug) -> String {
    format!("{answer:?}")
}

async fn state(scene: &Scene) -> (Trace, String) {
    let owner = scene.store.owner(&owner_id("o")).await.unwrap();
    (scene.trace().await, format!("{owner:?} {:?}", scene.token("a").await))
}

pub async fn last_token_that_can_administer_is_kept(backend: &dyn Backend) {
    let scene = alone(backend).await;
    let before = state(&scene).await;
    let mut ways = 0;
    while let Some(answer) = taken(&scene, ways).await {
        assert!(answer.contains("LastAdmin"), "way {ways}: {answer}");
        assert_eq!(state(&scene).await, before, "way {ways}");
        ways += 1;
    }
    assert_eq!(ways, 13);
    assert!(scene.store.token(&token_id("next")).await.unwrap().is_none());
}

pub async fn second_one_makes_the_first_ordinary(backend: &dyn Backend) {
    for way in 0.. {
        let scene = alone(backend).await;
        scene.create(operator("second")).await;
        scene.issue(admin("b", "second")).await;
        let Some(answer) = taken(&scene, way).await else { break };
        assert!(answer.starts_with("Ok("), "way {way}: {answer}");
    }
}

/// Each lacks one of the things that it takes.
pub async fn what_cannot_administer_everything_is_no_second_one(backend: &dyn Backend) {
    let until = |end, new| NewToken { expires_at: Some(at(end)), ..new };
    let weak = [
        NewToken { scopes: scopes(&["administer", "read"]), ..admin("b", "second") },
        until(NOW, admin("b", "second")),
        NewToken { allowed_networks: Some(networks(&[])), ..admin("b", "second") },
        admin("b", "of-tenant"),
        admin("b", "suspended"),
        admin("b", "bounded"),
        NewToken { issued_at: Some(at(0)), ..admin("b", "taken-back") },
    ];
    for new in weak {
        let scene = alone(backend).await;
        for name in ["second", "suspended", "bounded", "taken-back"] {
            scene.create(operator(name)).await;
        }
        scene.create(NewOwner { tenant: Some(tenant("t")), ..operator("of-tenant") }).await;
        let context = format!("{new:?}");
        scene.issue(new).await;
        let owner = OwnerUpdate::default();
        let suspended = OwnerUpdate { suspended: Some(true), ..owner.clone() };
        scene.update("suspended", suspended, 2).await;
        let read = Some(Some(scopes(&["read"])));
        scene.update("bounded", OwnerUpdate { allowed_scopes: read, ..owner }, 2).await;
        let set = TokenSet::Owner(owner_id("taken-back"));
        scene.revoke_set(set, IssuedBefore::Moment(at(1)), 2).await;
        let answer = taken(&scene, 0).await.unwrap();
        assert!(answer.contains("LastAdmin"), "{context}: {answer}");
    }
}

/// Where nobody stands that could be taken away, everything else goes on.
pub async fn lesser_admin_tokens_end_like_any_other(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(operator("o")).await;
    let read = NewToken { scopes: scopes(&["read"]), ..admin("a", "o") };
    scene.issue(read).await;
    let answer = taken(&scene, 0).await.unwrap();
    assert!(answer.starts_with("Ok(Now"), "{answer}");
}

/// Within its last day, too: its end is nobody's fault, but nobody brings it closer.
pub async fn last_one_is_kept_through_its_last_day(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(operator("o")).await;
    let end = at(NOW + 600);
    scene.issue(NewToken { expires_at: Some(end), ..admin("a", "o") }).await;
    let answer = taken(&scene, 0).await.unwrap();
    assert!(answer.contains("LastAdmin"), "{answer}");
    let closer = TokenUpdate { expires_at: Some(end.plus_millis(-1)), ..TokenUpdate::default() };
    let answer = said(scene.store.update_token(token_id("a"), closer, by(NOW)).await);
    assert!(answer.contains("LastAdmin"), "{answer}");
    let answer = said(scene.store.revoke(revocation(&token_id("a")), by(NOW + 600)).await);
    assert!(answer.starts_with("Ok(Now"), "expired: {answer}");
}

/// The last one may be rotated, and from then on its successor is the last one: the first use
/// of a new token that had been narrowed meanwhile would otherwise end the only one that can.
pub async fn successor_of_the_last_one_takes_its_place(backend: &dyn Backend) {
    for overlap in
        [Overlap::None, Overlap::FromNow(Duration::ZERO), Overlap::FromFirstUse(Duration::ZERO)]
    {
        let scene = alone(backend).await;
        scene.rotate("a", "next", overlap, NOW).await.unwrap();
        let narrow = TokenUpdate { scopes: Some(scopes(&["read"])), ..TokenUpdate::default() };
        let answer = said(scene.store.update_token(token_id("next"), narrow, by(NOW + 1)).await);
        assert!(answer.contains("LastAdmin"), "{overlap:?}: {answer}");
    }
}

/// Used, and revoked before the use was reported: the report does not end the old one any more.
pub async fn revoked_successor_leaves_the_old_one_to_administer(backend: &dyn Backend) {
    let scene = alone(backend).await;
    scene.rotate("a", "next", Overlap::FromFirstUse(Duration::ZERO), NOW).await.unwrap();
    scene.store.revoke(revocation(&token_id("next")), by(NOW + 2)).await.unwrap();
    scene.store.record_use(vec![(token_id("next"), at(NOW + 1))]).await.unwrap();
    assert_eq!(scene.token("a").await.record.expires_at, None);
    let answer = taken(&scene, 0).await.unwrap();
    assert!(answer.contains("LastAdmin"), "{answer}");
}

/// Never used, and not in force any more: it ends nobody.
pub async fn expired_successor_gives_the_place_back(backend: &dyn Backend) {
    let scene = alone(backend).await;
    let first_use = Overlap::FromFirstUse(Duration::ZERO);
    let lifetime = Some(Duration::from_hours(48));
    let what = NewRotation { lifetime, ..rotation("a", "next", first_use) };
    scene.store.rotate(what, by(NOW)).await.unwrap();
    let revoke = scene.store.revoke(revocation(&token_id("a")), by(NOW + 2 * DAY)).await;
    assert!(matches!(revoke, Err(StoreError::LastAdmin)), "{revoke:?}");
}
