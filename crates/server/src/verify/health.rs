//! `GET /health`: 200 while this node can verify, 503 while it cannot. It says nothing else, and
//! asks nobody who they are.

use crate::http::{Problem, no_store};
use crate::service::Services;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::json;
use std::sync::Arc;

pub(super) fn routes(services: Arc<Services>) -> Router {
    let methods = get(health).fallback(Problem::method_not_allowed);
    Router::new().route("/health", methods).with_state(services)
}

async fn health(State(services): State<Arc<Services>>) -> Response {
    health_of(&services)
}

pub fn health_of(services: &Services) -> Response {
    let (status, word) = if services.guard.is_open() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "sealed")
    };
    no_store((status, Json(json!({ "status": word }))).into_response())
}
