//! `GET /v1/operators` and `GET /v1/operators/{id}`

use super::OperatorView;
use crate::admin::Admin;
use crate::admin::caller::{Caller, Read};
use crate::admin::extract::{Params, Segment};
use crate::admin::openapi::vocabulary;
use crate::admin::owners::{self, ListQuery};
use crate::admin::page::Page;
use crate::http::{Problem, no_store};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use rescind_store::OwnerClass;
use std::sync::Arc;

/// List operators.
///
/// Oldest first.
#[utoipa::path(
    get,
    path = "/v1/operators",
    operation_id = "list_operators",
    tag = "Operators",
    params(ListQuery),
    responses((status = 200, description = "A page of operators.", body = Page<OperatorView>)),
    security(("admin_token" = ["read"])),
)]
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Read>,
    Params(query): Params<ListQuery>,
) -> Result<Response, Problem> {
    owners::list(&admin, &caller, OwnerClass::Operator, &query, OperatorView::from).await
}

/// Show an operator.
#[utoipa::path(
    get,
    path = "/v1/operators/{id}",
    operation_id = "get_operator",
    tag = "Operators",
    params(("id" = vocabulary::OwnerId, Path)),
    responses((status = 200, description = "The operator.", body = OperatorView)),
    security(("admin_token" = ["read"])),
)]
pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Read>,
    id: Segment,
) -> Result<Response, Problem> {
    let operator = owners::find(&admin, &caller, &id, OwnerClass::Operator).await?;
    Ok(no_store(axum::Json(OperatorView::from(operator)).into_response()))
}
