//! WizCommerce: `POST /auth/token` makes a token for an e-mail and a password, `DELETE /auth/token`
//! revokes the very token that was sent in `X-API-Key`.

mod create;
mod error;
mod revoke;

pub use error::Error;

use crate::contracts::Contracts;
use axum::Router;
use axum::routing::post;
use std::sync::Arc;

pub const TOKEN_PATH: &str = "/auth/token";

pub fn routes() -> Router<Arc<Contracts>> {
    let methods = post(create::handle).delete(revoke::handle).fallback(error::method_not_allowed);
    Router::new().route(TOKEN_PATH, methods)
}
