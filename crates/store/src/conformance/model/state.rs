//! The model: what there is, in plain lists, and what follows from it.

use crate::{By, Epoch, Idempotency, IssuedBefore, StoreError, StoredToken};
use rescind_core::{
    LetIn, NetworkSet, NotBefore, Owner, OwnerId, TenantId, Timestamp, TokenId, TokenKind,
    TokenRecord, TokenState,
};
use std::collections::BTreeMap;

const DAY_MILLIS: i64 = 24 * 3_600_000;

#[derive(Clone, Default)]
pub(super) struct Model {
    pub(super) owners: Vec<Owner>,
    /// With their last use.
    pub(super) tokens: Vec<(TokenRecord, Option<Timestamp>)>,
    pub(super) bounds: BTreeMap<Option<TenantId>, Timestamp>,
    pub(super) epoch: Epoch,
    /// Of the audit trail.
    pub(super) entries: u64,
    made: BTreeMap<[u8; 32], Made>,
}

#[derive(Clone)]
struct Made {
    request: [u8; 32],
    id: String,
    at: Timestamp,
}

impl Model {
    pub(super) fn stored(&self) -> Vec<StoredToken> {
        let stored = |(record, last_used_at): &(TokenRecord, Option<Timestamp>)| StoredToken {
            record: record.clone(),
            last_used_at: *last_used_at,
            tenant: self.owner(&record.owner).and_then(|owner| owner.tenant.clone()),
            not_before: self.not_before(&record.owner, record.kind),
            superseded_by: self.successors(&record.id).map(|next| next.id.clone()).last(),
        };
        self.tokens.iter().map(stored).collect()
    }

    pub(super) fn owner(&self, id: &OwnerId) -> Option<&Owner> {
        self.owners.iter().find(|owner| owner.id == *id)
    }

    pub(super) fn token(&self, id: &TokenId) -> Option<&TokenRecord> {
        self.tokens.iter().map(|(record, _)| record).find(|record| record.id == *id)
    }

    pub(super) fn token_mut(&mut self, id: &TokenId) -> Option<&mut TokenRecord> {
        self.tokens.iter_mut().map(|(record, _)| record).find(|record| record.id == *id)
    }

    /// Those that were not revoked, oldest first.
    pub(super) fn successors(&self, id: &TokenId) -> impl Iterator<Item = &TokenRecord> {
        self.tokens.iter().map(|(record, _)| record).filter(move |next| {
            next.state == TokenState::Active
                && next.rotation.as_ref().is_some_and(|rotation| rotation.from == *id)
        })
    }

    pub(super) fn not_before(&self, owner: &OwnerId, kind: TokenKind) -> Option<Timestamp> {
        let owner = self.owner(owner)?;
        let tenant = owner.tenant.as_ref().and_then(|id| self.bounds.get(&Some(id.clone())));
        let everything = self.bounds.get(&None).copied();
        NotBefore { owner: owner.not_before, tenant: tenant.copied(), everything }.strictest(kind)
    }

    pub(super) fn in_force(&self, token: &TokenRecord, now: Timestamp) -> bool {
        let start = self.not_before(&token.owner, token.kind);
        token.state == TokenState::Active
            && token.expires_at.is_none_or(|end| end > now)
            && start.is_none_or(|start| token.issued_at >= start)
    }

    pub(super) fn may_act(&self, by: &By) -> bool {
        let Some(id) = by.actor.token_id() else { return true };
        let Some(token) = self.token(&id) else { return false };
        let Some(owner) = self.owner(&token.owner) else { return false };
        self.in_force(token, by.at)
            && !owner.state.is_suspended()
            && by.let_in.as_ref().is_none_or(|let_in| is_for(token, owner, let_in))
    }

    pub(super) fn administered_until(&self, now: Timestamp) -> Option<Timestamp> {
        let far = now.plus_millis(DAY_MILLIS);
        let can = |token: &&TokenRecord| {
            let Some(owner) = self.owner(&token.owner) else { return false };
            let bounds = &owner.capabilities;
            let waits = |next: &TokenRecord| {
                let rotation = next.rotation.as_ref();
                rotation.is_some_and(|rotation| rotation.overlap_from_first_use.is_some())
                    && next.expires_at.is_none_or(|end| end > now)
            };
            token.kind == TokenKind::Admin
                && self.in_force(token, now)
                && token.scopes.contains("admin")
                && bounds.allowed_scopes.as_ref().is_none_or(|most| most.contains("admin"))
                && owner.tenant.is_none()
                && !owner.state.is_suspended()
                && [&token.allowed_networks, &bounds.allowed_networks]
                    .into_iter()
                    .flatten()
                    .all(|networks| networks.iter().len() > 0)
                && !self.successors(&token.id).any(waits)
        };
        let ends = self.tokens.iter().map(|(record, _)| record).filter(can);
        ends.map(|token| token.expires_at.map_or(far, |end| end.min(far))).max()
    }

    pub(super) fn bound(&self, before: IssuedBefore, now: Timestamp) -> Timestamp {
        let last = self.tokens.iter().map(|(record, _)| record.issued_at).max();
        let all = last.map_or(now, |last| last.max(now)).plus_millis(1);
        match before {
            IssuedBefore::ThisWrite => all,
            IssuedBefore::Moment(moment) => moment.min(all),
        }
    }

    pub(super) fn made_before(
        &self,
        idempotency: Option<Idempotency>,
        by: &By,
    ) -> Result<Option<String>, StoreError> {
        let Some(Idempotency { key, request }) = idempotency else { return Ok(None) };
        let known = self.made.get(key.as_bytes()).filter(|made| remembered(made, by));
        match known {
            Some(made) if made.request == *request.as_bytes() => Ok(Some(made.id.clone())),
            Some(_) => Err(StoreError::KeyReused),
            None => Ok(None),
        }
    }

    pub(super) fn remember(&mut self, idempotency: Option<Idempotency>, id: &str, by: &By) {
        let Some(Idempotency { key, request }) = idempotency else { return };
        self.made.retain(|_, made| remembered(made, by));
        let made = Made { request: *request.as_bytes(), id: id.into(), at: by.at };
        self.made.insert(*key.as_bytes(), made);
    }
}

/// Whether a token may do what it was let in for, as far as it is in force.
fn is_for(token: &TokenRecord, owner: &Owner, let_in: &LetIn) -> bool {
    let bounds = &owner.capabilities;
    let networks = [&token.allowed_networks, &bounds.allowed_networks];
    let here = |set: &NetworkSet| let_in.client.is_some_and(|client| set.contains(client));
    let most = bounds.allowed_scopes.as_ref();
    (token.kind == TokenKind::Admin) == let_in.admin
        && networks.into_iter().flatten().all(here)
        && (let_in.scopes.iter())
            .all(|name| token.scopes.contains(name) && most.is_none_or(|most| most.contains(name)))
        && (bounds.token_management || !let_in.token_management)
}

fn remembered(made: &Made, by: &By) -> bool {
    made.at > by.at.plus_millis(-DAY_MILLIS)
}
