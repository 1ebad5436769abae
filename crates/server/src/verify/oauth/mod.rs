//! Rescind as OAuth's clients know such a server: token introspection (RFC 7662) and token
//! revocation (RFC 7009). Forms in, JSON out, and errors in the shape of RFC 6749 §5.2 in place of
//! problems, because that is what these clients read.

mod caller;
mod error;
mod introspection;
mod revocation;

use crate::http::Problem;
use crate::service::Services;
use axum::Router;
use axum::routing::post;
use error::Error;
use std::sync::Arc;

pub(super) fn routes(services: Arc<Services>) -> Router {
    Router::new()
        .route("/v1/introspect", post(introspection::handle).fallback(Problem::method_not_allowed))
        .route("/v1/revoke", post(revocation::handle).fallback(Problem::method_not_allowed))
        .with_state(services)
}
