//! `GET /v1/partners` and `GET /v1/partners/{id}`

use super::{PartnerView, filled};
use crate::admin::Admin;
use crate::admin::caller::{Caller, Read};
use crate::admin::extract::{Params, Segment, tenant};
use crate::admin::openapi::vocabulary::{self, ISSUER_CHARS_MAX};
use crate::admin::owners::{self, ListQuery};
use crate::admin::page::{self, Page};
use crate::admin::tenancy::OfTenant;
use crate::http::{Problem, no_store};
use crate::service::identity::SUBJECT_CHARS_MAX;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use rescind_core::Owner;
use rescind_store::OwnerClass;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PartnersQuery {
    /// The one partner that the issuer names so.
    #[param(value_type = Option<vocabulary::Subject>)]
    subject: Option<String>,
    /// With `subject` only; left out, the first issuer that is configured.
    #[param(value_type = Option<vocabulary::Issuer>)]
    issuer: Option<String>,
    /// Only this tenant's.
    #[param(value_type = Option<vocabulary::TenantId>)]
    tenant_id: Option<String>,
    /// Continue after this one: the `next` of the page before.
    #[param(value_type = Option<vocabulary::OwnerId>)]
    after: Option<String>,
    /// How many at most.
    #[param(value_type = Option<page::Limit>)]
    limit: Option<u32>,
}

/// List partners.
///
/// Oldest first.
#[utoipa::path(
    get,
    path = "/v1/partners",
    operation_id = "list_partners",
    tag = "Partners",
    params(PartnersQuery),
    responses((status = 200, description = "A page of partners.", body = Page<PartnerView>)),
    security(("admin_token" = ["read"])),
)]
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Read>,
    Params(query): Params<PartnersQuery>,
) -> Result<Response, Problem> {
    let PartnersQuery { subject, issuer, tenant_id, after, limit } = query;
    let Some(subject) = subject else {
        if issuer.is_some() {
            return Err(Problem::bad_request("issuer goes with subject."));
        }
        let query = ListQuery { tenant_id, after, limit };
        return owners::list(&admin, &caller, OwnerClass::Partner, &query, PartnerView::from).await;
    };
    let limit = page::limit(limit)?;
    let within = tenant_id.as_deref().map(tenant).transpose()?;
    let issuer = filled("issuer", admin.issuer(issuer)?, ISSUER_CHARS_MAX)?;
    let subject = filled("subject", subject, SUBJECT_CHARS_MAX)?;
    let found = admin.partner_by_subject(&caller, &issuer, &subject).await?;
    let asked = |owner: &Owner| within.is_none() || owner.tenant() == within.as_ref();
    let rows: Vec<_> = found.into_iter().filter(asked).collect();
    Ok(page::answer(rows, limit, |owner| owner.id.to_string(), PartnerView::from))
}

/// Show a partner.
#[utoipa::path(
    get,
    path = "/v1/partners/{id}",
    operation_id = "get_partner",
    tag = "Partners",
    params(("id" = vocabulary::OwnerId, Path)),
    responses((status = 200, description = "The partner.", body = PartnerView)),
    security(("admin_token" = ["read"])),
)]
pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Read>,
    id: Segment,
) -> Result<Response, Problem> {
    let partner = owners::find(&admin, &caller, &id, OwnerClass::Partner).await?;
    Ok(no_store(axum::Json(PartnerView::from(partner)).into_response()))
}
