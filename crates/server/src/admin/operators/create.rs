//! `POST /v1/operators`

use super::OperatorView;
use crate::admin::Admin;
use crate::admin::caller::{Caller, Manage};
use crate::admin::extract::{Json, tenant, text};
use crate::admin::idempotency::{Repeatable, RepeatableHeader, created};
use crate::admin::openapi::vocabulary::{self, NAME_CHARS_MAX};
use crate::http::Problem;
use crate::service::CreateOperator;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOperator {
    #[schema(value_type = vocabulary::Name)]
    name: String,
    /// The one tenant that it sees and touches; left out, that of the operator who makes it. An
    /// operator of one tenant makes none but its like.
    #[schema(value_type = Option<vocabulary::TenantId>)]
    tenant_id: Option<String>,
}

/// Make an operator.
///
/// It can do nothing yet: issue it a token of kind `admin`.
#[utoipa::path(
    post,
    path = "/v1/operators",
    operation_id = "create_operator",
    tag = "Operators",
    params(RepeatableHeader),
    request_body = NewOperator,
    responses((status = 201, description = "The operator.", body = OperatorView)),
    security(("admin_token" = ["admin"])),
)]
pub(super) async fn create(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Manage>,
    repeatable: Repeatable,
    Json(new): Json<NewOperator>,
) -> Result<Response, Problem> {
    let idempotency = repeatable.of(&caller, &new)?;
    let asked = new.tenant_id.as_deref().map(tenant).transpose()?;
    let new = CreateOperator {
        name: text("name", new.name, NAME_CHARS_MAX)?,
        tenant: caller.tenant_for_new(asked)?,
    };
    let operator = admin.services.create_operator(new, idempotency, caller.acting()).await?;
    let is_replay = operator.is_replay();
    Ok(created(OperatorView::from(operator.into_inner()), is_replay))
}
