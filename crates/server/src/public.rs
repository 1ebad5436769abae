//! The public listener: the contracts, and the gateway for every other path. Nothing else of Rescind's own lives here, so
//! that no path of an API behind it is shadowed.

use crate::contracts::{limitless, wizcommerce};
use crate::gateway::Gateway;
use crate::http::Connection;
use crate::service::Services;
use axum::body::Body;
use axum::extract::State;
use axum::{Extension, Router};
use http::{Request, Response};
use rescind_guard::credentials::CredentialHeaders;
use std::sync::Arc;

/// What the public listener's handlers share.
#[derive(Debug)]
pub struct Public {
    pub services: Arc<Services>,
    pub credentials: CredentialHeaders,
    pub gateway: Arc<Gateway>,
    pub contracts: Contracts,
}

/// Which contracts are served; the paths of one that is not go to the gateway.
#[derive(Clone, Copy, Debug)]
pub struct Contracts {
    pub wizcommerce: bool,
    pub limitless: bool,
    /// Whether new legacy keys (`/auth/api-keys`) can be made.
    pub legacy_api_keys: bool,
}

pub fn router(public: Arc<Public>) -> Router {
    let mut router = Router::new();
    if public.contracts.wizcommerce {
        router = router.merge(wizcommerce::routes());
    }
    if public.contracts.limitless {
        router = router.merge(limitless::routes());
    }
    router.fallback(through_gateway).with_state(public)
}

async fn through_gateway(
    State(public): State<Arc<Public>>,
    Extension(connection): Extension<Connection>,
    request: Request<Body>,
) -> Response<Body> {
    public.gateway.handle(connection.peer, request).await
}
