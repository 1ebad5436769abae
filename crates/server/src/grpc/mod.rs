//! Envoy's external authorization over gRPC: `envoy.service.auth.v3.Authorization/Check`, and
//! `grpc.health.v1.Health` beside it, on an address of their own.
//!
//! Over gRPC Envoy tells of the client's request in typed fields (method, path with query, headers,
//! body, peer), so that nothing depends on which headers a filter lets through, as it does over
//! HTTP. Which scopes a route asks for stands in the route's `context_extensions`, which no client
//! can write.
//!
//! A `CheckResponse` in which nothing is set is a yes: its status is zero, which is `OK`. So
//! answers are made in one place (`answer`), and whatever we can answer at all we answer with a
//! denial, also when this node must not say yes or no: a gRPC error is left to Envoy's
//! `failure_mode_allow`, and some set it. Errors are only what comes before the message has been
//! read: an untrusted peer, a message that is too long, too slow or none at all.
//!
//! What it deliberately does not do: TLS (the address is for the inside, as the verify listener's),
//! reflection, compression.

mod answer;
mod check;
mod connection;
mod health;
mod peers;
mod refusal;
mod room;
mod told;

pub use connection::{HEADER_LIST_BYTES_MAX, STREAMS_MAX};
pub use health::WATCHERS_MAX;

use crate::access::Gatekeeper;
use crate::http::Listener;
use check::Checks;
use connection::Site;
use envoy_types::ext_authz::v3::pb::AuthorizationServer;
use peers::TrustedPeers;
use rescind_core::NetworkSet;
use rescind_guard::Guard;
use room::Room;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;

/// Most bytes of a message besides the client's body: headers (Envoy takes 60 KiB unless told
/// otherwise), certificates, metadata of other filters.
pub const ATTRIBUTES_BYTES_MAX: usize = 256 * 1024;
/// Most bytes of all messages together, while they are read and decided about.
pub const MESSAGES_BYTES_MAX: usize = 128 * 1024 * 1024;

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From connecting to the first request, and from a request's head to its end.
    pub header_timeout: Duration,
    /// How long a connection may have no request open.
    pub idle_timeout: Duration,
    /// Most bytes of a client's body in a message.
    pub body_bytes_max: usize,
    /// [`MESSAGES_BYTES_MAX`], but in tests.
    pub messages_bytes_max: usize,
}

/// See the module's head.
#[derive(Debug)]
pub struct Grpc {
    pub gatekeeper: Arc<Gatekeeper>,
    pub guard: Arc<Guard>,
    pub trusted_peers: NetworkSet,
    pub allow_preflight: bool,
    pub allow_min_epoch: bool,
    /// True from when the server was told to stop, which may be before it takes no more requests.
    pub stopping: watch::Receiver<bool>,
    pub limits: Limits,
}

impl Grpc {
    /// Serves until `stop` turns true, then lets requests in flight finish.
    pub async fn serve(self, listener: Listener, stop: watch::Receiver<bool>) {
        let site = self.site();
        listener.serve_each(stop, |accepted| connection::serve(accepted, site.clone())).await;
    }

    fn site(self) -> Site {
        let Self { gatekeeper, guard, trusted_peers, stopping, limits, .. } = self;
        let (allow_preflight, allow_min_epoch) = (self.allow_preflight, self.allow_min_epoch);
        let message_bytes_max = ATTRIBUTES_BYTES_MAX.saturating_add(limits.body_bytes_max);
        let checks =
            AuthorizationServer::new(Checks { gatekeeper, allow_preflight, allow_min_epoch })
                .max_decoding_message_size(message_bytes_max);
        let checks = InterceptedService::new(checks, TrustedPeers::new(trusted_peers));
        let health = health::server::<AuthorizationServer<Checks>>(guard, stopping);
        let router = Routes::new(checks).add_service(health).prepare().into_axum_router();
        Site { router, room: Room::new(limits.messages_bytes_max), limits }
    }
}
