//! The gateway: a reverse proxy that passes on what it has verified, and nothing else.
//!
//! The naive gateway checks a token, then hands the request to a proxy. It fails where the two, or
//! the program behind them, read the request differently: another path (`/a/../admin`), another
//! body than the signed one, an identity header that the client brought along. So what is checked
//! here and what is sent are the same bytes: the target is never rewritten, a signed body is read
//! whole before the first byte goes upstream, and every header by which somebody else could be told
//! something other is removed.
//!
//! The order of one request: its head (`request_head`), its route (`routes`), its credential and
//! body (`access`), its headers (`client_headers`, `hop_by_hop`, `identity_headers`), the upstream
//! (`forward`). Whatever goes wrong is a `Refusal`, and there is no way around it: `forward` is
//! called in one place, after the access was decided.
//!
//! What it deliberately does not do: normalise, cache, retry a request that may have been seen,
//! balance, or compare paths without case. Scopes by path cannot protect an upstream that takes
//! `/ADMIN` for `/admin`.

mod body;
mod client_headers;
mod forward;
mod forwarded_headers;
mod hop_by_hop;
mod link;
mod pool;
mod refusal;
mod request_head;
mod routes;
mod upgrade;

use crate::access::{self, Gatekeeper, Original, Read, Sight, identity_headers};
use crate::config;
use crate::http::{ClientAddress, Connection};
use arc_swap::ArcSwap;
use axum::body::Body;
use axum::response::IntoResponse;
use body::Outgoing;
use client_headers::ClientHeaders;
pub(crate) use client_headers::fold;
use forward::{Answer, Upstream};
use http::{HeaderMap, Request, Response, StatusCode, Version, header};
use refusal::Refusal;
use rescind_core::Demand;
use rescind_guard::Verified;
use routes::{Access, Routes};
use std::sync::Arc;
use upgrade::{Tunnels, Upgrade};

/// See the module's head.
#[derive(Debug)]
pub struct Gateway {
    /// Replaced as a whole on reload; a request keeps the one that it began with.
    plan: ArcSwap<Plan>,
    gatekeeper: Arc<Gatekeeper>,
    client_headers: ClientHeaders,
    tunnels: Tunnels,
}

#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error("gateway.upstream is not an origin, as http://127.0.0.1:3000")]
    Upstream,
    #[error("the certificate authorities of this machine cannot be used for gateway.upstream")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("gateway.routes: {path}: {fault}")]
    Route { path: String, fault: String },
}

#[derive(Debug)]
struct Plan {
    upstream: Option<Upstream>,
    routes: Routes,
    preserve_host: bool,
    upgrades: Vec<String>,
}

impl Gateway {
    pub fn new(
        config: &config::Gateway,
        gatekeeper: Arc<Gatekeeper>,
    ) -> Result<Self, GatewayError> {
        Ok(Self {
            plan: ArcSwap::from_pointee(Plan::new(config)?),
            client_headers: ClientHeaders::new(gatekeeper.credentials()),
            gatekeeper,
            tunnels: Tunnels::default(),
        })
    }

    /// Follows a changed configuration. If it cannot be followed, nothing changes.
    pub fn reload(&self, config: &config::Gateway) -> Result<(), GatewayError> {
        self.plan.store(Arc::new(Plan::new(config)?));
        self.gatekeeper.set_signed_body_bytes_max(config.signed_body_bytes_max);
        Ok(())
    }

    /// Answers one request, with the upstream's response or a refusal.
    pub async fn handle(
        &self,
        on: Connection,
        client: ClientAddress,
        request: Request<Body>,
    ) -> Response<Body> {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        match self.pass(on, client, request).await {
            Ok(response) => response,
            Err(refusal) => {
                // The path without the query, and no header: both may carry secrets.
                let path = uri.path();
                if refusal.is_upstreams_fault() {
                    tracing::warn!(%method, path, %refusal, "upstream failed");
                } else {
                    tracing::debug!(%method, path, %refusal, "refused");
                }
                refusal.into_problem(&self.gatekeeper).into_response()
            }
        }
    }

    async fn pass(
        &self,
        on: Connection,
        client: ClientAddress,
        request: Request<Body>,
    ) -> Result<Response<Body>, Refusal> {
        let plan = self.plan.load_full();
        let upstream = plan.upstream.as_ref().ok_or(Refusal::NoUpstream)?;
        let (mut parts, body) = request.into_parts();
        let original = request_head::read(&parts)?;
        let (verified, outgoing) = match plan.routes.access(original.path(), &parts.method)? {
            Access::Public => (None, Outgoing::streamed(body, &parts.headers, on.body_timeout)),
            Access::Scopes(scopes) => {
                let demand = Demand { admin: false, scopes, client: client.known() };
                let (verified, outgoing) = self.verify(&original, on, body, &demand).await?;
                (Some(verified), outgoing)
            }
        };
        // Nobody in particular cannot hold a tunnel open.
        let upgrade = match verified {
            Some(_) => Upgrade::asked(&mut parts, &outgoing, &plan.upgrades, &self.tunnels)?,
            None => None,
        };
        self.rewrite_headers(&mut parts.headers, client, &plan, verified.as_ref());
        outgoing.describe(&mut parts.headers);
        if let Some(upgrade) = &upgrade {
            upgrade.ask(&mut parts.headers);
        }
        respond(upstream.send(parts, outgoing).await?, upgrade)
    }

    /// What the client says about itself goes first, then what we know is said: so nothing that it
    /// names in `Connection` can take away a header of ours.
    fn rewrite_headers(
        &self,
        headers: &mut HeaderMap,
        client: ClientAddress,
        plan: &Plan,
        verified: Option<&Verified>,
    ) {
        let host = headers.remove(header::HOST);
        hop_by_hop::strip(headers);
        self.client_headers.strip(headers);
        identity_headers::insert(headers, verified);
        forwarded_headers::insert(headers, client.nearest(), host.as_ref());
        if let Some(host) = host.filter(|_| plan.preserve_host) {
            headers.insert(header::HOST, host);
        }
    }

    /// Who asks, and the body as it may be sent on.
    async fn verify(
        &self,
        original: &Original<'_>,
        on: Connection,
        body: Body,
        demand: &Demand<'_>,
    ) -> Result<(Verified, Outgoing), access::Refusal> {
        let patience = on.body_timeout;
        let reading = self.gatekeeper.verify_reading(original, patience, body, Sight::Own, demand);
        let (verified, read) = reading.await?;
        let outgoing = match read {
            Read::Untouched(body) => Outgoing::streamed(body, original.headers(), patience),
            Read::Whole(bytes) => Outgoing::whole(bytes, original.headers()),
        };
        Ok((verified, outgoing))
    }
}

impl Plan {
    fn new(config: &config::Gateway) -> Result<Self, GatewayError> {
        Ok(Self {
            upstream: Upstream::new(config)?,
            routes: Routes::compile(&config.routes)?,
            preserve_host: config.preserve_host,
            upgrades: config.upgrades.clone(),
        })
    }
}

/// The upstream's answer. Its own `X-Rescind-*` headers stay: they are what it says to its client,
/// and nobody decides anything by them.
fn respond(answer: Answer, upgrade: Option<Upgrade>) -> Result<Response<Body>, Refusal> {
    if answer.response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return upgrade.ok_or(Refusal::UnaskedUpgrade)?.tie(answer.switch());
    }
    let mut response = answer.into_response();
    hop_by_hop::strip(response.headers_mut());
    // The version is a matter of each connection (RFC 9110 §2.5).
    *response.version_mut() = Version::HTTP_11;
    Ok(response)
}
