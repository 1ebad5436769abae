//! `PUT /v1/users/{id}/password`

use super::{UserView, find};
use crate::admin::Admin;
use crate::admin::caller::{Caller, Manage};
use crate::admin::extract::{Json, Segment};
use crate::admin::openapi::vocabulary;
use crate::http::{Problem, no_store};
use crate::service::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    #[schema(value_type = vocabulary::Password)]
    password: String,
    /// Whether all tokens that the user has end too: whoever knew the old password may have logged
    /// in with it.
    #[serde(default = "yes")]
    #[schema(default = true)]
    revoke_tokens: bool,
}

/// Set a user's password.
#[utoipa::path(
    put,
    path = "/v1/users/{id}/password",
    operation_id = "set_user_password",
    tag = "Users",
    params(("id" = vocabulary::UserKey, Path)),
    request_body = NewPassword,
    responses(
        (status = 200, description = "The user. The password is set.", body = UserView),
        (status = 429, description = "Too many passwords are being hashed."),
    ),
    security(("admin_token" = ["admin"])),
)]
pub(super) async fn set(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Manage>,
    id: Segment,
    Json(new): Json<NewPassword>,
) -> Result<Response, Problem> {
    let password = checked(new.password)?;
    let id = find(&admin, &caller, &id).await?.id;
    let services = &admin.services;
    let user = services.set_password(id, password, new.revoke_tokens, caller.acting()).await?;
    Ok(no_store(axum::Json(UserView::from(user)).into_response()))
}

pub(super) fn checked(password: String) -> Result<String, Problem> {
    if (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&password.chars().count()) {
        return Ok(password);
    }
    let detail =
        format!("password must have {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters.");
    Err(Problem::bad_request(detail))
}

fn yes() -> bool {
    true
}
