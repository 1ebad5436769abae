//! `/v1/status` and `/v1/whoami`

use super::caller::{Anyone, Caller, Read};
use super::openapi::vocabulary;
use super::owners::tenant_name;
use super::{Admin, StorePlace};
use crate::http::{Problem, no_store};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::default().routes(routes!(show)).routes(routes!(whoami))
}

/// The server. What counts or names other tenants' things is null for an operator of one tenant.
#[derive(Serialize, ToSchema)]
struct Status {
    version: &'static str,
    /// Number of the last change to owners and tokens.
    #[schema(required)]
    epoch: Option<u64>,
    #[schema(required)]
    active_tokens: Option<usize>,
    #[schema(required)]
    owners: Option<usize>,
    #[schema(required)]
    store: Option<Store>,
    /// Whether this node can neither accept nor refuse a token now.
    sealed: bool,
    uptime_seconds: u64,
}

#[derive(Serialize, ToSchema)]
struct Store {
    /// `sqlite` or `postgresql`.
    kind: &'static str,
    /// A directory, or host and database.
    path: String,
}

/// Whose token asks.
#[derive(Serialize, ToSchema)]
struct Whoami {
    #[schema(value_type = vocabulary::TokenId)]
    token_id: String,
    #[schema(value_type = vocabulary::OwnerId)]
    owner_id: String,
    #[schema(value_type = vocabulary::Name)]
    name: String,
    #[schema(value_type = vocabulary::Scopes)]
    scopes: Vec<String>,
    /// The one tenant that it sees; null sees all of them.
    #[schema(value_type = Option<vocabulary::TenantId>, required)]
    tenant_id: Option<String>,
}

/// Show how the server is.
#[utoipa::path(
    get,
    path = "/v1/status",
    operation_id = "status",
    tag = "Server",
    responses((status = 200, description = "How it is.", body = Status)),
    security(("admin_token" = ["read"])),
)]
async fn show(State(admin): State<Arc<Admin>>, caller: Caller<Read>) -> Result<Response, Problem> {
    let guard = &admin.services.guard;
    let epoch = admin.services.store.epoch().await?;
    let StorePlace { kind, path } = admin.store.clone();
    let everybodys = caller.operator().tenant.is_none();
    let body = Status {
        version: env!("CARGO_PKG_VERSION"),
        epoch: everybodys.then_some(epoch),
        active_tokens: everybodys.then(|| guard.index().tokens()),
        owners: everybodys.then(|| guard.index().owners()),
        store: everybodys.then_some(Store { kind, path }),
        sealed: !guard.is_open(),
        uptime_seconds: admin.services.now().distance_millis(admin.started_at) / 1_000,
    };
    Ok(no_store(axum::Json(body).into_response()))
}

/// Show whose token this is.
#[utoipa::path(
    get,
    path = "/v1/whoami",
    operation_id = "whoami",
    tag = "Server",
    responses((status = 200, description = "The caller.", body = Whoami)),
    security(("admin_token" = [])),
)]
async fn whoami(caller: Caller<Anyone>) -> Response {
    let body = Whoami {
        token_id: caller.token_id().to_string(),
        owner_id: caller.operator().id.to_string(),
        name: caller.name().into(),
        scopes: caller.scopes().map(Into::into).collect(),
        tenant_id: tenant_name(caller.operator().tenant.clone()),
    };
    no_store(axum::Json(body).into_response())
}
