//! Tokens as the admin API shows them, and what is told of a revocation.

use super::vocabulary::{RevocationReasonName, TokenKindName};
use crate::admin::caller::{Caller, Needs};
use crate::admin::openapi::vocabulary;
use crate::admin::owners::blocks;
use crate::service::Achieved;
use crate::service::tokens::IssuedSecret;
use rescind_core::{Timestamp, TokenRecord, TokenState};
use rescind_store::StoredToken;
use serde::Serialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// A token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub(super) struct TokenView {
    #[schema(value_type = vocabulary::TokenId)]
    pub(super) id: String,
    #[schema(value_type = vocabulary::OwnerId)]
    owner_id: String,
    #[schema(value_type = TokenKindName)]
    kind: &'static str,
    #[schema(value_type = Option<vocabulary::Label>, required)]
    label: Option<String>,
    #[schema(value_type = vocabulary::Scopes)]
    scopes: Vec<String>,
    /// Null is everywhere.
    #[schema(value_type = Option<vocabulary::Networks>, required)]
    allowed_networks: Option<Vec<String>>,
    #[schema(value_type = vocabulary::Time)]
    issued_at: String,
    /// From this moment on it is no longer valid; null lives until it is revoked.
    #[schema(value_type = Option<vocabulary::Time>, required)]
    expires_at: Option<String>,
    state: State,
    /// When it was revoked by itself.
    #[schema(value_type = Option<vocabulary::Time>, required)]
    revoked_at: Option<String>,
    #[schema(required)]
    revoked_by: Option<String>,
    #[schema(value_type = Option<RevocationReasonName>, required)]
    revocation_reason: Option<&'static str>,
    /// If it was revoked with a set (its owner's tokens, its tenant's, or all there are): the
    /// tokens issued before this time. Who did it, and why, is in the audit trail.
    #[schema(value_type = Option<vocabulary::Time>, required)]
    revoked_with_all_before: Option<String>,
    /// To within a few seconds; null is never.
    #[schema(value_type = Option<vocabulary::Time>, required)]
    last_used_at: Option<String>,
    /// The token whose place it takes.
    #[schema(value_type = Option<vocabulary::TokenId>, required)]
    rotated_from: Option<String>,
    /// The token that takes its place.
    #[schema(value_type = Option<vocabulary::TokenId>, required)]
    superseded_by: Option<String>,
}

/// How a token stands. Revoked counts more than expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = TokenState)]
pub(super) enum State {
    Active,
    Expired,
    Revoked,
}

/// A new token, with its secret this once.
#[derive(Serialize, ToSchema)]
#[schema(as = IssuedToken)]
pub(super) struct Fresh {
    #[serde(flatten)]
    pub(super) view: TokenView,
    /// The text to send, of a bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    token: Option<Zeroizing<String>>,
    /// The key to sign with, of a signing token, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    secret: Option<Zeroizing<String>>,
    /// False if this `Idempotency-Key` was sent before: the secret was shown then, and is nowhere
    /// now. Rotate the token for another.
    secret_shown: bool,
}

/// What a revocation has achieved by the time it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Achieved)]
pub(in crate::admin) struct Done {
    /// Number of the last change to owners and tokens; null for an operator of one tenant, whom
    /// it would tell of the others'.
    #[schema(minimum = 0, required)]
    epoch: Option<u64>,
    /// How many nodes have let go of it.
    acknowledged: u32,
    /// How many nodes did not answer, and were waited out.
    waited_out: u32,
    #[schema(minimum = 0)]
    took_ms: u64,
}

impl TokenView {
    pub(super) fn of(token: StoredToken, now: Timestamp) -> Self {
        let state = State::of(&token, now);
        let taken_back = token.is_taken_back();
        let record = token.record;
        let (revoked_at, revoked_by, revocation_reason) = match &record.state {
            TokenState::Active => (None, None, None),
            TokenState::Revoked { at, by, reason } => {
                (Some(at.to_rfc3339_millis()), Some(by.as_str().into()), Some(reason.as_str()))
            }
        };
        let with_all_before = token.not_before.filter(|_| taken_back && revoked_at.is_none());
        Self {
            id: record.id.to_string(),
            owner_id: record.owner.to_string(),
            kind: record.kind.as_str(),
            label: record.label,
            scopes: record.scopes.iter().map(Into::into).collect(),
            allowed_networks: blocks(record.allowed_networks),
            issued_at: record.issued_at.to_rfc3339_millis(),
            expires_at: record.expires_at.map(Timestamp::to_rfc3339_millis),
            state,
            revoked_at,
            revoked_by,
            revocation_reason,
            revoked_with_all_before: with_all_before.map(Timestamp::to_rfc3339_millis),
            last_used_at: token.last_used_at.map(Timestamp::to_rfc3339_millis),
            rotated_from: record.rotation.map(|rotation| rotation.from.to_string()),
            superseded_by: token.superseded_by.map(|id| id.to_string()),
        }
    }
}

impl State {
    /// As the store lists them: see `rescind_store::Standing`.
    fn of(token: &StoredToken, now: Timestamp) -> Self {
        if token.record.state != TokenState::Active || token.is_taken_back() {
            Self::Revoked
        } else if token.record.expires_at.is_some_and(|end| end <= now) {
            Self::Expired
        } else {
            Self::Active
        }
    }
}

impl Fresh {
    pub(super) fn of(view: TokenView, secret: Option<IssuedSecret>) -> Self {
        let secret_shown = secret.is_some();
        let (token, secret) = match secret {
            None => (None, None),
            Some(IssuedSecret::Bearer(plain)) => {
                (Some(Zeroizing::new(plain.expose().to_owned())), None)
            }
            Some(IssuedSecret::Signing(secret)) => (None, Some(secret.expose_base64())),
        };
        Self { view, token, secret, secret_shown }
    }
}

impl Done {
    pub(in crate::admin) fn told<S: Needs>(achieved: Achieved, caller: &Caller<S>) -> Self {
        let Achieved { epoch, acknowledged, waited_out, took } = achieved;
        let epoch = caller.operator().tenant.is_none().then_some(epoch);
        let took_ms = took.as_millis().try_into().unwrap_or(u64::MAX);
        Self { epoch, acknowledged, waited_out, took_ms }
    }
}

/// One that nothing has been done to since it was made.
pub(super) fn untouched(record: TokenRecord) -> StoredToken {
    StoredToken { record, last_used_at: None, tenant: None, not_before: None, superseded_by: None }
}
