//! Issuing and revoking.

use super::Services;
use rescind_core::signature::Secret;
use rescind_core::{
    Actor, OwnerId, Plain, RevocationReason, ScopeSet, Timestamp, TokenId, TokenKind, TokenPrefix,
    TokenRecord,
};
use rescind_store::{
    Epoch, IssueError, Material, NewToken, Revocation, RevocationOfAll, Revoked, StoreError,
    StoredToken, TokenFilter,
};
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct IssueRequest {
    pub owner: OwnerId,
    pub kind: TokenKind,
    pub label: Option<String>,
    pub scopes: ScopeSet,
    pub expires_at: Option<Timestamp>,
}

/// A new token with its secret, to be shown once.
#[derive(Debug)]
pub struct Issued {
    pub record: TokenRecord,
    pub secret: IssuedSecret,
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
    pub nodes_acknowledged: u32,
    pub leases_waited_for: u32,
    pub took: Duration,
}

#[derive(Debug)]
pub enum RevokeOutcome {
    /// No node accepts it any more, and none will.
    Revoked(Achieved),
    /// It had been revoked before; that is as final as a first answer.
    AlreadyRevoked {
        record: TokenRecord,
        achieved: Achieved,
    },
    Unknown,
}

impl Services {
    pub async fn issue(&self, request: IssueRequest, actor: Actor) -> Result<Issued, IssueError> {
        let (secret, material) = self.new_secret(request.kind);
        let token = NewToken {
            id: TokenId::random(id_prefix(request.kind), &mut rand::rng()),
            owner: request.owner,
            kind: request.kind,
            label: request.label,
            scopes: request.scopes,
            expires_at: request.expires_at,
            material,
        };
        let record = self.store.issue(token, self.by(actor)).await?;
        Ok(Issued { record, secret })
    }

    /// Ends a token for good. The store returns after the commit is durable and this node's index
    /// has let go of it.
    pub async fn revoke(
        &self,
        what: Revocation,
        actor: Actor,
    ) -> Result<RevokeOutcome, StoreError> {
        let begun = self.guard.clock().boottime();
        let outcome = self.store.revoke(what, self.by(actor)).await?;
        let ended = self.guard.clock().boottime();
        let took = Duration::from_millis(ended.as_millis().saturating_sub(begun.as_millis()));
        // One node: it has acknowledged by applying the change, and there is no lease to wait for.
        let achieved =
            |epoch| Achieved { epoch, nodes_acknowledged: 1, leases_waited_for: 0, took };
        Ok(match outcome {
            Revoked::Now { epoch } => RevokeOutcome::Revoked(achieved(epoch)),
            Revoked::Before { record } => {
                let achieved = achieved(self.guard.applied_epoch());
                RevokeOutcome::AlreadyRevoked { record, achieved }
            }
            Revoked::Unknown => RevokeOutcome::Unknown,
        })
    }

    /// Ends all of a partner's legacy keys, asked for by the partner. One write: it is done even if
    /// the caller leaves, and no key made before it escapes.
    pub async fn revoke_all_keys(&self, owner: OwnerId) -> Result<usize, StoreError> {
        let by = self.by(Actor::owner(&owner));
        let reason = RevocationReason::Unspecified;
        let what = RevocationOfAll { owner, kind: TokenKind::ApiKey, reason };
        self.store.revoke_all(what, by).await
    }

    /// Every active token of an owner of one kind, oldest first, however many there are.
    pub async fn active_tokens(
        &self,
        owner: &OwnerId,
        kind: TokenKind,
    ) -> Result<Vec<StoredToken>, StoreError> {
        const PAGE: u32 = 1_000;
        let mut found: Vec<StoredToken> = Vec::new();
        loop {
            let after = found.last().map(|token| token.record.id.clone());
            let owner = Some(owner.clone());
            let filter =
                TokenFilter { owner, kind: Some(kind), active_only: true, after, limit: PAGE };
            let page = self.store.tokens(&filter).await?;
            let more = page.len() == PAGE as usize;
            found.extend(page);
            if !more {
                break;
            }
        }
        let now = self.now();
        found.retain(|token| token.record.expires_at.is_none_or(|end| now < end));
        Ok(found)
    }

    pub fn prefix(&self, kind: TokenKind) -> &TokenPrefix {
        match kind {
            TokenKind::Bearer => &self.settings.bearer_prefix,
            TokenKind::ApiKey | TokenKind::Signing => &self.settings.api_key_prefix,
            TokenKind::Admin => &self.settings.admin_prefix,
        }
    }

    fn new_secret(&self, kind: TokenKind) -> (IssuedSecret, Material) {
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

/// Limitless Exchange's signing ids are bare; the others say what they name.
fn id_prefix(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Bearer => "token_",
        TokenKind::ApiKey => "key_",
        TokenKind::Signing => "",
        TokenKind::Admin => "admin_",
    }
}

/// The revocation of one token by its id.
pub fn one(id: TokenId, owner: Option<OwnerId>, reason: RevocationReason) -> Revocation {
    Revocation { id, owner, reason }
}
