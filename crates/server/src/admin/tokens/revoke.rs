//! `POST /v1/tokens/{id}/revoke`, and `POST /v1/tokens/revoke` for whoever has the token itself.

use super::view::{Done, TokenView};
use super::vocabulary::RevocationReasonName;
use super::{may_touch, no_such_token};
use crate::admin::Admin;
use crate::admin::caller::{Caller, Revoke};
use crate::admin::extract::{Json, Segment};
use crate::admin::openapi::vocabulary;
use crate::admin::patience::{Prefer, PreferHeader};
use crate::admin::progress::{PendingView, Told, answer};
use crate::http::{Problem, problem::reasons};
use crate::service::tokens::one;
use crate::service::{PATIENCE, RevokeOutcome};
use axum::extract::State;
use axum::response::Response;
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
    #[schema(value_type = Done)]
    told: Told,
}

/// The same of one that is not settled, for the document.
#[derive(ToSchema)]
#[schema(as = PendingToken)]
#[expect(dead_code, reason = "it is written as a `RevokedView`")]
struct PendingToken {
    token: TokenView,
    /// The first revocation stands, with its time and its reason.
    already_revoked: bool,
    #[serde(flatten)]
    told: PendingView,
}

/// Revoke a token: at once, everywhere, for ever.
///
/// Another operator's token needs the scope `admin` besides.
#[utoipa::path(
    post,
    path = "/v1/tokens/{id}/revoke",
    operation_id = "revoke_token",
    tag = "Tokens",
    params(("id" = vocabulary::TokenId, Path), PreferHeader),
    request_body = Revocation,
    responses(
        (status = 200, description = "No node accepts it any more.", body = RevokedView),
        (status = 202, description = "It is revoked, for good, and a node that has not answered \
                                      may accept it until its lease ends.", body = PendingToken,
         headers(("Location" = String, description = "Where to ask how far it is."))),
        (status = 409, description = "Nobody could administer afterwards."),
    ),
    security(("admin_token" = ["revoke"])),
)]
pub(super) async fn revoke(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Revoke>,
    prefer: Prefer,
    id: Segment,
    Json(asked): Json<Revocation>,
) -> Result<Response, Problem> {
    let reason = reason(asked.reason.as_deref())?;
    let token = admin.named_token(&caller, &id).await?;
    admin.end((&caller, prefer), token, reason).await
}

/// Revoke a token by presenting it, as whoever finds one can.
///
/// It is found in whatever state it is. One that was mistyped is as unknown as any other.
#[utoipa::path(
    post,
    path = "/v1/tokens/revoke",
    operation_id = "revoke_presented_token",
    tag = "Tokens",
    params(PreferHeader),
    request_body = PresentedRevocation,
    responses(
        (status = 200, description = "No node accepts it any more.", body = RevokedView),
        (status = 202, description = "It is revoked, for good, and a node that has not answered \
                                      may accept it until its lease ends.", body = PendingToken,
         headers(("Location" = String, description = "Where to ask how far it is."))),
        (status = 404, description = "No such token."),
        (status = 409, description = "Nobody could administer afterwards."),
    ),
    security(("admin_token" = ["revoke"])),
)]
pub(super) async fn revoke_presented(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Revoke>,
    prefer: Prefer,
    Json(asked): Json<PresentedRevocation>,
) -> Result<Response, Problem> {
    let reason = reason(asked.reason.as_deref())?;
    let found = caller.seen(admin.services.token_presented(&asked.token).await?);
    admin.end((&caller, prefer), found.ok_or_else(no_such_token)?, reason).await
}

impl Admin {
    async fn end(
        &self,
        (caller, prefer): (&Caller<Revoke>, Prefer),
        token: StoredToken,
        reason: RevocationReason,
    ) -> Result<Response, Problem> {
        may_touch(caller, &token)?;
        let what = one(token.record.id.clone(), None, reason);
        let patience = prefer.patience(caller, PATIENCE);
        let (record, progress, already_revoked) =
            match self.services.revoke_within(what, caller.acting(), patience).await? {
                RevokeOutcome::Revoked { state, achieved } => {
                    (TokenRecord { state, ..token.record }, achieved, false)
                }
                RevokeOutcome::AlreadyRevoked { record, achieved } => (record, achieved, true),
                RevokeOutcome::Unknown => return Err(no_such_token()),
            };
        let token = TokenView::of(StoredToken { record, ..token }, self.services.now());
        let view = RevokedView { token, already_revoked, told: Told::of(progress, caller) };
        Ok(answer(&progress, prefer, view))
    }
}

pub(in crate::admin) fn reason(text: Option<&str>) -> Result<RevocationReason, Problem> {
    match text {
        None => Ok(RevocationReason::Unspecified),
        Some(text) => RevocationReason::parse(text)
            .ok_or_else(|| Problem::bad_request(format!("reason must be one of: {}.", reasons()))),
    }
}
