//! The public listener: the contracts, and the gateway for every other path. Nothing else of
//! Rescind's own lives here, so that no path of an API behind it is shadowed.

use crate::contracts::{Contracts, limitless, wizcommerce};
use crate::gateway::Gateway;
use crate::http::site::routed;
use crate::http::{ClientAddress, Connection, HeadFault, Problem, Site, client_address};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use http::{Method, Request};
use rescind_core::NetworkSet;
use std::sync::Arc;

/// Which contracts are served; the paths of one that is not go to the gateway.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    pub wizcommerce: bool,
    pub limitless: bool,
}

struct Public {
    served: Served,
    gateway: Arc<Gateway>,
    /// Whose `X-Forwarded-For` is believed.
    trusted_proxies: NetworkSet,
    /// All of it.
    router: Router,
}

/// `trusted_proxies` are those whose `X-Forwarded-For` is believed.
pub fn site(
    served: Served,
    contracts: Arc<Contracts>,
    gateway: Arc<Gateway>,
    trusted_proxies: NetworkSet,
) -> impl Site {
    let mut router = Router::new();
    if served.wizcommerce {
        router = router.merge(wizcommerce::routes());
    }
    if served.limitless {
        router = router.merge(limitless::routes());
    }
    let through_gateway = Arc::clone(&gateway);
    let router = router
        .fallback(
            async move |Extension(on): Extension<Connection>,
                        Extension(client): Extension<ClientAddress>,
                        request: Request<Body>| {
                through_gateway.handle(on, client, request).await
            },
        )
        .with_state(contracts);
    Public { served, gateway, trusted_proxies, router }
}

impl Site for Public {
    /// Past the router: what goes through the gateway. `HEAD` is framed by the router.
    async fn answer(&self, on: Connection, mut request: Request<Body>) -> Response {
        // Once for each request, so that limits and decisions mean the same client.
        let client = client_address(on.peer, request.headers(), &self.trusted_proxies);
        if request.method() != Method::HEAD && !self.served.has(request.uri().path()) {
            return self.gateway.handle(on, client, request).await;
        }
        request.extensions_mut().insert(client);
        routed(&self.router, on, request).await
    }

    /// In the shape of the contract that the path belongs to, whether it is served or not.
    fn refuse_head(&self, path: &str, fault: HeadFault) -> Response {
        if path == wizcommerce::TOKEN_PATH {
            wizcommerce::Error::Head(fault).into_response()
        } else if path.starts_with(limitless::PATHS_BEGIN) {
            limitless::Error::Head(fault).into_response()
        } else {
            Problem::from(fault).into_response()
        }
    }
}

impl Served {
    /// Whether a path may be a contract's. The gateway answers for what it turns out not to be.
    fn has(self, path: &str) -> bool {
        (self.wizcommerce && path == wizcommerce::TOKEN_PATH)
            || (self.limitless && path.starts_with(limitless::PATHS_BEGIN))
    }
}
