//! `/v1/partners`

use super::Admin;
use super::caller::{Caller, Manage, Read};
use super::extract::{Json, Params, Segment, scopes, text};
use super::owners_view::OwnerView;
use super::page;
use crate::http::{Problem, no_store};
use crate::service::identity::SUBJECT_BYTES_MAX;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use rescind_core::{OwnerId, OwnerKind};
use rescind_store::{OwnerClass, OwnerUpdate};
use serde::Deserialize;
use std::sync::Arc;

/// Longest issuer name and account, in bytes.
const ISSUER_BYTES_MAX: usize = 256;
const ACCOUNT_BYTES_MAX: usize = 128;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPartner {
    subject: String,
    issuer: Option<String>,
    account: Option<String>,
    token_management: Option<bool>,
    allowed_scopes: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    subject: Option<String>,
    issuer: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartnerUpdate {
    token_management: Option<bool>,
    allowed_scopes: Option<Vec<String>>,
    suspended: Option<bool>,
}

pub(super) async fn create(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Manage>,
    Json(new): Json<NewPartner>,
) -> Result<Response, Problem> {
    if new.subject.is_empty() {
        return Err(Problem::bad_request("subject must not be empty."));
    }
    let subject = text("subject", new.subject, SUBJECT_BYTES_MAX)?;
    let issuer = text("issuer", admin.issuer(new.issuer)?, ISSUER_BYTES_MAX)?;
    let account =
        new.account.map(|account| text("account", account, ACCOUNT_BYTES_MAX)).transpose()?;
    let scopes = match &new.allowed_scopes {
        Some(names) => scopes(names)?,
        None => admin.services.settings.partner_scopes.clone(),
    };
    let management = new.token_management.unwrap_or(true);
    let services = &admin.services;
    let owner = services
        .create_partner(&issuer, &subject, account, management, scopes, caller.actor())
        .await?;
    let body = axum::Json(OwnerView::from(owner));
    Ok(no_store((StatusCode::CREATED, body).into_response()))
}

pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    _: Caller<Read>,
    Params(query): Params<ListQuery>,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let store = &admin.services.store;
    let rows = match query.subject {
        Some(subject) => {
            let found = store.partner_by_subject(&admin.issuer(query.issuer)?, &subject).await?;
            found.into_iter().collect()
        }
        None if query.issuer.is_some() => {
            return Err(Problem::bad_request("issuer goes with subject."));
        }
        None => {
            let after = page::after(query.after.as_deref(), OwnerId::parse)?;
            store.owners(OwnerClass::Partner, after.as_ref(), limit + 1).await?
        }
    };
    Ok(page::answer(rows, limit, |owner| owner.id.to_string(), OwnerView::from))
}

pub(super) async fn update(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Manage>,
    id: Segment,
    Json(change): Json<PartnerUpdate>,
) -> Result<Response, Problem> {
    let store = &admin.services.store;
    let found = store.owner(&id.owner_id()?).await?;
    let Some(owner) = found.filter(|owner| matches!(owner.kind, OwnerKind::Partner { .. })) else {
        return Err(Problem::not_found("There is no such partner."));
    };
    let update = OwnerUpdate {
        suspended: change.suspended,
        token_management: change.token_management,
        allowed_scopes: change.allowed_scopes.as_deref().map(scopes).transpose()?,
        not_before: None,
    };
    let by = admin.services.by(caller.actor());
    let owner = store.update_owner(owner.id, update, by).await?;
    Ok(no_store(axum::Json(OwnerView::from(owner)).into_response()))
}

impl Admin {
    /// The issuer that is meant: the one named, or the first that is configured.
    fn issuer(&self, named: Option<String>) -> Result<String, Problem> {
        let configured = || self.services.identity.default_issuer().map(Into::into);
        named.or_else(configured).ok_or_else(|| {
            Problem::bad_request("No identity issuer is configured: name the partner's issuer.")
        })
    }
}
