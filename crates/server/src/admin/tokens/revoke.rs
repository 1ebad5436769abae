//! `POST /v1/tokens/{id}/revoke`, and `POST /v1/tokens/revoke` for whoever has the token itself.

use super::view::{Done, TokenView};
use super::vocabulary::RevocationReasonName;
use super::{may_touch, no_such_token};
use crate::admin::Admin;
use crate::admin::caller::{Caller, Revoke};
use crate::admin::extract::{Json, Segment};
use crate::admin::openapi::vocabulary;
use crate::http::{Problem, no_store, problem::reasons};
use crate::service::RevokeOutcome;
use crate::service::tokens::one;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use rescind_core::{BEARER_BYTES_MAX, RevocationReason, TokenRecord};
use rescind_store::StoredToken;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use zeroize::Zeroizing;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TokenRevocation)]
pub(super) struct Revocation {
    /// `unspecified` if it is left out.
    #[schema(value_type = Option<RevocationReasonName>)]
    reason: Option<String>,
}

/// Its token stays unseen: there is no `Debug`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PresentedTokenRevocation)]
pub(super) struct PresentedRevocation {
    /// The text of a bearer token, of any kind.
    #[schema(value_type = String, max_length = 512)]
    token: Zeroizing<String>,
    /// `unspecified` if it is left out.
    #[schema(value_type = Option<RevocationReasonName>)]
    reason: Option<String>,
}

const _: () = assert!(BEARER_BYTES_MAX == 512, "as it is documented above");

#[derive(Serialize, ToSchema)]
#[schema(as = RevokedToken)]
struct RevokedView {
    token: TokenView,
    /// The first revocation stands, with its time and its reason.
    already_revoked: bool,
    #[serde(flatten)]
    done: Done,
}

/// Revoke a token: at once, everywhere, for ever.
///
/// Another operator's token needs the scope `admin` besides.
#[utoipa::path(
    post,
    path = "/v1/tokens/{id}/revoke",
    operation_id = "revoke_token",
    tag = "Tokens",
    params(("id" = vocabulary::TokenId, Path)),
    request_body = Revocation,
    responses(
        (status = 200, description = "No node accepts it any more.", body = RevokedView),
        (status = 409, description = "Nobody could administer afterwards."),
    ),
    security(("admin_token" = ["revoke"])),
)]
pub(super) async fn revoke(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Revoke>,
    id: Segment,
    Json(asked): Json<Revocation>,
) -> Result<Response, Problem> {
    let reason = reason(asked.reason.as_deref())?;
    let token = admin.named_token(&caller, &id).await?;
    admin.end(&caller, token, reason).await
}

/// Revoke a token by presenting it, as whoever finds one can.
///
/// It is found in whatever state it is. One that was mistyped is as unknown as any other.
#[utoipa::path(
    post,
    path = "/v1/tokens/revoke",
    operation_id = "revoke_presented_token",
    tag = "Tokens",
    request_body = PresentedRevocation,
    responses(
        (status = 200, description = "No node accepts it any more.", body = RevokedView),
        (status = 404, description = "No such token."),
        (status = 409, description = "Nobody could administer afterwards."),
    ),
    security(("admin_token" = ["revoke"])),
)]
pub(super) async fn revoke_presented(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Revoke>,
    Json(asked): Json<PresentedRevocation>,
) -> Result<Response, Problem> {
    let reason = reason(asked.reason.as_deref())?;
    let found = caller.seen(admin.services.token_presented(&asked.token).await?);
    admin.end(&caller, found.ok_or_else(no_such_token)?, reason).await
}

impl Admin {
    async fn end(
        &self,
        caller: &Caller<Revoke>,
        token: StoredToken,
        reason: RevocationReason,
    ) -> Result<Response, Problem> {
        may_touch(caller, &token)?;
        let what = one(token.record.id.clone(), None, reason);
        let (record, achieved, already_revoked) =
            match self.services.revoke(what, caller.acting()).await? {
                RevokeOutcome::Revoked { state, achieved } => {
                    (TokenRecord { state, ..token.record }, achieved, false)
                }
                RevokeOutcome::AlreadyRevoked { record, achieved } => (record, achieved, true),
                RevokeOutcome::Unknown => return Err(no_such_token()),
            };
        let token = TokenView::of(StoredToken { record, ..token }, self.services.now());
        let view = RevokedView { token, already_revoked, done: Done::told(achieved, caller) };
        Ok(no_store(axum::Json(view).into_response()))
    }
}

pub(in crate::admin) fn reason(text: Option<&str>) -> Result<RevocationReason, Problem> {
    match text {
        None => Ok(RevocationReason::Unspecified),
        Some(text) => RevocationReason::parse(text)
            .ok_or_else(|| Problem::bad_request(format!("reason must be one of: {}.", reasons()))),
    }
}
