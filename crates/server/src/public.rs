//! The public listener: the contracts, and the gateway for every other path. Nothing else of
//! Rescind's own lives here, so that no path of an API behind it is shadowed.

use crate::contracts::{Contracts, limitless, wizcommerce};
use crate::gateway::Gateway;
use crate::http::{Connection, HeadFault, Problem, Site};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use http::Request;
use std::sync::Arc;

/// Which contracts are served; the paths of one that is not go to the gateway.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    pub wizcommerce: bool,
    pub limitless: bool,
}

pub fn site(served: Served, contracts: Arc<Contracts>, gateway: Arc<Gateway>) -> Site {
    let mut router = Router::new();
    if served.wizcommerce {
        router = router.merge(wizcommerce::routes());
    }
    if served.limitless {
        router = router.merge(limitless::routes());
    }
    let through_gateway = |Extension(on): Extension<Connection>, request: Request<Body>| async move {
        gateway.handle(on.peer, request).await
    };
    Site { router: router.fallback(through_gateway).with_state(contracts), refuse_head }
}

/// In the shape of the contract that the path belongs to.
fn refuse_head(path: &str, fault: HeadFault) -> Response {
    if path == wizcommerce::TOKEN_PATH {
        wizcommerce::Error::Head(fault).into_response()
    } else if path.starts_with(limitless::PATHS_BEGIN) {
        limitless::Error::Head(fault).into_response()
    } else {
        Problem::from(fault).into_response()
    }
}
