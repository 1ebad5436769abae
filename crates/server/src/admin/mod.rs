//! The admin API: JSON under `/v1/`, on its own listener, authenticated from the start. Errors are
//! RFC 9457 problems.
//!
//! A handler cannot run without a [`caller::Caller`], which names the scope it needs in its type;
//! what it is asked about by id goes through `tenancy`; and it cannot be routed without being
//! described in the [`openapi`] document.

mod audit;
pub mod caller;
mod cluster;
mod extract;
mod idempotency;
mod metrics;
pub mod openapi;
mod operators;
mod owners;
mod page;
mod partners;
mod patience;
mod probes;
mod progress;
mod revocations;
mod status;
mod tenancy;
mod tokens;
mod users;
mod verification;

use crate::access::Gatekeeper;
use crate::http::Problem;
use crate::http::problem::pages;
use crate::service::Services;
use axum::Router;
use caller::{Anyone, Caller};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

/// What the admin listener's handlers share.
#[derive(Debug)]
pub struct Admin {
    pub services: Arc<Services>,
    pub gatekeeper: Arc<Gatekeeper>,
    /// Shown by `status`.
    pub store: StorePlace,
    pub started_at: rescind_core::Timestamp,
}

/// Where records are kept.
#[derive(Clone, Debug)]
pub struct StorePlace {
    pub kind: &'static str,
    /// A directory, or host and database.
    pub path: String,
}

pub fn router(admin: Arc<Admin>) -> Router {
    let router: Router<_> = routes().into();
    router.method_not_allowed_fallback(method_not_allowed).fallback(no_such_path).with_state(admin)
}

fn routes() -> OpenApiRouter<Arc<Admin>> {
    openapi::frame()
        .merge(users::routes())
        .merge(partners::routes())
        .merge(operators::routes())
        .merge(tokens::routes())
        .merge(revocations::routes())
        .merge(progress::routes())
        .merge(audit::routes())
        .merge(verification::routes())
        .merge(probes::routes())
        .merge(status::routes())
        .merge(cluster::routes())
        .merge(metrics::routes())
        .merge(pages::documented())
}

/// Also for what is not there: nobody unknown learns which paths there are.
async fn no_such_path(_: Caller<Anyone>) -> Problem {
    Problem::not_found("The admin API has no such path.")
}

async fn method_not_allowed(_: Caller<Anyone>) -> Problem {
    Problem::method_not_allowed().await
}
