//! Revocation: once, for good, by whoever may, and counted.

use super::{
    Backend,
    scene::{
        Event, Scene, at, bearer, by, digest, networks, owner_id, partner, revocation, scopes,
        token, token_id, user,
    },
};
use crate::{
    AllRevoked, By, IssuedBefore, OwnerUpdate, Revocation, RevocationOfAll, Revoked, Settled,
};
use rescind_core::{Actor, RevocationReason, TokenKind, TokenState};
use std::sync::Arc;

pub async fn first_revocation_is_final_and_keeps_its_evidence(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    let record = scene.issue(bearer("b", "u")).await;
    let first = By { actor: Actor::owner(&record.owner), ..by(7) };
    let answer = scene.store.revoke(revocation(&record.id), first.clone()).await.unwrap();
    assert_eq!(answer, Revoked::Now(Settled::alone(1)));
    let expected = TokenState::Revoked {
        at: first.at,
        by: first.actor,
        reason: RevocationReason::KeyCompromise,
    };
    let stored = scene.store.token(&record.id).await.unwrap().unwrap();
    assert_eq!(stored.record.state, expected);
    assert!(scene.heard(&Event::Revoked(record.id.clone(), Some(digest("b")))));

    let before = scene.trace().await;
    let again = Revocation { reason: RevocationReason::Superseded, ..revocation(&record.id) };
    match scene.store.revoke(again, by(8)).await.unwrap() {
        Revoked::Before { record, settled } => {
            assert_eq!((record.state, settled), (expected.clone(), Settled::alone(1)));
        }
        other => panic!("revoked twice: {other:?}"),
    }
    let unknown = scene.store.revoke(revocation(&token_id("nothing")), by(9)).await.unwrap();
    assert_eq!(unknown, Revoked::Unknown);
    assert_eq!(scene.trace().await, before);
    let after = scene.store.token(&record.id).await.unwrap().unwrap();
    assert_eq!(after.record.state, expected);
}

pub async fn revocation_for_another_owner_is_answered_as_unknown(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("mine")).await;
    scene.create(user("theirs")).await;
    let id = scene.issue(bearer("b", "theirs")).await.id;
    let from = |owner: &str| Revocation { owner: Some(owner_id(owner)), ..revocation(&id) };
    for round in ["active", "revoked"] {
        let before = scene.trace().await;
        let stored = scene.store.token(&id).await.unwrap().unwrap().record;
        let answer = scene.store.revoke(from("mine"), by(3)).await.unwrap();
        assert_eq!(answer, Revoked::Unknown, "{round}");
        assert_eq!(scene.trace().await, before, "{round}");
        assert_eq!(scene.store.token(&id).await.unwrap().unwrap().record, stored, "{round}");
        scene.store.revoke(from("theirs"), by(4)).await.unwrap();
    }
    let stored = scene.store.token(&id).await.unwrap().unwrap().record;
    assert_ne!(stored.state, TokenState::Active);
}

pub async fn concurrent_revocations_of_one_token_have_one_winner(backend: &dyn Backend) {
    const CALLERS: i64 = 16;
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    for round in 1..=10 {
        let id = scene.issue(bearer(&format!("b{round}"), "u")).await.id;
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let (store, id) = (Arc::clone(&scene.store), id.clone());
                tokio::spawn(
                    async move { store.revoke(revocation(&id), by(caller)).await.unwrap() },
                )
            })
            .collect();
        let mut winners = 0;
        for caller in callers {
            match caller.await.unwrap() {
                Revoked::Now(settled) => {
                    winners += 1;
                    assert_eq!(settled.epoch, round);
                }
                Revoked::Before { record, settled } => {
                    assert_ne!(record.state, TokenState::Active);
                    assert_eq!(settled.epoch, round);
                }
                Revoked::Unknown => panic!("{id} is there"),
            }
        }
        assert_eq!(winners, 1);
    }
}

pub async fn epoch_counts_each_change_of_what_is_held_and_nothing_else(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(partner("p")).await;
    scene.issue(token("a", "p", TokenKind::ApiKey)).await;
    scene.issue(token("s", "p", TokenKind::Signing)).await;
    assert_eq!(scene.store.epoch().await.unwrap(), 0);
    assert_eq!(scene.revoke(&token_id("a")).await, Revoked::Now(Settled::alone(1)));
    assert_eq!(scene.revoke(&token_id("s")).await, Revoked::Now(Settled::alone(2)));
    scene.revoke(&token_id("s")).await;

    let none = OwnerUpdate::default();
    let narrow = Some(Some(scopes(&["trading"])));
    let steps = [
        (OwnerUpdate { suspended: Some(true), ..none.clone() }, 3),
        (OwnerUpdate { suspended: Some(true), ..none.clone() }, 3),
        (OwnerUpdate { suspended: Some(false), ..none.clone() }, 4),
        (OwnerUpdate { token_management: Some(false), ..none.clone() }, 5),
        (OwnerUpdate { token_management: Some(true), ..none.clone() }, 6),
        (OwnerUpdate { allowed_scopes: narrow.clone(), ..none.clone() }, 7),
        (allowed_scopes(Some(&["trading", "more"])), 8),
        (allowed_scopes(Some(&["other", "more"])), 9),
        (allowed_scopes(None), 10),
        (allowed_scopes(None), 10),
        (allowed_scopes(Some(&["other", "more"])), 11),
        (allowed_networks(Some(&["192.0.2.0/24"])), 12),
        (allowed_networks(Some(&["192.0.2.0/25"])), 13),
        (allowed_networks(None), 14),
        (OwnerUpdate { not_before: moment(50), ..none.clone() }, 15),
        (OwnerUpdate { not_before: moment(40), ..none.clone() }, 15),
        (
            OwnerUpdate {
                suspended: Some(true),
                token_management: Some(false),
                allowed_scopes: narrow,
                not_before: moment(60),
                ..allowed_networks(Some(&[]))
            },
            16,
        ),
    ];
    for (update, epoch) in steps {
        scene.update("p", update.clone(), 70).await;
        assert_eq!(scene.store.epoch().await.unwrap(), epoch, "{update:?}");
    }
    scene.create(user("u")).await;
    let names = OwnerUpdate { first_name: Some("New".into()), ..OwnerUpdate::default() };
    let password = OwnerUpdate { password_hash: Some("$argon2id$new".into()), ..names.clone() };
    for update in [names, password] {
        scene.update("u", update.clone(), 71).await;
        assert_eq!(scene.store.epoch().await.unwrap(), 17, "{update:?}");
    }
}

fn allowed_scopes(names: Option<&[&str]>) -> OwnerUpdate {
    OwnerUpdate { allowed_scopes: Some(names.map(scopes)), ..OwnerUpdate::default() }
}

fn allowed_networks(blocks: Option<&[&str]>) -> OwnerUpdate {
    OwnerUpdate { allowed_networks: Some(blocks.map(networks)), ..OwnerUpdate::default() }
}

fn moment(seconds: i64) -> Option<IssuedBefore> {
    Some(IssuedBefore::Moment(at(seconds)))
}

pub async fn all_of_one_kind_are_revoked_in_one_write(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    scene.create(user("v")).await;
    for name in ["a", "b", "c"] {
        scene.issue(bearer(name, "u")).await;
    }
    let other = scene.issue(bearer("d", "v")).await;
    let what = |owner: &str| RevocationOfAll {
        owner: owner_id(owner),
        kind: TokenKind::Bearer,
        reason: RevocationReason::KeyCompromise,
    };
    let before = scene.audit().await.len();
    let all = AllRevoked { count: 3, settled: Settled::alone(1) };
    assert_eq!(scene.store.revoke_all(what("u"), by(5)).await.unwrap(), all);
    assert_eq!((scene.audit().await.len(), scene.store.epoch().await.unwrap()), (before + 1, 1));
    for name in ["a", "b", "c"] {
        assert!(scene.heard(&Event::Revoked(token_id(name), Some(digest(name)))), "{name}");
    }
    let spared = scene.store.token(&other.id).await.unwrap().unwrap().record;
    assert_eq!(spared.state, TokenState::Active);
    let before = scene.trace().await;
    let none = AllRevoked { count: 0, ..all };
    assert_eq!(scene.store.revoke_all(what("u"), by(6)).await.unwrap(), none);
    assert_eq!(scene.trace().await, before);
}
