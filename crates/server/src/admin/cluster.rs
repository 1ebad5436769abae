//! `GET /v1/cluster`: every node, as the rows say it that they renew.

use super::Admin;
use super::caller::{Caller, ReadAll};
use crate::http::{Problem, no_store};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use rescind_node::cluster::{Direct, NodeView};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::default().routes(routes!(show))
}

/// All nodes over one database, as this one sees them.
#[derive(Serialize, ToSchema)]
struct Cluster {
    /// This node's name; null on the only node that there is.
    #[schema(required)]
    node: Option<String>,
    /// Whether this node can neither accept nor refuse a token now.
    sealed: bool,
    /// What is left of this node's lease; null if it has none, or one that cannot lapse.
    #[schema(minimum = 0, required)]
    lease_remaining_ms: Option<u64>,
    /// Number of the last change that this node has applied.
    #[schema(minimum = 0)]
    applied: u64,
    /// Null if this node listens for no other.
    #[schema(required)]
    direct: Option<DirectView>,
    /// Every node that holds a lease, or did when it was last heard of. Empty on the only node.
    nodes: Vec<Node>,
}

/// Direct connections, by which a revocation takes the short way.
#[derive(Serialize, ToSchema)]
#[schema(as = DirectConnections)]
struct DirectView {
    /// How many other nodes there are.
    #[schema(minimum = 0)]
    others: usize,
    /// To how many of them this node says directly what it has committed.
    #[schema(minimum = 0)]
    rung: usize,
    /// How many of them hear directly what this node has applied.
    #[schema(minimum = 0)]
    hearing: usize,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ClusterNode)]
struct Node {
    node: String,
    /// One life of that node, drawn at random at its start.
    incarnation: String,
    /// How long its leases last.
    #[schema(minimum = 0)]
    lease_ms: u64,
    /// Number of the last change that it is known to have applied.
    #[schema(minimum = 0)]
    applied: u64,
    /// How many changes that is behind the newest.
    #[schema(minimum = 0)]
    behind: u64,
    /// How often it has renewed its lease in this life.
    #[schema(minimum = 0)]
    renewals: u64,
}

/// Show the nodes of this server.
#[utoipa::path(
    get,
    path = "/v1/cluster",
    operation_id = "cluster",
    tag = "Server",
    responses((status = 200, description = "Every node.", body = Cluster)),
    security(("admin_token" = ["read"])),
)]
async fn show(State(admin): State<Arc<Admin>>, _: Caller<ReadAll>) -> Result<Response, Problem> {
    let services = &admin.services;
    let (node, nodes) = match &services.cluster {
        Some(cluster) => (Some(cluster.name().to_owned()), cluster.nodes().await?),
        None => (None, Vec::new()),
    };
    let body = Cluster {
        node,
        sealed: !services.guard.is_open(),
        lease_remaining_ms: services.guard.lease_remaining_millis(),
        applied: services.guard.applied_epoch(),
        direct: services.cluster.as_ref().and_then(|cluster| cluster.direct()).map(Into::into),
        nodes: nodes.into_iter().map(Node::from).collect(),
    };
    Ok(no_store(axum::Json(body).into_response()))
}

impl From<Direct> for DirectView {
    fn from(Direct { others, rung, hearing }: Direct) -> Self {
        Self { others, rung, hearing }
    }
}

impl From<NodeView> for Node {
    fn from(node: NodeView) -> Self {
        let NodeView { node, incarnation, lease_ms, applied, behind, renewals } = node;
        let incarnation = format!("{incarnation:016x}");
        Self { node, incarnation, lease_ms, applied, behind, renewals }
    }
}
