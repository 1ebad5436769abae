//! Asked again with the same key: answered with what was made the first time, for a day.

use super::{
    Backend,
    scene::{Scene, bearer, by, idempotency, owner_id, token_id, user},
};
use crate::{Created, IssueError, NewOwner, NewToken, OwnerError, OwnerUpdate, StoreError};
use rescind_core::{OwnerState, TokenState};
use std::sync::Arc;

const DAY: i64 = 24 * 60 * 60;

fn ask(name: &str, key: u8, request: u8) -> NewToken {
    NewToken { idempotency: idempotency(key, request), ..bearer(name, "u") }
}

pub async fn creation_asked_for_again_answers_what_was_made(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    let owner = |name| NewOwner { idempotency: idempotency(1, 1), ..user(name) };
    let first = scene.store.create_owner(owner("u"), by(0)).await.unwrap();
    assert!(!first.is_replay());
    let first = first.into_inner();
    let issued = scene.store.issue(ask("a", 2, 1), by(0)).await.unwrap().into_inner();
    let scene = scene.reopened(backend).await;
    let before = scene.trace().await;
    let again = scene.store.create_owner(owner("v"), by(DAY - 1)).await.unwrap();
    assert_eq!(again, Created::Before(first));
    let again = scene.store.issue(ask("b", 2, 1), by(DAY - 1)).await.unwrap();
    assert_eq!(again, Created::Before(issued));
    assert_eq!(scene.trace().await, before);
    assert!(scene.store.owner(&owner_id("v")).await.unwrap().is_none());
    assert!(scene.store.token(&token_id("b")).await.unwrap().is_none());

    // As it is now, and even if it could not be made now.
    scene.revoke(&token_id("a")).await;
    let off = OwnerUpdate { suspended: Some(true), ..OwnerUpdate::default() };
    scene.update("u", off, 5).await;
    let again = scene.store.issue(ask("b", 2, 1), by(5)).await.unwrap().into_inner();
    assert_ne!(again.state, TokenState::Active);
    let again = scene.store.create_owner(owner("v"), by(5)).await.unwrap().into_inner();
    assert_ne!(again.state, OwnerState::Active);
}

pub async fn key_used_for_something_else_is_refused(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    scene.store.issue(ask("a", 1, 1), by(1)).await.unwrap();
    let before = scene.trace().await;
    let refused = scene.store.issue(ask("b", 1, 2), by(2)).await;
    assert!(matches!(refused, Err(IssueError::Store(StoreError::KeyReused))), "{refused:?}");
    let owner = NewOwner { idempotency: idempotency(1, 3), ..user("v") };
    let refused = scene.store.create_owner(owner, by(2)).await;
    assert!(matches!(refused, Err(OwnerError::Store(StoreError::KeyReused))), "{refused:?}");
    assert_eq!(scene.trace().await, before);
    scene.store.issue(ask("b", 2, 2), by(2)).await.unwrap();
}

pub async fn key_is_forgotten_after_a_day(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    scene.store.issue(ask("a", 1, 1), by(0)).await.unwrap();
    assert!(scene.store.issue(ask("b", 1, 1), by(DAY - 1)).await.unwrap().is_replay());
    let anew = scene.store.issue(ask("b", 1, 2), by(DAY)).await.unwrap();
    assert!(!anew.is_replay());
    let again = scene.store.issue(ask("c", 1, 2), by(2 * DAY - 1)).await.unwrap();
    assert_eq!(again.into_inner().id, token_id("b"), "remembered from then on");
}

pub async fn creation_that_was_refused_is_not_remembered(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    let off = |suspended| OwnerUpdate { suspended: Some(suspended), ..OwnerUpdate::default() };
    scene.update("u", off(true), 1).await;
    assert!(scene.store.issue(ask("a", 1, 1), by(2)).await.is_err());
    let owner = NewOwner { idempotency: idempotency(2, 1), ..user("u") };
    assert!(scene.store.create_owner(owner, by(2)).await.is_err());
    scene.update("u", off(false), 3).await;
    assert!(!scene.store.issue(ask("a", 1, 1), by(4)).await.unwrap().is_replay());
    let owner = NewOwner { idempotency: idempotency(2, 2), ..user("v") };
    assert!(!scene.store.create_owner(owner, by(4)).await.unwrap().is_replay());
}

pub async fn many_with_one_key_make_one(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    let callers = (0..32).map(|n| {
        let store = Arc::clone(&scene.store);
        tokio::spawn(async move { store.issue(ask(&format!("t{n}"), 1, 1), by(1)).await.unwrap() })
    });
    let mut made = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        made.push(caller.await.unwrap());
    }
    assert_eq!(made.iter().filter(|made| !made.is_replay()).count(), 1);
    made.dedup_by_key(|made| made.clone().into_inner());
    assert_eq!(made.len(), 1);
}
