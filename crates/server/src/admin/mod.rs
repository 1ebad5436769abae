//! The admin API: JSON under `/v1/`, on its own listener, authenticated from the start. Errors are
//! RFC 9457 problems.
//!
//! A handler cannot run without a [`caller::Caller`], which names the scope it needs in its type.

mod audit;
pub mod caller;
mod extract;
mod owners_view;
mod page;
mod partners;
mod status;
mod tokens;
mod users;

use crate::http::Problem;
use crate::service::Services;
use crate::verify;
use axum::Router;
use axum::routing::{get, patch, post};
use caller::{Caller, Read};
use http::StatusCode;
use std::path::PathBuf;
use std::sync::Arc;

/// What the admin listener's handlers share.
#[derive(Debug)]
pub struct Admin {
    pub services: Arc<Services>,
    /// Shown by `status`.
    pub store_path: PathBuf,
    pub started_at: rescind_core::Timestamp,
}

pub fn router(admin: Arc<Admin>) -> Router {
    let health = verify::health_routes(Arc::clone(&admin.services));
    Router::new()
        .route("/v1/users", post(users::create).get(users::list))
        .route("/v1/users/{id}/suspend", post(users::suspend))
        .route("/v1/users/{id}/resume", post(users::resume))
        .route("/v1/partners", post(partners::create).get(partners::list))
        .route("/v1/partners/{id}", patch(partners::update))
        .route("/v1/tokens", post(tokens::create).get(tokens::list))
        .route("/v1/tokens/{id}", get(tokens::show))
        .route("/v1/tokens/{id}/revoke", post(tokens::revoke))
        .route("/v1/verify", post(status::verify))
        .route("/v1/audit", get(audit::list))
        .route("/v1/status", get(status::show))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(no_such_path)
        .with_state(admin)
        .merge(health)
}

/// Also for what is not there: nobody unknown learns which paths there are.
async fn no_such_path(_: Caller<Read>) -> Problem {
    Problem::not_found("The admin API has no such path.")
}

async fn method_not_allowed(_: Caller<Read>) -> Problem {
    let detail = "This path does not take that method.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", detail)
}
