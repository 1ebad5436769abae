//! Limitless Exchange: scoped tokens that sign each request, and the older bearer keys.
//!
//! | | by |
//! | --- | --- |
//! | `GET /auth/api-tokens/capabilities`, `POST /auth/api-tokens/derive` | identity |
//! | `GET /auth/api-tokens`, `DELETE /auth/api-tokens/{tokenId}` | signed request |
//! | `POST`, `GET`, `DELETE /auth/api-keys` | identity; `GET` and `DELETE` also by the key itself |

mod api_keys;
mod caller;
mod capabilities;
mod derive;
mod error;
mod list;
mod revoke;

pub use error::Error;

use crate::contracts::Contracts;
use axum::Router;
use axum::routing::{delete, get, post};
use std::sync::Arc;

/// What all of this contract's paths begin with.
pub const PATHS_BEGIN: &str = "/auth/api-";

pub fn routes() -> Router<Arc<Contracts>> {
    let nothing_else = error::method_not_allowed;
    let api_keys = post(api_keys::create).get(api_keys::show).delete(api_keys::revoke);
    Router::new()
        .route("/auth/api-tokens", get(list::handle).fallback(nothing_else))
        .route("/auth/api-tokens/capabilities", get(capabilities::handle).fallback(nothing_else))
        .route("/auth/api-tokens/derive", post(derive::handle).fallback(nothing_else))
        .route("/auth/api-tokens/{token_id}", delete(revoke::handle).fallback(nothing_else))
        .route("/auth/api-keys", api_keys.fallback(nothing_else))
}
