//! `GET /v1/users` and `GET /v1/users/{id}`

use super::{UserView, find};
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

/// List users.
///
/// Oldest first.
#[utoipa::path(
    get,
    path = "/v1/users",
    operation_id = "list_users",
    tag = "Users",
    params(ListQuery),
    responses((status = 200, description = "A page of users.", body = Page<UserView>)),
    security(("admin_token" = ["read"])),
)]
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Read>,
    Params(query): Params<ListQuery>,
) -> Result<Response, Problem> {
    owners::list(&admin, &caller, OwnerClass::User, &query, UserView::from).await
}

/// Show a user.
#[utoipa::path(
    get,
    path = "/v1/users/{id}",
    operation_id = "get_user",
    tag = "Users",
    params(("id" = vocabulary::UserKey, Path)),
    responses((status = 200, description = "The user.", body = UserView)),
    security(("admin_token" = ["read"])),
)]
pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Read>,
    id: Segment,
) -> Result<Response, Problem> {
    let user = find(&admin, &caller, &id).await?;
    Ok(no_store(axum::Json(UserView::from(user)).into_response()))
}
