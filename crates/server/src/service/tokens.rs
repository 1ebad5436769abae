//! Issuing and revoking.

use super::{Acting, Progress, Services};
use rescind_core::signature::Secret;
use rescind_core::{
    Actor, Digest, NetworkSet, OwnerId, Plain, Presented, RevocationReason, ScopeSet, Timestamp,
    TokenId, TokenKind, TokenPrefix, TokenRecord, TokenState,
};
use rescind_store::{
    Created, Epoch, Idempotency, IssueError, Material, NewToken, OwnerError, Revocation,
    RevocationOfAll, Revoked, SetRevocation, SetRevoked, Settled, Standing, StoreError,
    StoredToken, TokenFilter,
};
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct IssueRequest {
    pub owner: OwnerId,
    pub kind: TokenKind,
    pub label: Option<String>,
    pub scopes: ScopeSet,
    pub expires_at: Option<Timestamp>,
    pub allowed_networks: Option<NetworkSet>,
}

/// A new token with its secret, to be shown once.
#[derive(Debug)]
pub struct Issued {
    pub record: TokenRecord,
    pub secret: IssuedSecret,
}

/// What was made for an operator, who may have asked before.
#[derive(Debug)]
pub struct Made<T> {
    pub what: T,
    /// `None` if an earlier request with the same `Idempotency-Key` has made it. The secret was
    /// shown then, and nobody has it here.
    pub secret: Option<IssuedSecret>,
}

#[derive(Debug)]
pub enum IssuedSecret {
    Bearer(Plain),
    Signing(Secret),
}

/// What a revocation has achieved by the time it is answered.
#[derive(Clone, Copy, Debug)]
pub struct Achieved {
    pub epoch: Epoch,
    pub acknowledged: u32,
    pub waited_out: u32,
    pub took: Duration,
}

/// `A` is what it has achieved; or, for whoever may have gone on before, its [`Progress`].
#[derive(Debug)]
pub enum RevokeOutcome<A = Achieved> {
    /// No node accepts it any more, and none will.
    Revoked {
        /// How it stands from now on.
        state: TokenState,
        achieved: A,
    },
    /// It had been revoked before; that is as final as a first answer.
    AlreadyRevoked {
        record: TokenRecord,
        achieved: A,
    },
    Unknown,
}

impl Services {
    pub async fn issue(&self, request: IssueRequest, acting: Acting) -> Result<Issued, IssueError> {
        let (created, secret) = self.issue_new(request, None, acting).await?;
        Ok(Issued { record: created.into_inner(), secret })
    }

    /// As [`Services::issue`], but the same request under the same key is done once.
    pub async fn issue_once(
        &self,
        request: IssueRequest,
        idempotency: Option<Idempotency>,
        acting: Acting,
    ) -> Result<Made<TokenRecord>, IssueError> {
        let (created, secret) = self.issue_new(request, idempotency, acting).await?;
        Ok(Made::of(created, secret))
    }

    async fn issue_new(
        &self,
        request: IssueRequest,
        idempotency: Option<Idempotency>,
        acting: Acting,
    ) -> Result<(Created<TokenRecord>, IssuedSecret), IssueError> {
        let (secret, material) = self.new_secret(request.kind);
        let token = NewToken {
            id: new_id(request.kind),
            owner: request.owner,
            kind: request.kind,
            label: request.label,
            scopes: request.scopes,
            expires_at: request.expires_at,
            allowed_networks: request.allowed_networks,
            material,
            issued_at: None,
            idempotency,
        };
        Ok((self.store.issue(token, self.by(acting)).await?, secret))
    }

    /// Ends a token for good. The store returns after the commit is durable and this node's index
    /// has let go of it.
    pub async fn revoke(
        &self,
        what: Revocation,
        acting: Acting,
    ) -> Result<RevokeOutcome, StoreError> {
        let (begun, by, reason) = (self.boottime_millis(), self.by(acting), what.reason);
        let state = TokenState::Revoked { at: by.at, by: by.actor.clone(), reason };
        let outcome = self.store.revoke(what, by).await?;
        Ok(match outcome {
            Revoked::Now(settled) => {
                RevokeOutcome::Revoked { state, achieved: self.achieved(settled, begun) }
            }
            Revoked::Before { record, settled } => {
                let achieved = self.achieved(settled, begun);
                RevokeOutcome::AlreadyRevoked { record, achieved }
            }
            Revoked::Unknown => RevokeOutcome::Unknown,
        })
    }

    /// The same, for whoever waits no longer than `patience`.
    pub async fn revoke_within(
        self: &Arc<Self>,
        what: Revocation,
        acting: Acting,
        patience: Option<Duration>,
    ) -> Result<RevokeOutcome<Progress>, StoreError> {
        let (begun, by, reason) = (self.boottime_millis(), self.by(acting), what.reason);
        let state = TokenState::Revoked { at: by.at, by: by.actor.clone(), reason };
        Ok(match self.store.begin_revoke(what, by).await? {
            Revoked::Now(settling) => {
                let achieved = self.within(settling, begun, patience).await?;
                RevokeOutcome::Revoked { state, achieved }
            }
            Revoked::Before { record, settled } => {
                let achieved = self.within(settled, begun, patience).await?;
                RevokeOutcome::AlreadyRevoked { record, achieved }
            }
            Revoked::Unknown => RevokeOutcome::Unknown,
        })
    }

    /// Takes back every token of a set: one write, whatever their number. With the bound as it
    /// stands now.
    pub async fn revoke_set_within(
        self: &Arc<Self>,
        what: SetRevocation,
        acting: Acting,
        patience: Option<Duration>,
    ) -> Result<(Timestamp, Progress), OwnerError> {
        let begun = self.boottime_millis();
        let revoked = self.store.begin_revoke_set(what, self.by(acting)).await?;
        let SetRevoked { settled, not_before } = revoked;
        Ok((not_before, self.within(settled, begun, patience).await?))
    }

    /// As it is answered, and counted.
    pub(super) fn achieved(&self, settled: Settled, begun: u64) -> Achieved {
        let achieved = self.measured(settled, begun);
        self.revocation_times.took(achieved.took, achieved.waited_out);
        achieved
    }

    pub(super) fn measured(&self, settled: Settled, begun: u64) -> Achieved {
        let Settled { epoch, acknowledged, waited_out } = settled;
        let took = Duration::from_millis(self.boottime_millis().saturating_sub(begun));
        Achieved { epoch, acknowledged, waited_out, took }
    }

    pub(super) fn boottime_millis(&self) -> u64 {
        self.guard.clock().boottime().as_millis()
    }

    /// The bearer token that somebody shows, in whatever state it is.
    pub async fn token_presented(&self, text: &str) -> Result<Option<StoredToken>, StoreError> {
        match Presented::bearer(text) {
            Ok(_) => self.store.token_by_digest(&Digest::of(text.as_bytes())).await,
            Err(_) => Ok(None),
        }
    }

    /// Ends all of a partner's legacy keys, asked for by the partner. One write: it is done even if
    /// the caller leaves, and no key made before it escapes. `None` if there were none.
    pub async fn revoke_all_keys(&self, owner: OwnerId) -> Result<Option<Achieved>, StoreError> {
        let begun = self.boottime_millis();
        let by = self.by(Actor::owner(&owner));
        let reason = RevocationReason::Unspecified;
        let what = RevocationOfAll { owner, kind: TokenKind::ApiKey, reason };
        let revoked = self.store.revoke_all(what, by).await?;
        Ok((revoked.count > 0).then(|| self.achieved(revoked.settled, begun)))
    }

    /// Every active token of an owner of one kind, oldest first, however many there are.
    pub async fn active_tokens(
        &self,
        owner: &OwnerId,
        kind: TokenKind,
    ) -> Result<Vec<StoredToken>, StoreError> {
        const PAGE: u32 = 1_000;
        let now = self.now();
        let mut found: Vec<StoredToken> = Vec::new();
        loop {
            let after = found.last().map(|token| token.record.id.clone());
            let filter = TokenFilter {
                owner: Some(owner.clone()),
                kind: Some(kind),
                standing: Some((Standing::Active, now)),
                after,
                limit: PAGE,
                ..TokenFilter::default()
            };
            let page = self.store.tokens(&filter).await?;
            let more = page.len() == PAGE as usize;
            found.extend(page);
            if !more {
                return Ok(found);
            }
        }
    }

    pub fn prefix(&self, kind: TokenKind) -> &TokenPrefix {
        match kind {
            TokenKind::Bearer => &self.settings.bearer_prefix,
            TokenKind::ApiKey | TokenKind::Signing => &self.settings.api_key_prefix,
            TokenKind::Admin => &self.settings.admin_prefix,
        }
    }

    pub(super) fn new_secret(&self, kind: TokenKind) -> (IssuedSecret, Material) {
        let rng = &mut rand::rng();
        if kind == TokenKind::Signing {
            let secret = Secret::random(rng);
            return (IssuedSecret::Signing(secret.clone()), Material::Secret(secret));
        }
        let plain = Plain::random(self.prefix(kind), rng);
        let digest = plain.digest();
        (IssuedSecret::Bearer(plain), Material::Digest(digest))
    }
}

impl<T> Made<T> {
    /// A secret that was drawn for what had been made before is nobody's.
    pub(super) fn of(created: Created<T>, secret: IssuedSecret) -> Self {
        match created {
            Created::Now(what) => Self { what, secret: Some(secret) },
            Created::Before(what) => Self { what, secret: None },
        }
    }
}

/// Limitless Exchange's signing ids are bare; the others say what they name.
pub(super) fn new_id(kind: TokenKind) -> TokenId {
    let prefix = match kind {
        TokenKind::Bearer => "token_",
        TokenKind::ApiKey => "key_",
        TokenKind::Signing => "",
        TokenKind::Admin => "admin_",
    };
    TokenId::random(prefix, &mut rand::rng())
}

/// The revocation of one token by its id.
pub fn one(id: TokenId, owner: Option<OwnerId>, reason: RevocationReason) -> Revocation {
    Revocation { id, owner, reason }
}
