//! `/v1/partners`: programs that come with an identity token.

mod create;
mod list;
mod update;

use super::Admin;
use super::extract::text;
use super::openapi::vocabulary;
use super::owners::{self, blocks, scope_names};
use crate::http::Problem;
use rescind_core::{Owner, OwnerKind};
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
}

/// A partner.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Partner)]
struct PartnerView {
    #[schema(value_type = vocabulary::OwnerId)]
    id: String,
    #[schema(value_type = vocabulary::Issuer)]
    issuer: String,
    #[schema(value_type = vocabulary::Subject)]
    subject: String,
    profile_id: i32,
    #[schema(value_type = vocabulary::Account)]
    account: String,
    #[schema(value_type = Option<vocabulary::TenantId>, required)]
    tenant_id: Option<String>,
    /// Whether it may derive, list and revoke tokens by itself.
    token_management: bool,
    /// The most that any of its tokens can do; null sets no bound.
    #[schema(value_type = Option<vocabulary::Scopes>, required)]
    allowed_scopes: Option<Vec<String>>,
    /// Where its tokens can be used from; null is everywhere.
    #[schema(value_type = Option<vocabulary::Networks>, required)]
    allowed_networks: Option<Vec<String>>,
    /// It and its tokens are refused until it is resumed.
    suspended: bool,
    #[schema(value_type = vocabulary::Time)]
    created_at: String,
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

/// A text field that must not be empty.
fn filled(field: &str, value: String, chars_max: usize) -> Result<String, Problem> {
    if value.is_empty() {
        return Err(Problem::bad_request(format!("{field} must not be empty.")));
    }
    text(field, value, chars_max)
}

impl From<Owner> for PartnerView {
    fn from(owner: Owner) -> Self {
        let (profile_id, account, issuer, subject) = match owner.kind {
            OwnerKind::Partner { profile_id, account, issuer, subject } => {
                (profile_id, account, issuer, subject)
            }
            OwnerKind::User { .. } | OwnerKind::Operator { .. } => Default::default(),
        };
        Self {
            id: owner.id.to_string(),
            issuer,
            subject,
            profile_id,
            account,
            tenant_id: owners::tenant_name(owner.tenant),
            token_management: owner.capabilities.token_management,
            allowed_scopes: scope_names(owner.capabilities.allowed_scopes),
            allowed_networks: blocks(owner.capabilities.allowed_networks),
            suspended: owner.state.is_suspended(),
            created_at: owner.created_at.to_rfc3339_millis(),
        }
    }
}
