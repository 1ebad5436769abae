//! The verify listener as a whole: what [`crate::verify`] answers, and forward-auth.

use crate::access::Gatekeeper;
use crate::forward_auth::{self, ForwardAuth};
use crate::http::fast_path::{Answer, Listed};
use crate::http::problem::pages;
use crate::http::{Connection, Head, HeadFault, Routed, Site};
use crate::service::Services;
use crate::verify::{self, Verify};
use axum::body::Body;
use axum::response::Response;
use http::{Method, Request};
use std::sync::Arc;

struct Inside {
    verify: Arc<Verify>,
    forward_auth: Arc<ForwardAuth>,
    /// All of it.
    routed: Routed,
}

pub fn site(
    services: Arc<Services>,
    gatekeeper: Arc<Gatekeeper>,
    forward_auth: ForwardAuth,
) -> impl Site {
    let verify = Arc::new(Verify::new(Arc::clone(&services.verifier), gatekeeper));
    let forward_auth = Arc::new(forward_auth);
    let router = verify::router(services, Arc::clone(&verify))
        .merge(forward_auth::router(Arc::clone(&forward_auth)));
    Inside { verify, forward_auth, routed: Routed::with_problems(router) }
}

impl Site for Inside {
    const ANSWERS_ARE_SMALL: bool = true;
    const ANSWERS_HEADS: bool = true;

    /// What nearly every question of a proxy is.
    async fn answer_head(
        &self,
        on: Connection,
        head: &Head<'_, Listed<'_>>,
        answer: &mut Answer,
    ) -> bool {
        self.forward_auth.answer_head(on, head, answer).await
    }

    /// Past the router: what stands behind each request of somebody's API.
    async fn answer(&self, on: Connection, request: Request<Body>) -> Response {
        match (request.method(), request.uri().path()) {
            (&Method::POST, verify::PATH) => pages::link(self.verify.answer(on, request).await),
            (method, path) if method != Method::HEAD && ForwardAuth::is_asked(path) => {
                pages::link(self.forward_auth.answer(on, request).await)
            }
            _ => self.routed.answer(on, request).await,
        }
    }

    fn refuse_head(&self, path: &str, fault: HeadFault) -> Response {
        self.routed.refuse_head(path, fault)
    }
}
