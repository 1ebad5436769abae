//! `PATCH /v1/operators/{id}`, `POST …/suspend` and `…/resume`

use super::OperatorView;
use crate::admin::Admin;
use crate::admin::caller::{Caller, Manage};
use crate::admin::extract::{Json, Segment, given, networks};
use crate::admin::openapi::vocabulary;
use crate::admin::owners::{self, suspension};
use crate::http::{Problem, no_store};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use rescind_store::{OwnerClass, OwnerUpdate};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OperatorUpdate {
    /// Null takes the bound away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<vocabulary::Networks>)]
    allowed_networks: Option<Option<Vec<String>>>,
}

/// Change an operator.
///
/// Its networks hold for the tokens that there are, from the answer on. Nobody shuts itself out.
#[utoipa::path(
    patch,
    path = "/v1/operators/{id}",
    operation_id = "update_operator",
    tag = "Operators",
    params(("id" = vocabulary::OwnerId, Path)),
    request_body = OperatorUpdate,
    responses(
        (status = 200, description = "The operator as it is now.", body = OperatorView),
        (status = 409, description = "The caller could no longer ask from where it is."),
    ),
    security(("admin_token" = ["admin"])),
)]
pub(super) async fn update(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Manage>,
    id: Segment,
    Json(change): Json<OperatorUpdate>,
) -> Result<Response, Problem> {
    let update = change.checked()?;
    set(&admin, &caller, &id, update).await
}

/// Suspend an operator.
///
/// All tokens of it are refused until it is resumed. The last one that can administer the whole
/// server cannot be suspended.
#[utoipa::path(
    post,
    path = "/v1/operators/{id}/suspend",
    operation_id = "suspend_operator",
    tag = "Operators",
    params(("id" = vocabulary::OwnerId, Path)),
    responses(
        (status = 200, description = "The operator as it is now.", body = OperatorView),
        (status = 409, description = "Nobody could administer the server afterwards."),
    ),
    security(("admin_token" = ["admin"])),
)]
pub(super) async fn suspend(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Manage>,
    id: Segment,
) -> Result<Response, Problem> {
    set(&admin, &caller, &id, suspension(true)).await
}

/// End an operator's suspension.
#[utoipa::path(
    post,
    path = "/v1/operators/{id}/resume",
    operation_id = "resume_operator",
    tag = "Operators",
    params(("id" = vocabulary::OwnerId, Path)),
    responses((status = 200, description = "The operator as it is now.", body = OperatorView)),
    security(("admin_token" = ["admin"])),
)]
pub(super) async fn resume(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Manage>,
    id: Segment,
) -> Result<Response, Problem> {
    set(&admin, &caller, &id, suspension(false)).await
}

async fn set(
    admin: &Admin,
    caller: &Caller<Manage>,
    id: &Segment,
    update: OwnerUpdate,
) -> Result<Response, Problem> {
    let operator = owners::find(admin, caller, id, OwnerClass::Operator).await?;
    let own = operator.id == caller.operator().id;
    let bound = update.allowed_networks.as_ref().and_then(Option::as_ref);
    if own && bound.is_some_and(|networks| !caller.is_within(networks)) {
        let detail = "allowed_networks: you could no longer ask from where you are.";
        return Err(Problem::conflict(detail));
    }
    let operator = owners::update(admin, caller, operator, update).await?;
    Ok(no_store(axum::Json(OperatorView::from(operator)).into_response()))
}

impl OperatorUpdate {
    fn checked(self) -> Result<OwnerUpdate, Problem> {
        let networks = |blocks: Option<Vec<String>>| blocks.as_deref().map(networks).transpose();
        Ok(OwnerUpdate {
            allowed_networks: self.allowed_networks.map(networks).transpose()?,
            ..OwnerUpdate::default()
        })
    }
}
