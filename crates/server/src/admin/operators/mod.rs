//! `/v1/operators`: those who administer.

mod create;
mod list;
mod update;

use super::Admin;
use super::openapi::vocabulary;
use super::owners::{self, blocks};
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

/// An operator.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Operator)]
struct OperatorView {
    #[schema(value_type = vocabulary::OwnerId)]
    id: String,
    #[schema(value_type = vocabulary::Name)]
    name: String,
    /// The one tenant that it sees; null sees all of them.
    #[schema(value_type = Option<vocabulary::TenantId>, required)]
    tenant_id: Option<String>,
    /// Where its tokens can be used from; null is everywhere.
    #[schema(value_type = Option<vocabulary::Networks>, required)]
    allowed_networks: Option<Vec<String>>,
    /// Its tokens are refused until it is resumed.
    suspended: bool,
    #[schema(value_type = vocabulary::Time)]
    created_at: String,
}

impl From<Owner> for OperatorView {
    fn from(owner: Owner) -> Self {
        let name = match owner.kind {
            OwnerKind::Operator { name } => name,
            OwnerKind::User { .. } | OwnerKind::Partner { .. } => String::new(),
        };
        Self {
            id: owner.id.to_string(),
            name,
            tenant_id: owners::tenant_name(owner.tenant),
            allowed_networks: blocks(owner.capabilities.allowed_networks),
            suspended: owner.state.is_suspended(),
            created_at: owner.created_at.to_rfc3339_millis(),
        }
    }
}
