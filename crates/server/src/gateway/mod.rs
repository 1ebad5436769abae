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
//! body (the guard), its headers (`client_headers`, `hop_by_hop`, `identity_headers`), the upstream
//! (`forward`). Whatever goes wrong is a `Refusal`, and there is no way around it: `forward` is
//! called in one place, after the access was decided.
//!
//! What it deliberately does not do: normalise, cache, retry a request that may have been seen,
//! balance, believe what a proxy in front says of the client, or compare paths without case. Scopes
//! by path cannot protect an upstream that takes `/ADMIN` for `/admin`.

mod body;
mod client_headers;
mod forward;
mod forwarded_headers;
mod hop_by_hop;
mod identity_headers;
mod refusal;
mod request_head;
mod routes;
mod upgrade;

use crate::config;
use arc_swap::ArcSwap;
use axum::body::Body;
use axum::response::IntoResponse;
use body::Outgoing;
use client_headers::ClientHeaders;
use forward::Upstream;
use http::{HeaderMap, Request, Response, StatusCode, Version, header, request::Parts};
use hyper::body::Incoming;
use refusal::{Challenges, Refusal};
use rescind_core::signature::SignedRequest;
use rescind_core::{Demand, Presented, SignedHeaders};
use rescind_guard::credentials::CredentialHeaders;
use rescind_guard::{Guard, Verified};
use routes::{Access, Routes};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;
use upgrade::{Tunnels, Upgrade};

/// See the module's head.
#[derive(Debug)]
pub struct Gateway {
    /// Replaced as a whole on reload; a request keeps the one that it began with.
    plan: ArcSwap<Plan>,
    guard: Arc<Guard>,
    credentials: CredentialHeaders,
    client_headers: ClientHeaders,
    challenges: Challenges,
    tunnels: Tunnels,
    /// KiB that signed bodies may still take together while they are read.
    signed_bodies: Semaphore,
}

/// What all signed bodies may take together, in KiB, before their signatures are known: key ids are
/// no secret, so whoever has one could make us hold a body for each connection.
const SIGNED_BODIES_KIB_MAX: u32 = 128 * 1024;

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
    signed_body_bytes_max: usize,
    preserve_host: bool,
    upgrades: Vec<String>,
}

impl Gateway {
    pub fn new(
        config: &config::Gateway,
        credentials: CredentialHeaders,
        guard: Arc<Guard>,
    ) -> Result<Self, GatewayError> {
        Ok(Self {
            plan: ArcSwap::from_pointee(Plan::new(config)?),
            guard,
            client_headers: ClientHeaders::new(&credentials),
            challenges: Challenges::new(&credentials),
            credentials,
            tunnels: Tunnels::default(),
            signed_bodies: Semaphore::new(SIGNED_BODIES_KIB_MAX as usize),
        })
    }

    /// Follows a changed configuration. If it cannot be followed, nothing changes.
    pub fn reload(&self, config: &config::Gateway) -> Result<(), GatewayError> {
        self.plan.store(Arc::new(Plan::new(config)?));
        Ok(())
    }

    /// Answers one request that came from `peer`, with the upstream's response or a refusal.
    pub async fn handle(&self, peer: SocketAddr, request: Request<Body>) -> Response<Body> {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        match self.pass(peer, request).await {
            Ok(response) => response,
            Err(refusal) => {
                // The path without the query, and no header: both may carry secrets.
                let path = uri.path();
                if refusal.is_upstreams_fault() {
                    tracing::warn!(%method, path, %refusal, "upstream failed");
                } else {
                    tracing::debug!(%method, path, %refusal, "refused");
                }
                refusal.into_problem(&self.challenges).into_response()
            }
        }
    }

    async fn pass(
        &self,
        peer: SocketAddr,
        request: Request<Body>,
    ) -> Result<Response<Body>, Refusal> {
        let plan = self.plan.load_full();
        let upstream = plan.upstream.as_ref().ok_or(Refusal::NoUpstream)?;
        let (mut parts, body) = request.into_parts();
        let path = request_head::check(&parts)?;
        let access = plan.routes.access(&path, &parts.method)?;
        let (verified, outgoing) = match access {
            Access::Public => (None, Outgoing::streamed(body, &parts)),
            Access::Scopes(scopes) => {
                let demand = Demand { admin: false, scopes };
                let (verified, outgoing) = self.verify(&plan, &parts, body, &demand).await?;
                (Some(verified), outgoing)
            }
        };
        // Nobody in particular cannot hold a tunnel open.
        let upgrade = match verified {
            Some(_) => Upgrade::asked(&mut parts, &outgoing, &plan.upgrades, &self.tunnels)?,
            None => None,
        };
        self.rewrite_headers(&mut parts.headers, peer, &plan, verified.as_ref());
        outgoing.describe(&mut parts.headers);
        if let Some(upgrade) = &upgrade {
            upgrade.ask(&mut parts.headers);
        }
        let response = upstream.send(parts, outgoing).await?;
        respond(response, upgrade)
    }

    /// What the client says about itself goes first, then what we know is said: so nothing that it
    /// names in `Connection` can take away a header of ours.
    fn rewrite_headers(
        &self,
        headers: &mut HeaderMap,
        peer: SocketAddr,
        plan: &Plan,
        verified: Option<&Verified>,
    ) {
        let host = headers.remove(header::HOST);
        hop_by_hop::strip(headers);
        self.client_headers.strip(headers);
        identity_headers::insert(headers, verified);
        forwarded_headers::insert(headers, peer, host.as_ref());
        if let Some(host) = host.filter(|_| plan.preserve_host) {
            headers.insert(header::HOST, host);
        }
    }

    /// Who asks, and the body as it may be sent on.
    async fn verify(
        &self,
        plan: &Plan,
        parts: &Parts,
        body: Body,
        demand: &Demand<'_>,
    ) -> Result<(Verified, Outgoing), Refusal> {
        match self.credentials.read(&parts.headers)?.ok_or(Refusal::NoCredential)? {
            Presented::Bearer(text) => {
                let verified =
                    self.guard.bearer(text, demand).map_err(|r| Refusal::of(r, demand))?;
                Ok((verified, Outgoing::streamed(body, parts)))
            }
            Presented::Signed(signed) => {
                self.verify_signed(plan, parts, &signed, body, demand).await
            }
        }
    }

    /// Reads the body first, because the signature covers it, but only for a caller that may yet be
    /// right.
    async fn verify_signed(
        &self,
        plan: &Plan,
        parts: &Parts,
        signed: &SignedHeaders<'_>,
        body: Body,
        demand: &Demand<'_>,
    ) -> Result<(Verified, Outgoing), Refusal> {
        let refusal = |r| Refusal::of(r, demand);
        self.guard.signed_is_hopeless(signed).map_err(refusal)?;
        // The coding's name is not signed: whoever changes it changes what the signed bytes mean,
        // and a few of them may unfold to gigabytes behind us.
        if parts.headers.contains_key(header::CONTENT_ENCODING) {
            return Err(Refusal::ContentCoding);
        }
        let room = body::kib_at_most(&body, plan.signed_body_bytes_max).min(SIGNED_BODIES_KIB_MAX);
        let _room = self.signed_bodies.try_acquire_many(room).map_err(|_| Refusal::NoRoom)?;
        let bytes = body::read_whole(parts, body, plan.signed_body_bytes_max).await?;
        let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
        let request = SignedRequest { method: parts.method.as_str(), target, body: &bytes };
        let verified = self.guard.signed(signed, &request, demand).map_err(refusal)?;
        Ok((verified, Outgoing::whole(bytes, &parts.headers)))
    }
}

impl Plan {
    fn new(config: &config::Gateway) -> Result<Self, GatewayError> {
        Ok(Self {
            upstream: Upstream::new(config)?,
            routes: Routes::compile(&config.routes)?,
            signed_body_bytes_max: usize::try_from(config.signed_body_bytes_max)
                .unwrap_or(usize::MAX),
            preserve_host: config.preserve_host,
            upgrades: config.upgrades.clone(),
        })
    }
}

/// The upstream's answer. Its own `X-Rescind-*` headers stay: they are what it says to its client,
/// and nobody decides anything by them.
fn respond(
    response: Response<Incoming>,
    upgrade: Option<Upgrade>,
) -> Result<Response<Body>, Refusal> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return upgrade.ok_or(Refusal::UnaskedUpgrade)?.tie(response);
    }
    let (mut parts, body) = response.into_parts();
    hop_by_hop::strip(&mut parts.headers);
    // The version is a matter of each connection (RFC 9110 §2.5).
    parts.version = Version::HTTP_11;
    Ok(Response::from_parts(parts, Body::new(body)))
}
