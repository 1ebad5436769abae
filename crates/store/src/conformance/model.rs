//! Random sequences, step by step beside a model that is too simple to be wrong.
//!
//! Ids come from small pools, so that most steps meet something that is there: taken, suspended,
//! revoked, superseded. Clocks step back and forth. The seed of a failure stands in its message.

mod rules;
mod state;
mod walk;

use super::{
    Backend,
    scene::{Event, Scene, at},
};
use crate::{By, Standing, StoredToken, TokenFilter};
use rescind_core::{Owner, OwnerId, TenantId, Timestamp, TokenId, TokenRecord, TokenState};
use state::Model;
use std::{collections::BTreeMap, fmt::Debug};
use walk::{STEP_SECONDS, Step, Walk};

const SEEDS: u64 = 10;
const STEPS: i64 = 300;

pub async fn random_sequences_agree_with_a_plain_model(backend: &dyn Backend) {
    for seed in 0..SEEDS {
        let scene = Scene::of(backend).await;
        let (mut walk, mut model) = (Walk::of(seed), Model::default());
        for number in 0..STEPS {
            let (step, by) = (walk.step(number, &model), walk.by(number));
            let expected = model.take(&step, &by);
            let found = take(&scene, step.clone(), by.clone()).await;
            assert_eq!(found, expected, "seed {seed}, step {number}: {step:?} {by:?}");
        }
        compare(&scene, &model, &format!("seed {seed}")).await;
        let scene = scene.reopened(backend).await;
        compare(&scene, &model, &format!("seed {seed}, reopened")).await;
    }
}

/// The step taken by the store, and all that it answered.
async fn take(scene: &Scene, step: Step, by: By) -> String {
    let store = &scene.store;
    match step {
        Step::CreateOwner(new) => said(store.create_owner(new, by).await),
        Step::UpdateOwner(id, update) => said(store.update_owner(id, update, by).await),
        Step::Issue(new) => said(store.issue(new, by).await),
        Step::Rotate(what) => said(store.rotate(what, by).await),
        Step::UpdateToken(id, update) => said(store.update_token(id, update, by).await),
        Step::Revoke(what) => said(store.revoke(what, by).await),
        Step::RevokeAll(what) => said(store.revoke_all(what, by).await),
        Step::RevokeSet(what) => said(store.revoke_set(what, by).await),
        Step::Use(uses) => said(store.record_use(uses).await),
    }
}

fn said(answer: impl Debug) -> String {
    format!("{answer:?}")
}

/// Everything that can be read agrees, and so does what a follower was told.
async fn compare(scene: &Scene, model: &Model, context: &str) {
    let stored = model.stored();
    let all = TokenFilter { limit: u32::MAX, ..TokenFilter::default() };
    assert_eq!(scene.store.tokens(&all).await.unwrap(), stored, "{context}");
    for owner in &model.owners {
        let found = scene.store.owner(&owner.id).await.unwrap();
        assert_eq!(found.as_ref(), Some(owner), "{context}");
    }
    compare_standings(scene, &stored, context).await;
    Followed::of(scene).compare(model, context);
    assert_eq!(scene.store.epoch().await.unwrap(), model.epoch, "{context}");
    assert_eq!(scene.audit().await.len() as u64, model.entries, "{context}");
}

/// Every token in exactly one standing, at any moment.
async fn compare_standings(scene: &Scene, stored: &[StoredToken], context: &str) {
    for number in (0..STEPS).step_by(25) {
        let now = at(number * STEP_SECONDS);
        for asked in [Standing::Active, Standing::Revoked, Standing::Expired] {
            let standing = Some((asked, now));
            let filter = TokenFilter { standing, limit: u32::MAX, ..TokenFilter::default() };
            let found = scene.store.tokens(&filter).await.unwrap();
            let expected = stored.iter().filter(|stored| standing_of(stored, now) == asked);
            assert_eq!(found, expected.cloned().collect::<Vec<_>>(), "{context}: {asked:?}");
        }
    }
}

fn standing_of(stored: &StoredToken, now: Timestamp) -> Standing {
    if stored.record.state != TokenState::Active || stored.is_taken_back() {
        Standing::Revoked
    } else if stored.record.expires_at.is_some_and(|end| end <= now) {
        Standing::Expired
    } else {
        Standing::Active
    }
}

/// A follower that starts empty and applies what it hears.
#[derive(Debug, Default, PartialEq)]
struct Followed {
    owners: BTreeMap<OwnerId, Owner>,
    active: BTreeMap<TokenId, TokenRecord>,
    bounds: BTreeMap<Option<TenantId>, Timestamp>,
    epoch: u64,
}

impl Followed {
    fn of(scene: &Scene) -> Self {
        let mut known = Self::default();
        for event in scene.events() {
            match event {
                Event::Owner(owner) => drop(known.owners.insert(owner.id.clone(), owner)),
                Event::Issued(record, _) | Event::Updated(record, _) => {
                    known.active.insert(record.id.clone(), enforced(record));
                }
                Event::Revoked(id, _) => drop(known.active.remove(&id)),
                Event::NotBefore(tenant, start) => drop(known.bounds.insert(tenant, start)),
                Event::Reached(epoch) => known.epoch = epoch,
                Event::Cleared => known = Self::default(),
                Event::Sealed => panic!("sealed"),
            }
        }
        known
    }

    fn compare(&self, model: &Model, context: &str) {
        let active = model.tokens.iter().filter(|(record, _)| record.state == TokenState::Active);
        let expected = Self {
            owners: model.owners.iter().map(|owner| (owner.id.clone(), owner.clone())).collect(),
            active: active
                .map(|(record, _)| (record.id.clone(), enforced(record.clone())))
                .collect(),
            bounds: model.bounds.clone(),
            epoch: model.epoch,
        };
        assert_eq!(*self, expected, "{context}");
    }
}

/// A rotation that waits for a first use is the store's alone.
fn enforced(record: TokenRecord) -> TokenRecord {
    TokenRecord { rotation: None, ..record }
}
