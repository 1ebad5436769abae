//! `POST /v1/users`

use super::UserView;
use super::password::checked;
use crate::admin::Admin;
use crate::admin::caller::{Caller, Manage};
use crate::admin::extract::{Json, tenant, text};
use crate::admin::idempotency::{Repeatable, RepeatableHeader, created, unsaid};
use crate::admin::openapi::vocabulary::{self, NAME_CHARS_MAX};
use crate::http::Problem;
use crate::service::CreateUser;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    #[schema(value_type = vocabulary::Email)]
    email: String,
    #[serde(serialize_with = "unsaid")]
    #[schema(value_type = vocabulary::Password)]
    password: String,
    #[schema(value_type = Option<vocabulary::Name>)]
    first_name: Option<String>,
    #[schema(value_type = Option<vocabulary::Name>)]
    last_name: Option<String>,
    /// Left out, the user gets a tenant of its own, or that of the operator who makes it.
    #[schema(value_type = Option<vocabulary::TenantId>)]
    tenant_id: Option<String>,
}

/// Make a user.
///
/// E-mail addresses are unique in the whole server, whatever the tenant.
#[utoipa::path(
    post,
    path = "/v1/users",
    operation_id = "create_user",
    tag = "Users",
    params(RepeatableHeader),
    request_body = NewUser,
    responses(
        (status = 201, description = "The user.", body = UserView),
        (status = 409, description = "There is a user with this address."),
        (status = 429, description = "Too many passwords are being hashed."),
    ),
    security(("admin_token" = ["admin"])),
)]
pub(super) async fn create(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Manage>,
    repeatable: Repeatable,
    Json(new): Json<NewUser>,
) -> Result<Response, Problem> {
    let idempotency = repeatable.of(&caller, &new)?;
    let name = |field, value: Option<String>| {
        value.map_or(Ok(String::new()), |value| text(field, value, NAME_CHARS_MAX))
    };
    let asked = new.tenant_id.as_deref().map(tenant).transpose()?;
    let new = CreateUser {
        email: new.email,
        password: checked(new.password)?,
        first_name: name("first_name", new.first_name)?,
        last_name: name("last_name", new.last_name)?,
        tenant: caller.tenant_for_new(asked)?,
    };
    let user = admin.services.create_user(new, idempotency, caller.acting()).await?;
    let is_replay = user.is_replay();
    Ok(created(UserView::from(user.into_inner()), is_replay))
}
