//! `POST /v1/partners`

use super::{PartnerView, filled};
use crate::admin::Admin;
use crate::admin::caller::{Caller, Manage};
use crate::admin::extract::{Json, given, scopes, tenant, text};
use crate::admin::idempotency::{Repeatable, RepeatableHeader, created};
use crate::admin::openapi::vocabulary::{self, ACCOUNT_CHARS_MAX, ISSUER_CHARS_MAX};
use crate::http::Problem;
use crate::service::CreatePartner;
use crate::service::identity::SUBJECT_CHARS_MAX;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPartner {
    #[schema(value_type = vocabulary::Subject)]
    subject: String,
    /// Left out, the first issuer that is configured.
    #[schema(value_type = Option<vocabulary::Issuer>)]
    issuer: Option<String>,
    #[schema(value_type = Option<vocabulary::Account>)]
    account: Option<String>,
    #[schema(value_type = Option<vocabulary::TenantId>)]
    tenant_id: Option<String>,
    /// Whether it may derive, list and revoke tokens by itself; it may, if this is left out.
    token_management: Option<bool>,
    /// The most that any of its tokens can do. Left out, the configured `limitless.default_scopes`;
    /// null sets no bound.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<vocabulary::Scopes>)]
    allowed_scopes: Option<Option<Vec<String>>>,
}

/// Make a partner.
///
/// An issuer's subject is one partner in the whole server, so operators of one tenant may not: they
/// could claim somebody whom they know before that somebody is first seen, and act in their name.
#[utoipa::path(
    post,
    path = "/v1/partners",
    operation_id = "create_partner",
    tag = "Partners",
    params(RepeatableHeader),
    request_body = NewPartner,
    responses(
        (status = 201, description = "The partner.", body = PartnerView),
        (status = 409, description = "The issuer's subject is a partner already."),
    ),
    security(("admin_token" = ["admin"])),
)]
pub(super) async fn create(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Manage>,
    repeatable: Repeatable,
    Json(new): Json<NewPartner>,
) -> Result<Response, Problem> {
    caller.server_wide()?;
    let idempotency = repeatable.of(&caller, &new)?;
    let new = new.checked(&admin, &caller)?;
    let partner = admin.services.create_partner(new, idempotency, caller.acting()).await?;
    let is_replay = partner.is_replay();
    Ok(created(PartnerView::from(partner.into_inner()), is_replay))
}

impl NewPartner {
    fn checked(self, admin: &Admin, caller: &Caller<Manage>) -> Result<CreatePartner, Problem> {
        let account = self.account.map(|account| text("account", account, ACCOUNT_CHARS_MAX));
        let asked = self.tenant_id.as_deref().map(tenant).transpose()?;
        let allowed_scopes = match self.allowed_scopes {
            None => Some(admin.services.settings.partner_scopes.clone()),
            Some(bound) => bound.as_deref().map(scopes).transpose()?,
        };
        let issuer = admin.issuer(self.issuer)?;
        Ok(CreatePartner {
            issuer: filled("issuer", issuer, ISSUER_CHARS_MAX)?,
            subject: filled("subject", self.subject, SUBJECT_CHARS_MAX)?,
            account: account.transpose()?,
            tenant: caller.tenant_for_new(asked)?,
            token_management: self.token_management.unwrap_or(true),
            allowed_scopes,
        })
    }
}
