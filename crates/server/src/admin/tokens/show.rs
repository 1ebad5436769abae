//! `GET /v1/tokens/{id}`

use super::view::TokenView;
use crate::admin::Admin;
use crate::admin::caller::{Caller, Read};
use crate::admin::extract::Segment;
use crate::admin::openapi::vocabulary;
use crate::http::{Problem, no_store};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Show one token, in whatever state it is.
#[utoipa::path(
    get,
    path = "/v1/tokens/{id}",
    operation_id = "get_token",
    tag = "Tokens",
    params(("id" = vocabulary::TokenId, Path)),
    responses((status = 200, description = "The token, without its secret.", body = TokenView)),
    security(("admin_token" = ["read"])),
)]
pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Read>,
    id: Segment,
) -> Result<Response, Problem> {
    let token = admin.named_token(&caller, &id).await?;
    let view = TokenView::of(token, admin.services.now());
    Ok(no_store(axum::Json(view).into_response()))
}
