//! What a listener serves.
//!
//! Everything has its place in a router, which finds it, answers 405 and `HEAD`, and frames what it
//! hands out. That takes several times as long as to verify a token, so the questions that
//! stand behind each request of an API are asked past the router, and a site says in its `answer`
//! which they are. The handler is the same on both ways, and so is the answer.

use super::fast_path::{Answer, Listed};
use super::problem::pages;
use super::{Connection, Head, HeadFault, Problem};
use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::Request;
use tower::ServiceExt;

/// See the module's head.
pub trait Site: Send + Sync + 'static {
    /// Whether answers have a few hundred bytes. Then it is cheaper to copy each into one piece than
    /// to hand it to the kernel in several.
    const ANSWERS_ARE_SMALL: bool = false;

    /// Whether [`Site::answer_head`] is asked.
    const ANSWERS_HEADS: bool = false;

    /// Answers a request that is all head, as [`Site::answer`] would (see `fast_path`). If it does
    /// not, it says so, and the connection is hyper's.
    fn answer_head(
        &self,
        _: Connection,
        _: &Head<'_, Listed<'_>>,
        _: &mut Answer,
    ) -> impl Future<Output = bool> + Send {
        std::future::ready(false)
    }

    /// Answers a request whose head is in order.
    fn answer(
        &self,
        on: Connection,
        request: Request<Body>,
    ) -> impl Future<Output = Response> + Send;

    /// Refuses one whose head is not, given its path, in the shape that its caller reads.
    fn refuse_head(&self, path: &str, fault: HeadFault) -> Response;
}

/// A site that is all router, and whose refusals are all problems (RFC 9457), each with a link to
/// its explanation.
#[derive(Debug)]
pub struct Routed(Router);

impl Routed {
    pub fn with_problems(router: Router) -> Self {
        let linked = async |response: Response| pages::link(response);
        Self(router.layer(axum::middleware::map_response(linked)))
    }
}

impl Site for Routed {
    async fn answer(&self, on: Connection, request: Request<Body>) -> Response {
        routed(&self.0, on, request).await
    }

    fn refuse_head(&self, _: &str, fault: HeadFault) -> Response {
        pages::link(Problem::from(fault).into_response())
    }
}

/// By a router, whose handlers find the [`Connection`] in the request's extensions.
pub(crate) async fn routed(
    router: &Router,
    on: Connection,
    mut request: Request<Body>,
) -> Response {
    request.extensions_mut().insert(on);
    match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
