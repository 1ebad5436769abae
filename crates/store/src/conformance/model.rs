//! Random sequences, step by step beside a model that is too simple to be wrong.
//!
//! Ids come from small pools, so that most steps meet something that is there: taken, suspended,
//! revoked. The seed of a failure stands in its message.

use super::{
    Backend,
    scene::{Event, Scene, at, by, owner_id, partner, scopes, token, token_id, user},
};
use crate::{
    IssueError, NewOwner, NewToken, OwnerError, OwnerUpdate, Revocation, Revoked, StoredToken,
    TokenFilter,
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use rescind_core::{
    Capabilities, Owner, OwnerKind, OwnerState, RevocationReason, TokenKind, TokenRecord,
    TokenState, may_issue,
};
use std::collections::BTreeMap;

const SEEDS: u64 = 6;
const STEPS: i64 = 150;
const OWNERS: [&str; 4] = ["u0", "u1", "p0", "p1"];
const TOKENS: u32 = 24;

pub async fn random_sequences_agree_with_a_plain_model(backend: &dyn Backend) {
    for seed in 0..SEEDS {
        let scene = Scene::of(backend).await;
        let mut walk = Walk { rng: StdRng::seed_from_u64(seed), model: Model::default() };
        for step in 0..STEPS {
            let expected = format!("seed {seed}, step {step}");
            walk.step(&scene, step, &expected).await;
        }
        walk.model.compare(&scene, &format!("seed {seed}")).await;
    }
}

struct Walk {
    rng: StdRng,
    model: Model,
}

impl Walk {
    async fn step(&mut self, scene: &Scene, step: i64, context: &str) {
        match self.rng.random_range(0..10) {
            0 | 1 => {
                let new = self.owner();
                let found = scene.store.create_owner(new.clone(), by(step)).await;
                let expected = self.model.create(&new, step);
                assert_eq!(found.ok().is_some(), expected, "{context}");
            }
            2 => {
                let (id, update) = (owner_id(self.pick_owner()), self.update(step));
                let found = scene.store.update_owner(id.clone(), update.clone(), by(step)).await;
                match (found, self.model.update(id.as_str(), &update, step)) {
                    (Ok(found), Some(expected)) => assert_eq!(found, expected, "{context}"),
                    (Err(OwnerError::Unknown), None) => {}
                    (found, expected) => panic!("{context}: {found:?}, not {expected:?}"),
                }
            }
            3..=6 => {
                let new = self.token();
                let found = scene.store.issue(new.clone(), by(step)).await;
                let expected = self.model.issue(&new, step);
                assert_eq!(kind_of(&found), expected, "{context}: {found:?}");
            }
            7 | 8 => {
                let what = self.revocation();
                let found = scene.store.revoke(what.clone(), by(step)).await.unwrap();
                assert_eq!(found, self.model.revoke(&what, step), "{context}");
            }
            _ => {
                let (name, seconds) = (self.pick_token(), self.rng.random_range(0..STEPS));
                scene.store.record_use(vec![(token_id(&name), at(seconds))]).await.unwrap();
                self.model.record_use(&name, seconds);
            }
        }
    }

    fn pick_owner(&mut self) -> &'static str {
        OWNERS.choose(&mut self.rng).unwrap()
    }

    fn pick_token(&mut self) -> String {
        format!("t{}", self.rng.random_range(0..TOKENS))
    }

    fn owner(&mut self) -> NewOwner {
        let (name, unique) = (self.pick_owner(), self.pick_owner());
        let new = if unique.starts_with('u') { user(unique) } else { partner(unique) };
        NewOwner { id: owner_id(name), ..new }
    }

    fn update(&mut self, step: i64) -> OwnerUpdate {
        let sets = [&["trading"][..], &["trading", "account_creation"], &["other"], &[]];
        let names = *sets.choose(&mut self.rng).unwrap();
        OwnerUpdate {
            suspended: self.rng.random_bool(0.3).then(|| self.rng.random_bool(0.3)),
            token_management: self.rng.random_bool(0.3).then(|| self.rng.random_bool(0.6)),
            allowed_scopes: self.rng.random_bool(0.3).then(|| scopes(names)),
            not_before: self.rng.random_bool(0.2).then(|| at(step - self.rng.random_range(0..20))),
        }
    }

    fn token(&mut self) -> NewToken {
        let kinds = [TokenKind::Bearer, TokenKind::ApiKey, TokenKind::Signing];
        let kind = *kinds.choose(&mut self.rng).unwrap();
        let names = *[&["trading"][..], &[]].choose(&mut self.rng).unwrap();
        let (name, owner) = (self.pick_token(), self.pick_owner());
        NewToken { scopes: scopes(names), ..token(&name, owner, kind) }
    }

    fn revocation(&mut self) -> Revocation {
        Revocation {
            id: token_id(&self.pick_token()),
            owner: self.rng.random_bool(0.4).then(|| owner_id(self.pick_owner())),
            reason: *RevocationReason::ALL.choose(&mut self.rng).unwrap(),
        }
    }
}

#[derive(Debug, PartialEq)]
enum Issued {
    Yes,
    Exists,
    UnknownOwner,
    Denied,
}

fn kind_of(answer: &Result<TokenRecord, IssueError>) -> Issued {
    match answer {
        Ok(_) => Issued::Yes,
        Err(IssueError::Exists) => Issued::Exists,
        Err(IssueError::UnknownOwner) => Issued::UnknownOwner,
        Err(IssueError::Denied(_)) => Issued::Denied,
        Err(IssueError::Store(error)) => panic!("the store failed: {error:?}"),
    }
}

#[derive(Default)]
struct Model {
    owners: Vec<Owner>,
    tokens: Vec<StoredToken>,
    epoch: u64,
    entries: u64,
}

impl Model {
    fn create(&mut self, new: &NewOwner, step: i64) -> bool {
        if self
            .owners
            .iter()
            .any(|owner| owner.id == new.id || unique(&owner.kind) == unique(&new.kind))
        {
            return false;
        }
        let mut kind = new.kind.clone();
        if let OwnerKind::Partner { profile_id, .. } = &mut kind {
            let partners = self.owners.iter();
            *profile_id = 1001
                + partners.filter(|owner| matches!(owner.kind, OwnerKind::Partner { .. })).count()
                    as i32;
        }
        self.owners.push(Owner {
            id: new.id.clone(),
            kind,
            state: OwnerState::Active,
            not_before: None,
            capabilities: Capabilities {
                token_management: new.token_management,
                allowed_scopes: new.allowed_scopes.clone(),
            },
            created_at: at(step),
        });
        self.entries += 1;
        true
    }

    fn update(&mut self, id: &str, update: &OwnerUpdate, step: i64) -> Option<Owner> {
        let owner = self.owners.iter_mut().find(|owner| owner.id.as_str() == id)?;
        let before = owner.clone();
        let mut less_power = false;
        if let Some(suspended) = update.suspended {
            if suspended && !owner.state.is_suspended() {
                owner.state = OwnerState::Suspended { at: at(step), by: by(step).actor };
                less_power = true;
            } else if !suspended {
                owner.state = OwnerState::Active;
            }
        }
        if let Some(on) = update.token_management {
            less_power |= owner.capabilities.token_management && !on;
            owner.capabilities.token_management = on;
        }
        if let Some(new) = &update.allowed_scopes {
            let old = owner.capabilities.allowed_scopes.replace(new.clone());
            less_power |= old.is_none_or(|old| old.iter().any(|name| !new.contains(name)));
        }
        if let Some(start) = update.not_before
            && owner.not_before.is_none_or(|old| old < start)
        {
            owner.not_before = Some(start);
            less_power = true;
        }
        self.entries += u64::from(*owner != before);
        self.epoch += u64::from(less_power);
        Some(owner.clone())
    }

    fn issue(&mut self, new: &NewToken, step: i64) -> Issued {
        let Some(owner) = self.owners.iter().find(|owner| owner.id == new.owner) else {
            return Issued::UnknownOwner;
        };
        if may_issue(owner, new.kind, &new.scopes).is_err() {
            return Issued::Denied;
        }
        if self.tokens.iter().any(|token| token.record.id == new.id) {
            return Issued::Exists;
        }
        let record = TokenRecord {
            id: new.id.clone(),
            owner: new.owner.clone(),
            kind: new.kind,
            label: new.label.clone(),
            scopes: new.scopes.clone(),
            issued_at: at(step),
            expires_at: new.expires_at,
            state: TokenState::Active,
        };
        self.tokens.push(StoredToken { record, last_used_at: None });
        self.entries += 1;
        Issued::Yes
    }

    fn revoke(&mut self, what: &Revocation, step: i64) -> Revoked {
        let owned = |token: &&mut StoredToken| {
            token.record.id == what.id
                && what.owner.as_ref().is_none_or(|owner| *owner == token.record.owner)
        };
        let Some(token) = self.tokens.iter_mut().find(owned) else { return Revoked::Unknown };
        if token.record.state != TokenState::Active {
            return Revoked::Before { record: token.record.clone() };
        }
        token.record.state =
            TokenState::Revoked { at: at(step), by: by(step).actor, reason: what.reason };
        self.entries += 1;
        self.epoch += 1;
        Revoked::Now { epoch: self.epoch }
    }

    fn record_use(&mut self, name: &str, seconds: i64) {
        if let Some(token) = self.tokens.iter_mut().find(|token| token.record.id.as_str() == name) {
            token.last_used_at = token.last_used_at.max(Some(at(seconds)));
        }
    }

    async fn compare(&self, scene: &Scene, context: &str) {
        let all =
            TokenFilter { owner: None, kind: None, active_only: false, after: None, limit: 1000 };
        let stored = scene.store.tokens(&all).await.unwrap();
        let flat = |tokens: &[StoredToken]| {
            tokens
                .iter()
                .map(|token| (token.record.clone(), token.last_used_at))
                .collect::<Vec<_>>()
        };
        assert_eq!(flat(&stored), flat(&self.tokens), "{context}");
        for owner in &self.owners {
            let stored = scene.store.owner(&owner.id).await.unwrap();
            assert_eq!(stored.as_ref(), Some(owner), "{context}");
        }
        self.compare_follower(scene, context);
        assert_eq!(scene.store.epoch().await.unwrap(), self.epoch, "{context}");
        assert_eq!(scene.audit().await.len() as u64, self.entries, "{context}");
    }
}

impl Model {
    /// A follower that starts empty and applies what it hears ends where the model is.
    fn compare_follower(&self, scene: &Scene, context: &str) {
        let (mut owners, mut active) = (BTreeMap::new(), BTreeMap::new());
        for event in scene.events() {
            match event {
                Event::Owner(owner) => drop(owners.insert(owner.id.clone(), owner)),
                Event::Issued(record, _) => drop(active.insert(record.id.clone(), record)),
                Event::Revoked(id, _) => drop(active.remove(&id)),
                Event::Reached(epoch) => assert!(epoch <= self.epoch, "{context}"),
                Event::Sealed => panic!("{context}: sealed"),
            }
        }
        let expected = self.owners.iter().map(|owner| (owner.id.clone(), owner.clone()));
        assert_eq!(owners, expected.collect(), "{context}");
        let records = self.tokens.iter().map(|token| token.record.clone());
        let expected = records.filter(|record| record.state == TokenState::Active);
        assert_eq!(active, expected.map(|r| (r.id.clone(), r)).collect(), "{context}");
    }
}

/// What no two owners share besides the id.
fn unique(kind: &OwnerKind) -> &str {
    match kind {
        OwnerKind::User { email, .. } => email,
        OwnerKind::Partner { subject, .. } => subject,
        OwnerKind::Operator { name } => name,
    }
}
