//! `/v1/users`

use super::Admin;
use super::caller::{Caller, Manage, Read};
use super::extract::{Json, Params, Segment, text};
use super::owners_view::OwnerView;
use super::page;
use crate::http::{Problem, no_store};
use crate::service::{
    CreateUser, CreateUserError, PASSWORD_BYTES_MAX, PasswordsBusy, normal_email,
};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use rescind_core::{OwnerId, OwnerKind, TenantId};
use rescind_store::{OwnerClass, OwnerUpdate};
use serde::Deserialize;
use std::sync::Arc;

/// Longest first or last name, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// Shortest password for a new user, in characters (NIST SP 800-63B §5.1.1.2).
const PASSWORD_CHARS_MIN: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    email: String,
    password: String,
    #[serde(default)]
    first_name: String,
    #[serde(default)]
    last_name: String,
    tenant_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    after: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn create(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Manage>,
    Json(new): Json<NewUser>,
) -> Result<Response, Problem> {
    if new.password.len() > PASSWORD_BYTES_MAX || new.password.chars().count() < PASSWORD_CHARS_MIN
    {
        let detail = format!(
            "password must have {PASSWORD_CHARS_MIN} characters to {PASSWORD_BYTES_MAX} bytes."
        );
        return Err(Problem::bad_request(detail));
    }
    let tenant = new.tenant_id.as_deref().map(TenantId::parse).transpose();
    let new = CreateUser {
        email: new.email,
        password: new.password,
        first_name: text("first_name", new.first_name, NAME_BYTES_MAX)?,
        last_name: text("last_name", new.last_name, NAME_BYTES_MAX)?,
        tenant: tenant.map_err(|fault| Problem::bad_request(format!("tenant_id: {fault}.")))?,
    };
    let owner = admin.services.create_user(new, caller.actor()).await?;
    let body = axum::Json(OwnerView::from(owner));
    Ok(no_store((StatusCode::CREATED, body).into_response()))
}

pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    _: Caller<Read>,
    Params(query): Params<ListQuery>,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let after = page::after(query.after.as_deref(), OwnerId::parse)?;
    let store = &admin.services.store;
    let rows = store.owners(OwnerClass::User, after.as_ref(), limit + 1).await?;
    Ok(page::answer(rows, limit, |owner| owner.id.to_string(), OwnerView::from))
}

pub(super) async fn suspend(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Manage>,
    id: Segment,
) -> Result<Response, Problem> {
    set_suspended(&admin, &caller, &id, true).await
}

pub(super) async fn resume(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Manage>,
    id: Segment,
) -> Result<Response, Problem> {
    set_suspended(&admin, &caller, &id, false).await
}

async fn set_suspended(
    admin: &Admin,
    caller: &Caller<Manage>,
    id: &Segment,
    suspended: bool,
) -> Result<Response, Problem> {
    let id = find(admin, id).await?;
    let update = OwnerUpdate { suspended: Some(suspended), ..OwnerUpdate::default() };
    let by = admin.services.by(caller.actor());
    let owner = admin.services.store.update_owner(id, update, by).await?;
    Ok(no_store(axum::Json(OwnerView::from(owner)).into_response()))
}

/// By id, or as `email:ADDRESS`. Only users: the others have paths of their own.
async fn find(admin: &Admin, id: &Segment) -> Result<OwnerId, Problem> {
    let store = &admin.services.store;
    let found = match id.0.strip_prefix("email:") {
        Some(email) => match normal_email(email) {
            Some(email) => store.user_by_email(&email).await?.map(|user| user.owner),
            None => None,
        },
        None => store.owner(&id.owner_id()?).await?,
    };
    match found {
        Some(owner) if matches!(owner.kind, OwnerKind::User { .. }) => Ok(owner.id),
        _ => Err(Problem::not_found("There is no such user.")),
    }
}

impl From<CreateUserError> for Problem {
    fn from(error: CreateUserError) -> Self {
        match error {
            CreateUserError::Email => Self::bad_request(format!("email: {error}.")),
            CreateUserError::Busy(PasswordsBusy::Full { retry_after }) => {
                let detail = "Too many passwords are being hashed.";
                Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too-many-requests",
                    "Too many requests",
                    detail,
                )
                .retry_after(retry_after)
            }
            CreateUserError::Busy(PasswordsBusy::Failed) => Self::unavailable(),
            CreateUserError::Owner(error) => error.into(),
        }
    }
}
