//! `POST /v1/tokens`

use super::view::{Fresh, TokenView, untouched};
use super::vocabulary::{LifetimeSeconds, TokenKindName};
use super::{kind, lifetime, may_grant, no_such_owner, no_such_token, owner_id, seconds};
use crate::admin::Admin;
use crate::admin::caller::{Caller, Issue};
use crate::admin::extract::{Json, networks, scopes, text};
use crate::admin::idempotency::{Repeatable, RepeatableHeader, created};
use crate::admin::openapi::vocabulary::{self, LABEL_CHARS_MAX};
use crate::http::Problem;
use crate::service::IssueRequest;
use axum::extract::State;
use axum::response::Response;
use rescind_core::{Timestamp, TokenKind};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    #[schema(value_type = vocabulary::OwnerId)]
    owner_id: String,
    #[schema(value_type = TokenKindName)]
    kind: String,
    #[schema(value_type = Option<vocabulary::Label>)]
    label: Option<String>,
    /// None, if it is left out. An operator's are among `admin`, `audit`, `issue`, `read` and
    /// `revoke`.
    #[serde(default)]
    #[schema(value_type = vocabulary::Scopes, required = false)]
    scopes: Vec<String>,
    #[serde(default, deserialize_with = "seconds")]
    #[schema(value_type = Option<LifetimeSeconds>)]
    expires_in_seconds: Option<u64>,
    /// Everywhere, if it is left out or null; an empty list is nowhere.
    #[schema(value_type = Option<vocabulary::Networks>)]
    allowed_networks: Option<Vec<String>>,
}

/// Issue a token and show its secret, this once.
///
/// An operator's token (`admin`) needs the scope `admin` besides. An operator of one tenant gives
/// no scope that its own token lacks, and to an operator of a tenant nobody gives `audit`.
#[utoipa::path(
    post,
    path = "/v1/tokens",
    operation_id = "create_token",
    tag = "Tokens",
    params(RepeatableHeader),
    request_body = NewToken,
    responses(
        (status = 201, description = "It is valid everywhere.", body = Fresh),
        (status = 404, description = "No such owner."),
    ),
    security(("admin_token" = ["issue"])),
)]
pub(super) async fn create(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Issue>,
    repeatable: Repeatable,
    Json(new): Json<NewToken>,
) -> Result<Response, Problem> {
    let now = admin.services.now();
    let idempotency = repeatable.of(&caller, &new)?;
    let request = new.checked(now)?;
    if !caller.sees_everything() || request.kind == TokenKind::Admin {
        let owner = admin.owner(&caller, &request.owner).await?.ok_or_else(no_such_owner)?;
        if request.kind == TokenKind::Admin {
            may_grant(&caller, owner.tenant.as_ref(), &request.scopes)?;
        }
    }
    let made = admin.services.issue_once(request, idempotency, caller.acting()).await?;
    let token = match &made.secret {
        Some(_) => untouched(made.what),
        None => admin.token(&caller, &made.what.id).await?.ok_or_else(no_such_token)?,
    };
    let is_replay = made.secret.is_none();
    Ok(created(Fresh::of(TokenView::of(token, now), made.secret), is_replay))
}

impl NewToken {
    fn checked(self, now: Timestamp) -> Result<IssueRequest, Problem> {
        let lifetime = lifetime(self.expires_in_seconds)?;
        Ok(IssueRequest {
            owner: owner_id(&self.owner_id)?,
            kind: kind(&self.kind)?,
            label: self.label.map(|label| text("label", label, LABEL_CHARS_MAX)).transpose()?,
            scopes: scopes(&self.scopes)?,
            expires_at: lifetime.map(|lifetime| after(now, lifetime)),
            allowed_networks: self.allowed_networks.as_deref().map(networks).transpose()?,
        })
    }
}

fn after(now: Timestamp, lifetime: Duration) -> Timestamp {
    now.plus_millis(i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX))
}
