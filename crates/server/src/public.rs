//! The public listener: the contracts, and the gateway for every other path. Nothing else of
//! Rescind's own lives here, so that no path of an API behind it is shadowed.

use crate::contracts::{Contracts, limitless, wizcommerce};
use crate::gateway::Gateway;
use crate::http::{ClientAddress, Connection, HeadFault, Problem, Site, client_address};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router, middleware};
use http::Request;
use rescind_core::NetworkSet;
use std::sync::Arc;

/// Which contracts are served; the paths of one that is not go to the gateway.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    pub wizcommerce: bool,
    pub limitless: bool,
}

/// `trusted_proxies` are those whose `X-Forwarded-For` is believed.
pub fn site(
    served: Served,
    contracts: Arc<Contracts>,
    gateway: Arc<Gateway>,
    trusted_proxies: NetworkSet,
) -> Site {
    let mut router = Router::new();
    if served.wizcommerce {
        router = router.merge(wizcommerce::routes());
    }
    if served.limitless {
        router = router.merge(limitless::routes());
    }
    let through_gateway = |Extension(client): Extension<ClientAddress>, request: Request<Body>| async move {
        gateway.handle(client, request).await
    };
    let router = router.fallback(through_gateway).with_state(contracts);
    Site { router: router.layer(middleware::map_request(locating(trusted_proxies))), refuse_head }
}

/// Once for each request, so that limits and decisions mean the same client.
fn locating(
    trusted: NetworkSet,
) -> impl Fn(Request<Body>) -> std::future::Ready<Request<Body>> + Clone {
    move |mut request| {
        if let Some(on) = request.extensions().get::<Connection>() {
            let client = client_address(on.peer, request.headers(), &trusted);
            request.extensions_mut().insert(client);
        }
        std::future::ready(request)
    }
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
