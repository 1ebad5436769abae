//! `/v1/status`, and `/v1/verify` for the command line.

use super::Admin;
use super::caller::{Caller, Read};
use super::extract::Json;
use crate::http::{Problem, no_store};
use crate::verify::{VerifyRequest, answer};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct Status {
    version: &'static str,
    epoch: u64,
    active_tokens: usize,
    owners: usize,
    store: Store,
    sealed: bool,
    uptime_seconds: u64,
}

#[derive(Serialize)]
struct Store {
    kind: &'static str,
    path: String,
}

pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    _: Caller<Read>,
) -> Result<Response, Problem> {
    let guard = &admin.services.guard;
    let body = Status {
        version: env!("CARGO_PKG_VERSION"),
        epoch: admin.services.store.epoch().await?,
        active_tokens: guard.index().tokens(),
        owners: guard.index().owners(),
        store: Store { kind: "sqlite", path: admin.store_path.display().to_string() },
        sealed: !guard.is_open(),
        uptime_seconds: admin.services.now().distance_millis(admin.started_at) / 1_000,
    };
    Ok(no_store(axum::Json(body).into_response()))
}

pub(super) async fn verify(
    State(admin): State<Arc<Admin>>,
    _: Caller<Read>,
    Json(request): Json<VerifyRequest>,
) -> Result<Response, Problem> {
    answer(&admin.services.guard, &request)
}
