//! Every rule of the store once more, over the model's lists.
//!
//! A step runs on a copy, which is kept if it was not refused: nothing here can be half done.

use super::{Step, said, state::Model};
use crate::{
    AllRevoked, By, Created, IssueError, NewOwner, NewRotation, NewToken, Overlap, OwnerError,
    OwnerUpdate, Revocation, RevocationOfAll, Revoked, RotateError, Rotated, SetRevocation,
    SetRevoked, Settled, StoreError, TokenSet, UpdateError,
};
use rescind_core::{
    Capabilities, Owner, OwnerId, OwnerKind, OwnerState, RevocationReason, Rotation, ScopeSet,
    Timestamp, TokenId, TokenKind, TokenRecord, TokenState, TokenUpdate, may_issue, overlap_end,
};
use std::{fmt::Debug, time::Duration};

impl Model {
    pub(super) fn take(&mut self, step: &Step, by: &By) -> String {
        let act = self.may_act(by);
        match step.clone() {
            Step::CreateOwner(new) => self.attempt(by, act, |model| model.create(new, by)),
            Step::UpdateOwner(id, update) => {
                self.attempt(by, act, |model| model.update_owner(&id, update, by))
            }
            Step::Issue(new) => self.attempt(by, act, |model| model.issue(new, by)),
            Step::Rotate(what) => self.attempt(by, act, |model| model.rotate(what, by)),
            Step::UpdateToken(id, update) => {
                self.attempt(by, act, |model| model.update_token(&id, update, by))
            }
            Step::Revoke(what) => {
                let itself = by.actor.token_id().as_ref() == Some(&what.id);
                self.attempt(by, act || itself, |model| model.revoke(&what, by))
            }
            Step::RevokeAll(what) => self.attempt(by, act, |model| model.revoke_all(&what, by)),
            Step::RevokeSet(what) => self.attempt(by, act, |model| model.revoke_set(&what, by)),
            Step::Use(uses) => said(self.record_use(uses)),
        }
    }

    fn attempt<T: Debug, E: Debug + From<StoreError>>(
        &mut self,
        by: &By,
        may_act: bool,
        step: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> String {
        let mut next = self.clone();
        let done = if may_act { step(&mut next) } else { Err(StoreError::ActorRefused.into()) };
        let done = done.and_then(|value| {
            let kept = next.administered_until(by.at) >= self.administered_until(by.at);
            if kept { Ok(value) } else { Err(StoreError::LastAdmin.into()) }
        });
        if done.is_ok() {
            *self = next;
        }
        said(done)
    }

    fn create(&mut self, new: NewOwner, by: &By) -> Result<Created<Owner>, OwnerError> {
        if let Some(made) = self.made_before(new.idempotency, by)? {
            let known = self.owners.iter().find(|owner| owner.id.as_str() == made);
            return Ok(Created::Before(known.ok_or(OwnerError::Unknown)?.clone()));
        }
        let mut kind = new.kind;
        if let OwnerKind::Partner { profile_id, .. } = &mut kind {
            let partners = self.owners.iter().filter(|owner| owner.kind.as_str() == "partner");
            *profile_id = 1001 + partners.count() as i32;
        }
        let alike = |other| unique(&kind).is_some() && unique(other) == unique(&kind);
        if self.owners.iter().any(|owner| owner.id == new.id || alike(&owner.kind)) {
            return Err(OwnerError::Exists);
        }
        let owner = Owner {
            id: new.id,
            kind,
            tenant: new.tenant,
            state: OwnerState::Active,
            not_before: None,
            capabilities: Capabilities {
                token_management: new.token_management,
                allowed_scopes: new.allowed_scopes,
                allowed_networks: new.allowed_networks,
            },
            created_at: by.at,
        };
        self.owners.push(owner.clone());
        self.remember(new.idempotency, owner.id.as_str(), by);
        self.entries += 1;
        Ok(Created::Now(owner))
    }

    fn update_owner(
        &mut self,
        id: &OwnerId,
        update: OwnerUpdate,
        by: &By,
    ) -> Result<Owner, OwnerError> {
        let before = self.owner(id).ok_or(OwnerError::Unknown)?.clone();
        let mut after = before.clone();
        let (old, new) = (&before.capabilities, &mut after.capabilities);
        if update.suspended == Some(true) && !before.state.is_suspended() {
            after.state = OwnerState::Suspended { at: by.at, by: by.actor.clone() };
        }
        if update.suspended == Some(false) {
            after.state = OwnerState::Active;
        }
        new.token_management = update.token_management.unwrap_or(old.token_management);
        new.allowed_scopes = update.allowed_scopes.unwrap_or(old.allowed_scopes.clone());
        new.allowed_networks = update.allowed_networks.unwrap_or(old.allowed_networks.clone());
        let start = update.not_before.map(|before| self.bound(before, by.at));
        after.not_before = start.max(before.not_before);
        let mut password = false;
        if let OwnerKind::User { first_name, .. } = &mut after.kind {
            *first_name = update.first_name.unwrap_or_else(|| first_name.clone());
            password = update.password_hash.is_some();
        }
        self.epoch += u64::from(after != before);
        self.entries += u64::from(after != before || password);
        self.put_owner(&after);
        Ok(after)
    }

    fn put_owner(&mut self, after: &Owner) {
        let place = self.owners.iter_mut().find(|owner| owner.id == after.id);
        place.unwrap().clone_from(after);
    }

    fn issue(&mut self, new: NewToken, by: &By) -> Result<Created<TokenRecord>, IssueError> {
        if let Some(made) = self.made_before(new.idempotency, by)? {
            return Ok(Created::Before(self.made_token(&made)));
        }
        if self.owner(&new.owner).is_none() {
            return Err(IssueError::UnknownOwner);
        }
        let now = self.time_of_issue(&new.owner, new.kind, by.at);
        let record = TokenRecord {
            id: new.id,
            owner: new.owner,
            kind: new.kind,
            label: new.label,
            scopes: new.scopes,
            issued_at: new.issued_at.map_or(now, |elsewhere| elsewhere.min(by.at)),
            expires_at: new.expires_at,
            allowed_networks: new.allowed_networks,
            rotation: None,
            state: TokenState::Active,
        };
        self.add(record.clone())?;
        self.remember(new.idempotency, record.id.as_str(), by);
        Ok(Created::Now(record))
    }

    fn made_token(&self, id: &str) -> TokenRecord {
        self.token(&TokenId::parse(id).unwrap()).unwrap().clone()
    }

    fn time_of_issue(&self, owner: &OwnerId, kind: TokenKind, now: Timestamp) -> Timestamp {
        self.not_before(owner, kind).map_or(now, |start| start.max(now))
    }

    fn add(&mut self, record: TokenRecord) -> Result<(), IssueError> {
        let owner = self.owner(&record.owner).ok_or(IssueError::UnknownOwner)?;
        may_issue(owner, record.kind, &record.scopes)?;
        if self.token(&record.id).is_some() {
            return Err(IssueError::Exists);
        }
        self.tokens.push((record, None));
        self.entries += 1;
        Ok(())
    }

    fn rotate(&mut self, what: NewRotation, by: &By) -> Result<Created<Rotated>, RotateError> {
        if let Some(made) = self.made_before(what.idempotency, by)? {
            let new = self.made_token(&made);
            let from = new.rotation.clone().unwrap().from;
            return Ok(Created::Before(Rotated { old: self.made_token(from.as_str()), new }));
        }
        let old = self.token(&what.from).ok_or(RotateError::Unknown)?.clone();
        if !self.in_force(&old, by.at) {
            return Err(RotateError::NotInForce);
        }
        if let Some(next) = self.successors(&old.id).find(|next| self.in_force(next, by.at)) {
            return Err(RotateError::Superseded { by: next.id.clone() });
        }
        if !matches!(what.overlap, Overlap::FromFirstUse(_)) {
            self.begin_overlap(&old.id, by.at);
        }
        let old = self.made_token(old.id.as_str());
        let new = self.successor(&what, &old, by);
        let old = self.superseded(old, what.overlap, by);
        self.add(new.clone()).map_err(|refused| match refused {
            IssueError::Denied(denial) => RotateError::Denied(denial),
            _ => RotateError::Exists,
        })?;
        self.remember(what.idempotency, new.id.as_str(), by);
        Ok(Created::Now(Rotated { new, old }))
    }

    fn successor(&self, what: &NewRotation, old: &TokenRecord, by: &By) -> TokenRecord {
        let allowed = self.owner(&old.owner).unwrap().capabilities.allowed_scopes.clone();
        let kept = |name: &&str| allowed.as_ref().is_none_or(|most| most.contains(name));
        let given = old.expires_at.map(|end| {
            let since = |start: Timestamp| end.as_millis() - start.as_millis();
            by.at.plus_millis(since(old.issued_at).max(since(by.at)))
        });
        let asked = what.lifetime.map(|time| by.at.plus_millis(time.as_millis() as i64));
        let itself = by.actor.token_id().as_ref() == Some(&old.id);
        let most = old.expires_at.filter(|_| itself);
        let overlap_from_first_use = match what.overlap {
            Overlap::FromFirstUse(overlap) => Some(overlap),
            _ => None,
        };
        TokenRecord {
            id: what.id.clone(),
            scopes: ScopeSet::parse(old.scopes.iter().filter(kept)).unwrap(),
            issued_at: self.time_of_issue(&old.owner, old.kind, by.at),
            expires_at: asked.or(given).map(|end| most.map_or(end, |most| most.min(end))).or(most),
            rotation: Some(Rotation { from: old.id.clone(), overlap_from_first_use }),
            ..old.clone()
        }
    }

    fn superseded(&mut self, mut old: TokenRecord, overlap: Overlap, by: &By) -> TokenRecord {
        match overlap {
            Overlap::None => {
                let reason = RevocationReason::Superseded;
                old.state = TokenState::Revoked { at: by.at, by: by.actor.clone(), reason };
                self.epoch += 1;
                self.entries += 1;
            }
            Overlap::FromNow(overlap) => self.shorten(&mut old, by.at, overlap),
            Overlap::FromFirstUse(_) => self.entries += 1,
        }
        self.put_token(&old);
        old
    }

    fn shorten(&mut self, old: &mut TokenRecord, start: Timestamp, overlap: Duration) {
        let end = Some(overlap_end(old.expires_at, start, overlap));
        self.epoch += u64::from(old.expires_at != end);
        self.entries += 1;
        old.expires_at = end;
    }

    fn put_token(&mut self, after: &TokenRecord) {
        self.token_mut(&after.id).unwrap().clone_from(after);
    }

    fn update_token(
        &mut self,
        id: &TokenId,
        update: TokenUpdate,
        _: &By,
    ) -> Result<TokenRecord, UpdateError> {
        let before = self.token(id).ok_or(UpdateError::Unknown)?.clone();
        if before.state != TokenState::Active {
            return Err(UpdateError::Revoked);
        }
        let after = update.of(&before)?;
        let relabelled = TokenRecord { label: after.label.clone(), ..before.clone() };
        self.epoch += u64::from(after != relabelled);
        self.entries += u64::from(after != before);
        self.put_token(&after);
        Ok(after)
    }

    fn revoke(&mut self, what: &Revocation, by: &By) -> Result<Revoked, StoreError> {
        let owned = |token: &&TokenRecord| what.owner.as_ref().is_none_or(|id| *id == token.owner);
        let Some(mut token) = self.token(&what.id).filter(owned).cloned() else {
            return Ok(Revoked::Unknown);
        };
        if token.state != TokenState::Active {
            let settled = Settled::alone(self.epoch);
            return Ok(Revoked::Before { record: token, settled });
        }
        token.state = TokenState::Revoked { at: by.at, by: by.actor.clone(), reason: what.reason };
        self.put_token(&token);
        self.entries += 1;
        self.epoch += 1;
        Ok(Revoked::Now(Settled::alone(self.epoch)))
    }

    fn revoke_all(&mut self, what: &RevocationOfAll, by: &By) -> Result<AllRevoked, StoreError> {
        let mut count = 0;
        for (token, _) in &mut self.tokens {
            let meant = token.owner == what.owner && token.kind == what.kind;
            if meant && token.state == TokenState::Active {
                let reason = what.reason;
                token.state = TokenState::Revoked { at: by.at, by: by.actor.clone(), reason };
                count += 1;
            }
        }
        self.entries += u64::from(count > 0);
        self.epoch += u64::from(count > 0);
        Ok(AllRevoked { count, settled: Settled::alone(self.epoch) })
    }

    fn revoke_set(&mut self, what: &SetRevocation, by: &By) -> Result<SetRevoked, OwnerError> {
        let start = self.bound(what.issued_before, by.at);
        let tenant = match &what.set {
            TokenSet::Owner(id) => return self.revoke_owner(id, start),
            TokenSet::Tenant(id) => Some(id.clone()),
            TokenSet::Everything => None,
        };
        let bound = self.bounds.entry(tenant).or_insert(start);
        *bound = start.max(*bound);
        let not_before = *bound;
        Ok(self.set_revoked(not_before))
    }

    fn revoke_owner(&mut self, id: &OwnerId, start: Timestamp) -> Result<SetRevoked, OwnerError> {
        let mut owner = self.owner(id).ok_or(OwnerError::Unknown)?.clone();
        let not_before = owner.not_before.map_or(start, |before| before.max(start));
        owner.not_before = Some(not_before);
        self.put_owner(&owner);
        Ok(self.set_revoked(not_before))
    }

    fn set_revoked(&mut self, not_before: Timestamp) -> SetRevoked {
        self.entries += 1;
        self.epoch += 1;
        SetRevoked { settled: Settled::alone(self.epoch), not_before }
    }

    fn record_use(&mut self, uses: Vec<(TokenId, Timestamp)>) -> Result<(), StoreError> {
        let mut waited_for = Vec::new();
        for (id, at) in uses {
            let Some((token, last)) = self.tokens.iter_mut().find(|(token, _)| token.id == id)
            else {
                continue;
            };
            if *last < Some(at) {
                *last = Some(at);
                let waits = token.rotation.as_ref().and_then(|r| r.overlap_from_first_use);
                waited_for.extend(waits.map(|_| (id, at)));
            }
        }
        waited_for.into_iter().for_each(|(id, at)| self.begin_overlap(&id, at));
        Ok(())
    }

    /// Of this one, and of every one before it that waits as well.
    fn begin_overlap(&mut self, id: &TokenId, at: Timestamp) {
        let Some(new) = self.token_mut(id) else { return };
        let Some(rotation) = new.rotation.as_mut().filter(|_| new.state == TokenState::Active)
        else {
            return;
        };
        let (overlap, from) = (rotation.overlap_from_first_use.take(), rotation.from.clone());
        let Some(overlap) = overlap else { return };
        let mut old = self.made_token(from.as_str());
        if old.state == TokenState::Active {
            self.shorten(&mut old, at, overlap);
            self.put_token(&old);
            self.begin_overlap(&from, at);
        }
    }
}

/// What no two owners share besides the id. Operators may share their names.
fn unique(kind: &OwnerKind) -> Option<&str> {
    match kind {
        OwnerKind::User { email, .. } => Some(email),
        OwnerKind::Partner { subject, .. } => Some(subject),
        OwnerKind::Operator { .. } => None,
    }
}
