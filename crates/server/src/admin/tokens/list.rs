//! `GET /v1/tokens`

use super::view::TokenView;
use super::vocabulary::{StateFilter, TokenKindName};
use super::{kind, owner_id, time};
use crate::admin::Admin;
use crate::admin::caller::{Caller, Read};
use crate::admin::extract::{Params, tenant};
use crate::admin::openapi::vocabulary;
use crate::admin::page::{self, Limit, Page};
use crate::admin::tenancy::Listed;
use crate::http::Problem;
use axum::extract::State;
use axum::response::Response;
use rescind_core::{Scope, Timestamp, TokenId};
use rescind_store::{Standing, StoredToken, TokenFilter};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// What `state` can be.
pub(super) const STATES: [&str; 4] = ["active", "revoked", "expired", "all"];

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    #[param(value_type = Option<vocabulary::OwnerId>)]
    owner_id: Option<String>,
    /// Of owners of this tenant.
    #[param(value_type = Option<vocabulary::TenantId>)]
    tenant_id: Option<String>,
    #[param(value_type = Option<TokenKindName>)]
    kind: Option<String>,
    /// `active` if it is left out.
    #[param(value_type = Option<StateFilter>)]
    state: Option<String>,
    /// Of those that have this scope.
    #[param(value_type = Option<vocabulary::Scope>)]
    scope: Option<String>,
    #[param(value_type = Option<vocabulary::Time>)]
    issued_before: Option<String>,
    /// Issued at this time or later.
    #[param(value_type = Option<vocabulary::Time>)]
    issued_after: Option<String>,
    /// Continue after this one: the `next` of the page before.
    #[param(value_type = Option<vocabulary::TokenId>)]
    after: Option<String>,
    #[param(value_type = Option<Limit>)]
    limit: Option<u32>,
}

/// List tokens, oldest first, without their secrets.
#[utoipa::path(
    get,
    path = "/v1/tokens",
    operation_id = "list_tokens",
    tag = "Tokens",
    params(ListQuery),
    responses((status = 200, description = "All that is asked for holds.", body = Page<TokenView>)),
    security(("admin_token" = ["read"])),
)]
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Read>,
    Params(query): Params<ListQuery>,
) -> Result<Response, Problem> {
    let now = admin.services.now();
    let limit = page::limit(query.limit)?;
    let mut filter = query.filter(now)?;
    filter.limit = limit + 1;
    // Where another tenant's token stands among all is as hidden as the token: nothing follows it.
    let goes_on = match &filter.after {
        Some(after) => admin.token(&caller, after).await?.is_some(),
        None => true,
    };
    let rows = match caller.listed(filter.tenant.take()) {
        Listed::Of(tenant) if goes_on => {
            filter.tenant = tenant;
            admin.services.store.tokens(&filter).await?
        }
        Listed::Of(_) | Listed::Nothing => Vec::new(),
    };
    let cursor = |token: &StoredToken| token.record.id.to_string();
    Ok(page::answer(rows, limit, cursor, |token| TokenView::of(token, now)))
}

impl ListQuery {
    fn filter(self, now: Timestamp) -> Result<TokenFilter, Problem> {
        let scope = self.scope.as_deref().map(Scope::parse).transpose();
        let time = |field, text: Option<String>| text.map(|text| time(field, &text)).transpose();
        Ok(TokenFilter {
            owner: self.owner_id.as_deref().map(owner_id).transpose()?,
            tenant: self.tenant_id.as_deref().map(tenant).transpose()?,
            kind: self.kind.as_deref().map(kind).transpose()?,
            standing: standing(self.state.as_deref())?.map(|standing| (standing, now)),
            scope: scope.map_err(|fault| Problem::bad_request(format!("scope: {fault}.")))?,
            issued_before: time("issued_before", self.issued_before)?,
            issued_after: time("issued_after", self.issued_after)?,
            after: page::after(self.after.as_deref(), TokenId::parse)?,
            limit: 0,
        })
    }
}

fn standing(state: Option<&str>) -> Result<Option<Standing>, Problem> {
    match state {
        None | Some("active") => Ok(Some(Standing::Active)),
        Some("revoked") => Ok(Some(Standing::Revoked)),
        Some("expired") => Ok(Some(Standing::Expired)),
        Some("all") => Ok(None),
        Some(_) => {
            let known = STATES.join(", ");
            Err(Problem::bad_request(format!("state must be one of: {known}.")))
        }
    }
}
