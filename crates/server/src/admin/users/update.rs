//! `PATCH /v1/users/{id}`, `POST …/suspend` and `…/resume`

use super::{UserView, find};
use crate::admin::Admin;
use crate::admin::caller::{Caller, Manage};
use crate::admin::extract::{Json, Segment, given, networks, scopes, text};
use crate::admin::openapi::vocabulary::{self, NAME_CHARS_MAX};
use crate::admin::owners::{self, suspension};
use crate::http::{Problem, no_store};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use rescind_store::OwnerUpdate;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserUpdate {
    #[schema(value_type = Option<vocabulary::Name>)]
    first_name: Option<String>,
    #[schema(value_type = Option<vocabulary::Name>)]
    last_name: Option<String>,
    /// Null takes the bound away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<vocabulary::Scopes>)]
    allowed_scopes: Option<Option<Vec<String>>>,
    /// Null takes the bound away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<vocabulary::Networks>)]
    allowed_networks: Option<Option<Vec<String>>>,
}

/// Change a user.
///
/// Bounds hold for the tokens that there are, from the answer on.
#[utoipa::path(
    patch,
    path = "/v1/users/{id}",
    operation_id = "update_user",
    tag = "Users",
    params(("id" = vocabulary::UserKey, Path)),
    request_body = UserUpdate,
    responses((status = 200, description = "The user as it is now.", body = UserView)),
    security(("admin_token" = ["admin"])),
)]
pub(super) async fn update(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Manage>,
    id: Segment,
    Json(change): Json<UserUpdate>,
) -> Result<Response, Problem> {
    let update = change.checked()?;
    let user = find(&admin, &caller, &id).await?;
    answer(owners::update(&admin, &caller, user, update).await)
}

/// Suspend a user.
///
/// Logins and all tokens of it are refused until it is resumed.
#[utoipa::path(
    post,
    path = "/v1/users/{id}/suspend",
    operation_id = "suspend_user",
    tag = "Users",
    params(("id" = vocabulary::UserKey, Path)),
    responses((status = 200, description = "The user as it is now.", body = UserView)),
    security(("admin_token" = ["admin"])),
)]
pub(super) async fn suspend(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Manage>,
    id: Segment,
) -> Result<Response, Problem> {
    let user = find(&admin, &caller, &id).await?;
    answer(owners::update(&admin, &caller, user, suspension(true)).await)
}

/// End a user's suspension.
#[utoipa::path(
    post,
    path = "/v1/users/{id}/resume",
    operation_id = "resume_user",
    tag = "Users",
    params(("id" = vocabulary::UserKey, Path)),
    responses((status = 200, description = "The user as it is now.", body = UserView)),
    security(("admin_token" = ["admin"])),
)]
pub(super) async fn resume(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Manage>,
    id: Segment,
) -> Result<Response, Problem> {
    let user = find(&admin, &caller, &id).await?;
    answer(owners::update(&admin, &caller, user, suspension(false)).await)
}

impl UserUpdate {
    fn checked(self) -> Result<OwnerUpdate, Problem> {
        let name = |field, value: Option<String>| {
            value.map(|value| text(field, value, NAME_CHARS_MAX)).transpose()
        };
        let scopes = |names: Option<Vec<String>>| names.as_deref().map(scopes).transpose();
        let networks = |blocks: Option<Vec<String>>| blocks.as_deref().map(networks).transpose();
        Ok(OwnerUpdate {
            first_name: name("first_name", self.first_name)?,
            last_name: name("last_name", self.last_name)?,
            allowed_scopes: self.allowed_scopes.map(scopes).transpose()?,
            allowed_networks: self.allowed_networks.map(networks).transpose()?,
            ..OwnerUpdate::default()
        })
    }
}

fn answer(user: Result<rescind_core::Owner, Problem>) -> Result<Response, Problem> {
    Ok(no_store(axum::Json(UserView::from(user?)).into_response()))
}
