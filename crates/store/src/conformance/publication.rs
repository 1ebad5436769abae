//! What the follower is told, and when.

use super::{
    Backend,
    scene::{Event, Scene, at, bearer, by, digest, revocation, user},
};
use crate::{IssuedBefore, Revoked, SetRevocation, TokenSet};
use rescind_core::{RevocationReason, TokenUpdate};
use std::sync::Arc;

const CALLERS: usize = 32;

/// Each caller looks into the follower at the moment it is answered.
pub async fn follower_knows_of_a_change_before_its_caller(backend: &dyn Backend) {
    let scene = Arc::new(Scene::of(backend).await);
    let created = scene.create(user("u")).await;
    assert!(scene.heard(&Event::Owner(created)));
    let callers = (0..CALLERS).map(|n| {
        let scene = Arc::clone(&scene);
        tokio::spawn(async move {
            let new = bearer(&format!("b{n}"), "u");
            let told = super::scene::told(&new.material);
            let record = scene.issue(new).await;
            assert!(scene.heard(&Event::Issued(record.clone(), told)));
            let answer = scene.store.revoke(revocation(&record.id), by(2)).await.unwrap();
            let Revoked::Now(settled) = answer else { panic!("{answer:?}") };
            assert!(scene.heard(&Event::Revoked(record.id, Some(digest(&format!("b{n}"))))));
            let reached = scene.events().into_iter().filter_map(|event| match event {
                Event::Reached(epoch) => Some(epoch),
                _ => None,
            });
            assert!(reached.max() >= Some(settled.epoch));
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
}

/// The audit trail is written inside the transactions: its order is the order of commit. Each
/// entry here is of one change, and each change but the issues raises the epoch.
pub async fn follower_hears_all_changes_in_the_order_of_commit(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    let callers = (0..CALLERS).map(|n| {
        let store = Arc::clone(&scene.store);
        tokio::spawn(async move {
            let new = bearer(&format!("b{n}"), "u");
            let id = store.issue(new, by(1)).await.unwrap().into_inner().id;
            let end = TokenUpdate { expires_at: Some(at(50)), ..TokenUpdate::default() };
            store.update_token(id.clone(), end, by(2)).await.unwrap();
            store.revoke_set(everything(), by(3)).await.unwrap();
            store.revoke(revocation(&id), by(4)).await.unwrap();
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    let committed: Vec<_> = scene.audit().await.into_iter().map(|row| row.entry.subject).collect();
    let mut heard = Vec::new();
    let (mut taken, mut reached) = (0, 0);
    for event in scene.events() {
        let new = matches!(event, Event::Owner(_) | Event::Issued(..));
        let heading = matches!(event, Event::Reached(_) | Event::Cleared);
        taken += u64::from(!new && !heading);
        match event {
            Event::Owner(owner) => heard.push(owner.id.to_string()),
            Event::Issued(record, _) | Event::Updated(record, _) => {
                heard.push(record.id.to_string());
            }
            Event::Revoked(id, _) => heard.push(id.to_string()),
            Event::NotBefore(None, _) => heard.push(String::new()),
            Event::Reached(epoch) => {
                assert!(epoch >= reached, "went back from {reached} to {epoch}");
                assert_eq!(epoch, taken, "told of an epoch before all of its changes");
                reached = epoch;
            }
            Event::Cleared => {}
            other => panic!("{other:?} of nothing that was done"),
        }
    }
    assert_eq!(heard, committed);
    assert_eq!(reached, 3 * CALLERS as u64);
}

fn everything() -> SetRevocation {
    SetRevocation {
        set: TokenSet::Everything,
        issued_before: IssuedBefore::Moment(at(0)),
        reason: RevocationReason::Unspecified,
    }
}
