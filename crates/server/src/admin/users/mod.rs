//! `/v1/users`: people who log in with e-mail and password.

mod create;
mod list;
mod password;
mod update;

use super::Admin;
use super::caller::{Caller, Needs};
use super::extract::Segment;
use super::openapi::vocabulary;
use super::owners::{self, blocks, scope_names};
use crate::http::{Problem, ProblemType};
use crate::service::{PasswordsBusy, UserError, normal_email};
use rescind_core::{Owner, OwnerKind};
use rescind_store::OwnerClass;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::default()
        .routes(routes!(create::create, list::list))
        .routes(routes!(list::show, update::update))
        .routes(routes!(update::suspend))
        .routes(routes!(update::resume))
        .routes(routes!(password::set))
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
struct UserView {
    #[schema(value_type = vocabulary::OwnerId)]
    id: String,
    #[schema(value_type = vocabulary::Email)]
    email: String,
    #[schema(value_type = vocabulary::Name)]
    first_name: String,
    #[schema(value_type = vocabulary::Name)]
    last_name: String,
    #[schema(value_type = vocabulary::TenantId)]
    tenant_id: String,
    /// The most that any of its tokens can do; null sets no bound.
    #[schema(value_type = Option<vocabulary::Scopes>, required)]
    allowed_scopes: Option<Vec<String>>,
    /// Where its tokens can be used from; null is everywhere.
    #[schema(value_type = Option<vocabulary::Networks>, required)]
    allowed_networks: Option<Vec<String>>,
    /// Its logins and tokens are refused until it is resumed.
    suspended: bool,
    #[schema(value_type = vocabulary::Time)]
    created_at: String,
}

/// By id, or as `email:ADDRESS`.
async fn find<S: Needs>(admin: &Admin, caller: &Caller<S>, id: &Segment) -> Result<Owner, Problem> {
    let Some(email) = id.0.strip_prefix("email:") else {
        return owners::find(admin, caller, id, OwnerClass::User).await;
    };
    let found = match normal_email(email) {
        Some(email) => admin.user_by_email(caller, &email).await?,
        None => None,
    };
    found.ok_or_else(|| owners::nobody(OwnerClass::User))
}

impl From<Owner> for UserView {
    fn from(owner: Owner) -> Self {
        let (email, first_name, last_name) = match owner.kind {
            OwnerKind::User { email, first_name, last_name } => (email, first_name, last_name),
            OwnerKind::Partner { .. } | OwnerKind::Operator { .. } => Default::default(),
        };
        Self {
            id: owner.id.to_string(),
            email,
            first_name,
            last_name,
            tenant_id: owners::tenant_name(owner.tenant).unwrap_or_default(),
            allowed_scopes: scope_names(owner.capabilities.allowed_scopes),
            allowed_networks: blocks(owner.capabilities.allowed_networks),
            suspended: owner.state.is_suspended(),
            created_at: owner.created_at.to_rfc3339_millis(),
        }
    }
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        match error {
            UserError::Email => Self::bad_request(format!("email: {error}.")),
            UserError::Busy(PasswordsBusy::Full { retry_after }) => {
                let detail = "Too many passwords are being hashed.";
                Self::of(ProblemType::TooManyRequests, detail).retry_after(retry_after)
            }
            UserError::Busy(PasswordsBusy::Failed) => Self::unavailable(),
            UserError::Owner(error) => error.into(),
        }
    }
}
