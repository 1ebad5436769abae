//! The random steps.

use super::super::scene::{
    at, by, idempotency, networks, operator, owner_id, partner, rotation, scopes, tenant, token,
    token_id, user,
};
use super::state::Model;
use crate::{
    By, Idempotency, IssuedBefore, NewOwner, NewRotation, NewToken, Overlap, OwnerUpdate,
    Revocation, RevocationOfAll, SetRevocation, TokenSet,
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use rescind_core::{
    Actor, LetIn, NetworkSet, OwnerId, RevocationReason, ScopeSet, TenantId, Timestamp, TokenId,
    TokenKind, TokenUpdate,
};
use std::time::Duration;

/// Long enough that a walk outlives the day for which keys are remembered.
pub(super) const STEP_SECONDS: i64 = 600;

const OWNERS: [&str; 6] = ["u0", "u1", "p0", "p1", "o0", "o1"];
const TENANTS: [&str; 2] = ["t0", "t1"];
/// Tokens that most steps are about: the latest.
const KNOWN: usize = 16;
/// How far clocks step, in seconds.
const CLOCKS: i64 = 3 * STEP_SECONDS;

#[derive(Clone, Debug)]
pub(super) enum Step {
    CreateOwner(NewOwner),
    UpdateOwner(OwnerId, OwnerUpdate),
    Issue(NewToken),
    Rotate(NewRotation),
    UpdateToken(TokenId, TokenUpdate),
    Revoke(Revocation),
    RevokeAll(RevocationOfAll),
    RevokeSet(SetRevocation),
    Use(Vec<(TokenId, Timestamp)>),
}

pub(super) struct Walk {
    rng: StdRng,
    /// How many tokens were asked for so far.
    tokens: u32,
    /// The latest that are there.
    known: Vec<TokenId>,
}

impl Walk {
    pub(super) fn of(seed: u64) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), tokens: 0, known: Vec::new() }
    }

    pub(super) fn by(&mut self, number: i64) -> By {
        let at = self.moment(number);
        if !self.odds(0.2) {
            return By { at, ..by(0) };
        }
        By { actor: Actor::token(&self.token_id()), let_in: self.maybe(0.6, Self::let_in), at }
    }

    fn let_in(&mut self) -> LetIn {
        let clients = [None, Some([192, 0, 2, 7].into()), Some([198, 51, 100, 7].into())];
        LetIn {
            admin: self.odds(0.5),
            scopes: self.scopes(),
            client: self.one(&clients),
            token_management: self.odds(0.2),
        }
    }

    pub(super) fn step(&mut self, number: i64, model: &Model) -> Step {
        let latest = model.tokens.iter().rev().take(KNOWN);
        self.known = latest.map(|(record, _)| record.id.clone()).collect();
        match self.rng.random_range(0..100) {
            0..6 => Step::CreateOwner(self.owner()),
            _ if number < 20 => Step::CreateOwner(self.owner()),
            6..16 => Step::UpdateOwner(self.owner_id(), self.owner_update(number)),
            16..45 => Step::Issue(self.token(number)),
            45..62 => Step::Rotate(self.rotation(model)),
            62..73 => Step::UpdateToken(self.token_id(), self.token_update(number)),
            73..79 => Step::Revoke(self.revocation()),
            79..80 => Step::RevokeAll(RevocationOfAll {
                owner: self.owner_id(),
                kind: self.one(&TokenKind::ALL),
                reason: self.one(&RevocationReason::ALL),
            }),
            80..85 => Step::RevokeSet(self.set_revocation(number)),
            _ => Step::Use((0..4).map(|_| (self.token_id(), self.moment(number))).collect()),
        }
    }

    fn odds(&mut self, odds: f64) -> bool {
        self.rng.random_bool(odds)
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of.choose(&mut self.rng).unwrap().clone()
    }

    fn maybe<T>(&mut self, odds: f64, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.odds(odds).then(|| value(self))
    }

    /// Around a step, as clocks have it.
    fn moment(&mut self, number: i64) -> Timestamp {
        at(number * STEP_SECONDS + self.rng.random_range(-CLOCKS..CLOCKS))
    }

    fn later(&mut self, number: i64) -> Timestamp {
        let millis = self.rng.random_range(0..48 * 3_600_000);
        at(number * STEP_SECONDS).plus_millis(millis)
    }

    fn duration(&mut self) -> Duration {
        Duration::from_secs(self.rng.random_range(0..24 * 3_600))
    }

    fn owner_id(&mut self) -> OwnerId {
        owner_id(self.one(&OWNERS))
    }

    /// Most likely of one that is there.
    fn token_id(&mut self) -> TokenId {
        match self.known.choose(&mut self.rng) {
            Some(id) if self.rng.random_bool(0.9) => id.clone(),
            _ => token_id(&format!("t{}", self.rng.random_range(0..=self.tokens))),
        }
    }

    fn new_token_id(&mut self) -> TokenId {
        if self.odds(0.1) {
            return self.token_id();
        }
        self.tokens += 1;
        token_id(&format!("t{}", self.tokens))
    }

    fn tenant(&mut self) -> TenantId {
        tenant(self.one(&TENANTS))
    }

    fn scopes(&mut self) -> ScopeSet {
        scopes(self.one(&[&["admin", "trading"][..], &["trading"], &["admin"], &[]]))
    }

    fn networks(&mut self) -> Option<NetworkSet> {
        self.one(&[None, Some(&["192.0.2.0/24"][..]), Some(&[])]).map(networks)
    }

    /// Keys of different mutations never meet.
    fn idempotency(&mut self, mutation: u8) -> Option<Idempotency> {
        let key = 8 * mutation + self.rng.random_range(0..8);
        let request = self.rng.random_range(0..2);
        if self.odds(0.4) { idempotency(key, request) } else { None }
    }

    fn owner(&mut self) -> NewOwner {
        let name = self.one(&OWNERS);
        let new = match name.chars().next() {
            Some('u') => NewOwner { tenant: Some(self.tenant()), ..user(name) },
            Some('p') => NewOwner { tenant: self.maybe(0.5, Self::tenant), ..partner(name) },
            _ => NewOwner { tenant: self.maybe(0.2, Self::tenant), ..operator(name) },
        };
        let allowed_scopes = self.maybe(0.3, Self::scopes);
        let idempotency = self.idempotency(0);
        let id = if self.odds(0.1) { self.owner_id() } else { new.id };
        NewOwner { id, allowed_scopes, idempotency, ..new }
    }

    fn owner_update(&mut self, number: i64) -> OwnerUpdate {
        OwnerUpdate {
            first_name: self.maybe(0.2, |walk| walk.token_id().to_string()),
            last_name: None,
            password_hash: self.maybe(0.1, |_| "$argon2id$new".into()),
            suspended: self.maybe(0.5, |walk| walk.odds(0.3)),
            token_management: self.maybe(0.3, |walk| walk.odds(0.6)),
            allowed_scopes: self.maybe(0.4, |walk| walk.maybe(0.4, Self::scopes)),
            allowed_networks: self.maybe(0.2, Self::networks),
            not_before: self.maybe(0.1, |walk| walk.issued_before(number)),
        }
    }

    fn token(&mut self, number: i64) -> NewToken {
        let (id, owner) = (self.new_token_id(), self.owner_id());
        let kind = match (self.odds(0.1), owner.as_str().as_bytes()) {
            (false, [b'u', ..]) => TokenKind::Bearer,
            (false, [b'p', ..]) => self.one(&[TokenKind::ApiKey, TokenKind::Signing]),
            (false, _) => TokenKind::Admin,
            (true, _) => self.one(&TokenKind::ALL),
        };
        NewToken {
            label: self.maybe(0.2, |walk| walk.token_id().to_string()),
            scopes: self.scopes(),
            expires_at: self.maybe(0.5, |walk| walk.later(number)),
            allowed_networks: self.maybe(0.3, Self::networks).flatten(),
            issued_at: self.maybe(0.2, |walk| walk.moment(number)),
            idempotency: self.idempotency(1),
            ..token(id.as_str(), owner.as_str(), kind)
        }
    }

    /// With a secret or a digest as the old one has it: that is for the caller to know.
    fn rotation(&mut self, model: &Model) -> NewRotation {
        let (from, to) = (self.token_id(), self.new_token_id());
        let kind = model.token(&from).map_or(TokenKind::Bearer, |token| token.kind);
        let overlap = match self.rng.random_range(0..3) {
            0 => Overlap::None,
            1 => Overlap::FromNow(self.duration()),
            _ => Overlap::FromFirstUse(self.duration()),
        };
        NewRotation {
            lifetime: self.maybe(0.3, Self::duration),
            idempotency: self.idempotency(2),
            material: token(to.as_str(), OWNERS[0], kind).material,
            ..rotation(from.as_str(), to.as_str(), overlap)
        }
    }

    fn token_update(&mut self, number: i64) -> TokenUpdate {
        TokenUpdate {
            label: self.maybe(0.3, |_| None),
            scopes: self.maybe(0.4, Self::scopes),
            expires_at: self.maybe(0.3, |walk| walk.later(number)),
            allowed_networks: self.maybe(0.3, Self::networks),
        }
    }

    fn revocation(&mut self) -> Revocation {
        Revocation {
            id: self.token_id(),
            owner: self.maybe(0.4, Self::owner_id),
            reason: self.one(&RevocationReason::ALL),
        }
    }

    fn set_revocation(&mut self, number: i64) -> SetRevocation {
        let set = match self.rng.random_range(0..10) {
            0..6 => TokenSet::Owner(self.owner_id()),
            6..9 => TokenSet::Tenant(self.tenant()),
            _ => TokenSet::Everything,
        };
        let issued_before = self.issued_before(number);
        SetRevocation { set, issued_before, reason: self.one(&RevocationReason::ALL) }
    }

    fn issued_before(&mut self, number: i64) -> IssuedBefore {
        let back = self.rng.random_range(0..40);
        let moment = self.moment(number - back);
        if self.odds(0.3) { IssuedBefore::ThisWrite } else { IssuedBefore::Moment(moment) }
    }
}
