//! `PATCH /v1/partners/{id}`, `POST …/suspend` and `…/resume`

use super::PartnerView;
use crate::admin::Admin;
use crate::admin::caller::{Caller, Manage};
use crate::admin::extract::{Json, Segment, given, networks, scopes};
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
pub(super) struct PartnerUpdate {
    token_management: Option<bool>,
    /// Null takes the bound away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<vocabulary::Scopes>)]
    allowed_scopes: Option<Option<Vec<String>>>,
    /// Null takes the bound away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<vocabulary::Networks>)]
    allowed_networks: Option<Option<Vec<String>>>,
    suspended: Option<bool>,
}

/// Change a partner.
///
/// Bounds hold for the tokens that there are, from the answer on.
#[utoipa::path(
    patch,
    path = "/v1/partners/{id}",
    operation_id = "update_partner",
    tag = "Partners",
    params(("id" = vocabulary::OwnerId, Path)),
    request_body = PartnerUpdate,
    responses((status = 200, description = "The partner as it is now.", body = PartnerView)),
    security(("admin_token" = ["admin"])),
)]
pub(super) async fn update(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Manage>,
    id: Segment,
    Json(change): Json<PartnerUpdate>,
) -> Result<Response, Problem> {
    let update = change.checked()?;
    set(&admin, &caller, &id, update).await
}

/// Suspend a partner.
///
/// Its identity tokens and all tokens of it are refused until it is resumed.
#[utoipa::path(
    post,
    path = "/v1/partners/{id}/suspend",
    operation_id = "suspend_partner",
    tag = "Partners",
    params(("id" = vocabulary::OwnerId, Path)),
    responses((status = 200, description = "The partner as it is now.", body = PartnerView)),
    security(("admin_token" = ["admin"])),
)]
pub(super) async fn suspend(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Manage>,
    id: Segment,
) -> Result<Response, Problem> {
    set(&admin, &caller, &id, suspension(true)).await
}

/// End a partner's suspension.
#[utoipa::path(
    post,
    path = "/v1/partners/{id}/resume",
    operation_id = "resume_partner",
    tag = "Partners",
    params(("id" = vocabulary::OwnerId, Path)),
    responses((status = 200, description = "The partner as it is now.", body = PartnerView)),
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
    let partner = owners::find(admin, caller, id, OwnerClass::Partner).await?;
    let partner = owners::update(admin, caller, partner, update).await?;
    Ok(no_store(axum::Json(PartnerView::from(partner)).into_response()))
}

impl PartnerUpdate {
    fn checked(self) -> Result<OwnerUpdate, Problem> {
        let scopes = |names: Option<Vec<String>>| names.as_deref().map(scopes).transpose();
        let networks = |blocks: Option<Vec<String>>| blocks.as_deref().map(networks).transpose();
        Ok(OwnerUpdate {
            suspended: self.suspended,
            token_management: self.token_management,
            allowed_scopes: self.allowed_scopes.map(scopes).transpose()?,
            allowed_networks: self.allowed_networks.map(networks).transpose()?,
            ..OwnerUpdate::default()
        })
    }
}
