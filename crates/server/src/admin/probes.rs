//! `/health`, `/readyz` and `/livez`, as on the verify listener.

use super::Admin;
use crate::http::Problem;
use crate::verify::{health_of, liveness, readiness_of};
use axum::extract::State;
use axum::response::Response;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::default()
        .routes(routes!(health).map(|methods| methods.fallback(Problem::method_not_allowed)))
        .routes(routes!(readyz).map(|methods| methods.fallback(Problem::method_not_allowed)))
        .routes(routes!(livez).map(|methods| methods.fallback(Problem::method_not_allowed)))
}

/// What a probe says.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is what `verify::health_of` answers, for the document")]
struct Health {
    /// `ok`, `sealed` or `draining`.
    status: String,
}

/// Ask whether the server can verify.
///
/// Anybody may ask.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "health",
    tag = "Server",
    responses(
        (status = 200, description = "It can.", body = Health),
        (status = 503, description = "It cannot now.", body = Health),
    ),
)]
async fn health(State(admin): State<Arc<Admin>>) -> Response {
    health_of(&admin.services)
}

/// Ask whether clients may be sent here.
///
/// For load balancers. Anybody may ask.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "Server",
    responses(
        (status = 200, description = "They may.", body = Health),
        (status = 503, description = "It cannot verify now, or is about to stop.", body = Health),
    ),
)]
async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    readiness_of(&admin.services)
}

/// Ask whether the server is there.
///
/// For supervisors, which restart what does not answer. Anybody may ask.
#[utoipa::path(
    get,
    path = "/livez",
    operation_id = "livez",
    tag = "Server",
    responses((status = 200, description = "It is.", body = Health)),
)]
async fn livez() -> Response {
    liveness()
}
