//! The listener, with a guard that knows a user and a partner.

use super::envoy::{Asked, Said};
use crate::gateway::world::{credentials, guard};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use rescind_core::NetworkSet;
use rescind_guard::Guard;
use rescind_node::Verifier;
use rescind_server::access::Gatekeeper;
use rescind_server::grpc::{Grpc, Limits, MESSAGES_BYTES_MAX};
use rescind_server::http::{self, Listener};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::health_client::HealthClient;

/// Most bytes of a client's body here.
pub(super) const BODY_BYTES_MAX: usize = 4_096;

pub(super) struct House {
    pub(super) address: SocketAddr,
    pub(super) guard: Arc<Guard>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) serving: JoinHandle<()>,
}

/// What a test may want otherwise.
pub(super) struct Wishes {
    pub(super) trusted_peers: &'static [&'static str],
    pub(super) allow_preflight: bool,
    pub(super) allow_min_epoch: bool,
    pub(super) connections_max: usize,
    pub(super) header_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) messages_bytes_max: usize,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            trusted_peers: &["127.0.0.0/8"],
            allow_preflight: false,
            allow_min_epoch: false,
            connections_max: 64,
            header_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(20),
            messages_bytes_max: MESSAGES_BYTES_MAX,
        }
    }
}

impl House {
    pub(super) async fn start() -> Self {
        Self::with(Wishes::default()).await
    }

    pub(super) async fn with(wishes: Wishes) -> Self {
        let Wishes { connections_max, header_timeout, idle_timeout, messages_bytes_max, .. } =
            wishes;
        let guard = guard();
        let verifier = Arc::new(Verifier::alone(Arc::clone(&guard)));
        let (stop, stopped) = watch::channel(false);
        let gatekeeper = Gatekeeper::new(verifier, credentials(), BODY_BYTES_MAX as u64);
        let grpc = Grpc {
            gatekeeper: Arc::new(gatekeeper),
            guard: Arc::clone(&guard),
            trusted_peers: NetworkSet::parse(wishes.trusted_peers.iter().copied()).unwrap(),
            allow_preflight: wishes.allow_preflight,
            allow_min_epoch: wishes.allow_min_epoch,
            stopping: stopped.clone(),
            limits: Limits {
                header_timeout,
                idle_timeout,
                body_bytes_max: BODY_BYTES_MAX,
                messages_bytes_max,
            },
        };
        let limits = http::Limits { connections_max, header_timeout, body_timeout: header_timeout };
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), limits).await.unwrap();
        let address = listener.address().unwrap();
        let serving = tokio::spawn(grpc.serve(listener, stopped));
        Self { address, guard, stop, serving }
    }

    /// A connection of its own.
    pub(super) async fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    pub(super) async fn envoy(&self) -> AuthorizationClient<Channel> {
        AuthorizationClient::new(self.channel().await)
    }

    pub(super) async fn health(&self) -> HealthClient<Channel> {
        HealthClient::new(self.channel().await)
    }

    /// One check on a connection of its own.
    pub(super) async fn check(&self, asked: Asked) -> Said {
        Said::of(self.envoy().await.check(asked.message()).await.unwrap().into_inner())
    }
}
