//! Probes: 200 or 503, and one word. They ask nobody who they are, and say nothing else.
//!
//! | Path | 200 while this node | For |
//! | --- | --- | --- |
//! | `/health` | can verify | people, and whoever asks as before |
//! | `/readyz` | can verify, and has not been told to stop | load balancers |
//! | `/livez` | is there to answer | supervisors |
//!
//! A supervisor must not ask more than the last: a node that has no lease because its database is
//! away is well, and restarting it would throw away the memory that it goes on from.

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
    Router::new()
        .route("/health", get(health).fallback(Problem::method_not_allowed))
        .route("/readyz", get(readyz).fallback(Problem::method_not_allowed))
        .route("/livez", get(livez).fallback(Problem::method_not_allowed))
        .with_state(services)
}

async fn health(State(services): State<Arc<Services>>) -> Response {
    health_of(&services)
}

async fn readyz(State(services): State<Arc<Services>>) -> Response {
    readiness_of(&services)
}

async fn livez() -> Response {
    liveness()
}

pub fn health_of(services: &Services) -> Response {
    said(if services.guard.is_open() { "ok" } else { "sealed" })
}

pub fn readiness_of(services: &Services) -> Response {
    match services.is_stopping() {
        true => said("draining"),
        false => health_of(services),
    }
}

pub fn liveness() -> Response {
    said("ok")
}

fn said(word: &'static str) -> Response {
    let status = if word == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    no_store((status, Json(json!({ "status": word }))).into_response())
}
