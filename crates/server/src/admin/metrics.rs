//! `GET /metrics`, in the text format of Prometheus (0.0.4).
//!
//! It counts what belongs to all tenants together, so it asks for a token as `/v1/cluster` does, of
//! an operator without a tenant. A node without a lease can accept no token, and that is when its
//! metrics are wanted most: it then says to whoever shows one what `/health` says to anybody, and no
//! more. No label holds a name that somebody has chosen.

use super::Admin;
use super::caller::{Caller, ReadAll};
use crate::http::{Problem, no_store};
use crate::service::{Probe, Services};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use prometheus_client::encoding::prometheus_text::{self, CONTENT_TYPE};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use rescind_node::cluster::Direct;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::default().routes(routes!(metrics))
}

/// Show what is measured.
///
/// For Prometheus. While the node has no lease it cannot know the token, and shows only that.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "Server",
    responses((
        status = 200,
        description = "The text format of Prometheus, version 0.0.4.",
        body = String,
        content_type = "text/plain",
    )),
    security(("admin_token" = ["read"])),
)]
async fn metrics(
    State(admin): State<Arc<Admin>>,
    caller: Result<Caller<ReadAll>, Problem>,
) -> Result<Response, Problem> {
    let services = &admin.services;
    let mut registry = Registry::with_prefix("rescind");
    lease(&mut registry, services);
    match caller {
        Ok(_) => everything(&mut registry, services),
        Err(problem) if is_sealed(&problem, services) => {}
        Err(problem) => return Err(problem),
    }
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry).map_err(|_| Problem::unavailable())?;
    let mut response = no_store(text.into_response());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    Ok(response)
}

/// Whether the token was neither accepted nor refused because no token can be.
fn is_sealed(problem: &Problem, services: &Services) -> bool {
    problem.status() == StatusCode::SERVICE_UNAVAILABLE && !services.guard.is_open()
}

/// What a sealed node says too.
fn lease(registry: &mut Registry, services: &Services) {
    let open = services.guard.is_open();
    let remaining = match services.guard.lease_remaining_millis() {
        Some(millis) => std::time::Duration::from_millis(millis).as_secs_f64(),
        None if open => f64::INFINITY,
        None => 0.0,
    };
    registry.register(
        "sealed",
        "Whether this node can neither accept nor refuse a token now",
        ConstGauge::new(i64::from(!open)),
    );
    registry.register(
        "lease_remaining_seconds",
        "What is left of this node's lease; infinite if it cannot lapse",
        ConstGauge::new(remaining),
    );
}

fn everything(registry: &mut Registry, services: &Services) {
    let applied = services.guard.applied_epoch();
    let (head, nodes) = services.cluster.as_ref().map_or((applied, 1), |all| all.last_seen());
    let mut gauge = |name: &str, help: &str, value: u64| {
        registry.register(name, help, ConstGauge::new(value));
    };
    gauge("epoch_applied", "Number of the last change that this node has applied", applied);
    gauge(
        "epoch_lag",
        "Changes that this node had not applied of those that there were at its last look",
        head.saturating_sub(applied),
    );
    gauge("nodes", "Nodes that held a lease, or were not yet known to hold none", nodes as u64);
    if let Some(direct) = services.cluster.as_ref().and_then(|cluster| cluster.direct()) {
        let Direct { others, rung, hearing } = direct;
        gauge("other_nodes", "Nodes besides this one", others as u64);
        gauge("nodes_rung", "Nodes that hear directly what this one has committed", rung as u64);
        gauge(
            "nodes_hearing",
            "Nodes that hear directly what this one has applied",
            hearing as u64,
        );
    }
    gauge("tokens", "Tokens in memory", services.guard.index().tokens() as u64);
    registry.register(
        "revocation_seconds",
        "Time from a revocation's request until it holds on every node",
        services.revocation_times.by_outcome(),
    );
    if services.probe.is_on() {
        probe(registry, &services.probe);
    }
    let done = services.verifier.verifications();
    registry.register(
        "verifications",
        "Credentials that were looked up",
        counted([
            ("accepted", done.accepted),
            ("refused", done.refused),
            ("unanswered", done.unanswered),
        ]),
    );
    let fetches = services.verifier.fetches().unwrap_or_default();
    registry.register(
        "fetches",
        "Tokens that memory did not know, and that were looked for in the database",
        counted([
            ("known", fetches.known),
            ("revoked", fetches.revoked),
            ("unknown", fetches.unknown),
            ("refused", fetches.refused),
            ("failed", fetches.failed),
        ]),
    );
}

fn probe(registry: &mut Registry, probe: &Probe) {
    registry.register("probe_runs", "Runs of the probe of cluster.probe", probe.runs.clone());
    registry.register(
        "probe_last_revocation_seconds",
        "How long the revocation of its last run took to hold on every node",
        probe.last.clone(),
    );
    registry.register(
        "probe_worst_revocation_seconds",
        "The longest that one took since the start",
        probe.worst.clone(),
    );
    registry.register(
        "probe_nodes_acknowledged",
        "Nodes that have acknowledged the last one",
        probe.acknowledged.clone(),
    );
}

type ByResult = Family<[(&'static str, &'static str); 1], Counter>;

fn counted<const N: usize>(results: [(&'static str, u64); N]) -> ByResult {
    let family = ByResult::default();
    for (result, count) in results {
        family.get_or_create(&[("result", result)]).inc_by(count);
    }
    family
}
