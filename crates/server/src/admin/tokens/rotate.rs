//! `POST /v1/tokens/{id}/rotate`: another token takes this one's place.

use super::view::{Fresh, TokenView, untouched};
use super::vocabulary::{LifetimeSeconds, OverlapSeconds};
use super::{administers, lifetime, may_grant, may_touch, no_such_token, seconds};
use crate::admin::Admin;
use crate::admin::caller::{Caller, Issue};
use crate::admin::extract::{Json, Segment};
use crate::admin::idempotency::{Repeatable, RepeatableHeader, created};
use crate::admin::openapi::vocabulary;
use crate::http::{Problem, ProblemType};
use crate::service::rotation::RotateRequest;
use crate::service::tokens::Made;
use axum::extract::State;
use axum::response::Response;
use rescind_core::{OVERLAP_MAX, TokenKind};
use rescind_store::{Overlap, RotateError, Rotated, StoredToken};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TokenRotation)]
pub(super) struct Rotation {
    /// None, if it is left out. Never past the old token's own end.
    #[serde(default, deserialize_with = "seconds")]
    #[schema(value_type = Option<OverlapSeconds>)]
    overlap_seconds: Option<u64>,
    #[serde(default)]
    #[schema(required = false)]
    overlap_starts: OverlapStart,
    /// Of the new one; if it is left out, the lifetime that the old one was given. A token that
    /// rotates itself never gets past its own end.
    #[serde(default, deserialize_with = "seconds")]
    #[schema(value_type = Option<LifetimeSeconds>)]
    expires_in_seconds: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OverlapStart {
    /// If the overlap is 0, the old token is revoked in the same write.
    #[default]
    Now,
    /// When the new token is used for the first time, to within a few seconds.
    FirstUse,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RotatedToken)]
struct RotatedView {
    #[serde(flatten)]
    new: Fresh,
    /// The token whose place was taken.
    previous: TokenView,
}

/// Issue a token in another's place, and end that one after an overlap.
///
/// The new one has the old one's owner, kind, label, networks, and those of its scopes that the
/// owner may still have. The overlap is cut short by revoking the old one. Another operator's token
/// needs the scope `admin` besides, and so does another lifetime for one's own. A token that
/// rotates itself gains no time by it: its successor ends when it would have, or sooner.
#[utoipa::path(
    post,
    path = "/v1/tokens/{id}/rotate",
    operation_id = "rotate_token",
    tag = "Tokens",
    params(("id" = vocabulary::TokenId, Path), RepeatableHeader),
    request_body = Rotation,
    responses(
        (status = 201, description = "The new token.", body = RotatedView),
        (status = 409, description = "The old one is not in force, or has a successor already; or \
                                      nobody could administer afterwards."),
    ),
    security(("admin_token" = ["issue"])),
)]
pub(super) async fn rotate(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Issue>,
    id: Segment,
    repeatable: Repeatable,
    Json(asked): Json<Rotation>,
) -> Result<Response, Problem> {
    let idempotency = repeatable.of(&caller, &asked)?;
    let (overlap, lifetime) = (asked.overlap()?, lifetime(asked.expires_in_seconds)?);
    let old = admin.named_token(&caller, &id).await?;
    may_touch(&caller, &old)?;
    if old.record.kind == TokenKind::Admin {
        let own = old.record.id == caller.token_id();
        if !own {
            may_grant(&caller, old.tenant.as_ref(), &old.record.scopes)?;
        } else if lifetime.is_some() {
            // It could not outlive itself: the store sees to that. But how long operators' tokens
            // live is for administrators to say.
            administers(&caller)?;
        }
    }
    let request =
        RotateRequest { from: old.record.id.clone(), kind: old.record.kind, lifetime, overlap };
    let made = admin.services.rotate(request, idempotency, caller.acting()).await?;
    let is_replay = made.secret.is_none();
    let view = admin.rotated(&caller, old, made).await?;
    Ok(created(view, is_replay))
}

impl Admin {
    /// Both as they are now: what was made before may have changed since.
    async fn rotated(
        &self,
        caller: &Caller<Issue>,
        old: StoredToken,
        made: Made<Rotated>,
    ) -> Result<RotatedView, Problem> {
        let Rotated { new, old: ended } = made.what;
        let (new, old) = match &made.secret {
            Some(_) => {
                let superseded_by = Some(new.id.clone());
                (untouched(new), StoredToken { record: ended, superseded_by, ..old })
            }
            None => {
                let new = self.token(caller, &new.id).await?.ok_or_else(no_such_token)?;
                let old = self.token(caller, &ended.id).await?.ok_or_else(no_such_token)?;
                (new, old)
            }
        };
        let now = self.services.now();
        let previous = TokenView::of(old, now);
        Ok(RotatedView { new: Fresh::of(TokenView::of(new, now), made.secret), previous })
    }
}

impl Rotation {
    fn overlap(&self) -> Result<Overlap, Problem> {
        let most = OVERLAP_MAX.as_secs();
        let seconds = self.overlap_seconds.unwrap_or(0);
        if seconds > most {
            let detail = format!("overlap_seconds must be from 0 to {most} (seven days).");
            return Err(Problem::bad_request(detail));
        }
        let overlap = Duration::from_secs(seconds);
        Ok(match self.overlap_starts {
            OverlapStart::Now if overlap.is_zero() => Overlap::None,
            OverlapStart::Now => Overlap::FromNow(overlap),
            OverlapStart::FirstUse => Overlap::FromFirstUse(overlap),
        })
    }
}

impl From<RotateError> for Problem {
    fn from(error: RotateError) -> Self {
        match error {
            RotateError::Unknown => no_such_token(),
            RotateError::NotInForce => Self::conflict("The token is revoked or has expired."),
            RotateError::Superseded { by } => {
                let detail = format!("The token was rotated already: rotate or revoke {by}.");
                Self::conflict(detail)
            }
            RotateError::Denied(denial) => Self::of(ProblemType::NotAllowed, format!("{denial}.")),
            RotateError::Exists => Self::conflict("This token exists already."),
            RotateError::Store(error) => error.into(),
        }
    }
}
