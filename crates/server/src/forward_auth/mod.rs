//! Forward-auth: a proxy asks, before it passes a request on, whether it may. 200 says yes, and who
//! asks, in headers that the proxy hands to the API; every other status says no.
//!
//! The naive endpoint takes the original path from whichever header is there, and what it asks for
//! from its own query. Both are the client's to choose: each proxy passes on the header names of
//! the others, and some append the client's query to ours. So a proxy's profile, and the scopes
//! that are needed, stand in the *path*, which its operator wrote; a profile reads its own headers,
//! each exactly once, and no others (`profile`, `told`); our own query is never looked at. Only the
//! proxies that the configuration names are believed at all.
//!
//! | Path below `/v1/forward-auth` | Asks for |
//! | --- | --- |
//! | `/{nginx,caddy,traefik,haproxy}` | any valid token |
//! | the same, then `/require/{scopes}` | a token with all of them; separated by commas |
//! | `/envoy/any/{original…}` | any valid token; Envoy appends path and query |
//! | `/envoy/require/{scopes}/{original…}` | a token with all of them |
//!
//! What it deliberately does not do: wait for a body where none comes, guess a profile, cache, or
//! answer anything but 200 for yes (to Envoy a 204 is a no that looks like a yes).

mod answer;
mod body;
pub(crate) mod preflight;
mod profile;
mod refusal;
mod route;
mod told;

use crate::access::{Gatekeeper, Original, Sight, min_epoch};
use crate::http::fast_path::{Answer, Listed};
use crate::http::{Connection, Head};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use http::Request;
use http::uri::PathAndQuery;
use profile::Bodies;
use refusal::Refusal;
use rescind_core::signature::Content;
use rescind_core::{Demand, NetworkSet};
use rescind_guard::{Fields, Verified};
use route::Route;
use std::sync::Arc;

#[derive(Debug)]
pub struct ForwardAuth {
    pub gatekeeper: Arc<Gatekeeper>,
    /// Who may ask, and is believed.
    pub trusted_peers: NetworkSet,
    /// Whether CORS preflights pass without a credential.
    pub allow_preflight: bool,
    /// Whether `X-Rescind-Min-Epoch` is looked at, which may be the client's own.
    pub allow_min_epoch: bool,
}

pub fn router(forward_auth: Arc<ForwardAuth>) -> Router {
    let asked = format!("{}{{*asked}}", route::PREFIX);
    Router::new().route(&asked, any(handle)).with_state(forward_auth)
}

async fn handle(
    State(this): State<Arc<ForwardAuth>>,
    Extension(on): Extension<Connection>,
    request: Request<Body>,
) -> Response {
    this.answer(on, request).await
}

impl ForwardAuth {
    /// Whether this is a path that [`router`] has a route for.
    pub(crate) fn is_asked(path: &str) -> bool {
        path.strip_prefix(route::PREFIX).is_some_and(|asked| !asked.is_empty())
    }

    pub(crate) async fn answer(&self, on: Connection, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or("", PathAndQuery::as_str);
        let Some(route) = Route::of(target) else {
            return answer::no_such_profile();
        };
        let hangs = body::is_announced_in_vain(&route, &body);
        let asked = Head { method: parts.method.as_str(), target, fields: &parts.headers };
        let mut response = match self.decide(&route, on, &asked, body).await {
            Ok(verified) => answer::allow(verified.as_ref(), parts.headers),
            Err(refusal) => self.deny(&route, &asked, refusal),
        };
        if hangs {
            answer::close(&mut response);
        }
        response
    }

    /// The same of a question without a body, if it is one of ours.
    pub async fn answer_head(
        &self,
        on: Connection,
        asked: &Head<'_, Listed<'_>>,
        answer: &mut Answer,
    ) -> bool {
        let Some(route) = Route::of(asked.target) else { return false };
        match self.decide(&route, on, asked, Body::empty()).await {
            Ok(verified) => answer::write_allow(verified.as_ref(), answer),
            Err(refusal) => answer.whole(self.deny(&route, asked, refusal)).await,
        }
        true
    }

    /// What a proxy's operator must mend is said aloud; what a client did wrong is not.
    fn deny(&self, route: &Route<'_>, asked: &Head<'_, impl Fields>, refusal: Refusal) -> Response {
        // The path without the query, and no header: both may carry secrets.
        let path = asked.target.split('?').next();
        let profile = route.profile.name;
        match refusal.hint() {
            Some(hint) => {
                tracing::warn!(profile, path, %refusal, hint, "forward-auth is set up wrongly")
            }
            None => tracing::debug!(profile, path, %refusal, "refused"),
        }
        answer::deny(route.profile, refusal.into_problem(&self.gatekeeper))
    }

    /// `None` is a preflight: nobody in particular.
    async fn decide(
        &self,
        route: &Route<'_>,
        on: Connection,
        asked: &Head<'_, impl Fields>,
        body: Body,
    ) -> Result<Option<Verified>, Refusal> {
        if !self.trusted_peers.contains(on.peer.ip()) {
            return Err(Refusal::UntrustedPeer);
        }
        let (scopes, own_target) = route.wanted()?;
        let original = told::original(route.profile, own_target, asked)?;
        let client = told::client(route.profile, asked.fields, &self.trusted_peers)?;
        let credentials = self.gatekeeper.credentials();
        if self.allow_preflight && preflight::is_one(&original, credentials) {
            return Ok(None);
        }
        if self.allow_min_epoch {
            min_epoch::wait(self.gatekeeper.verifier(), asked.fields).await?;
        }
        let demand = Demand { admin: false, scopes: &scopes, client };
        self.verify(route, &original, on, body, &demand).await.map(Some)
    }

    async fn verify(
        &self,
        route: &Route<'_>,
        original: &Original<'_, impl Fields>,
        on: Connection,
        body: Body,
        demand: &Demand<'_>,
    ) -> Result<Verified, Refusal> {
        if let Bodies::Never { .. } = route.profile.bodies {
            return Ok(self.gatekeeper.verify(original, Content::Unseen, demand).await?);
        }
        if told::is_partial(original.headers()) {
            return Err(Refusal::PartialBody);
        }
        let patience = on.body_timeout;
        let body = body::read_to_its_end(original.headers(), body, patience);
        let reading = self.gatekeeper.verify_reading(original, patience, body, Sight::Copy, demand);
        Ok(reading.await?.0)
    }
}
