//! The address for Envoy's gRPC: off unless it is given.

use super::listeners::{CONNECTIONS_MAX, Listener, check_timeout};
use super::{Faults, duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, time::Duration};

/// Envoy's external authorization over gRPC, and gRPC health. Who may ask is
/// `verify.trusted_peers`; `verify.allow_preflight` and `verify.allow_min_epoch` hold here too.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Grpc {
    /// Address and port, as `127.0.0.1:8083` or `[::1]:8083`. Port 0 picks a free one. Without it
    /// gRPC is off.
    pub listen: Option<SocketAddr>,
    /// Most connections open at once; further ones wait unaccepted.
    pub connections_max: u32,
    /// How long a peer may take from connecting to its first request, and to send a request whole.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub header_timeout: Duration,
    /// How long a connection may stay without an open request.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub idle_timeout: Duration,
}

impl Default for Grpc {
    fn default() -> Self {
        Self {
            listen: None,
            connections_max: 1024,
            header_timeout: Duration::from_secs(10),
            // Envoy keeps connections for as long as it may; a proxy with little to do is no fault.
            idle_timeout: Duration::from_mins(10),
        }
    }
}

impl Grpc {
    /// What it has in common with the others, if it is on.
    pub fn listener(&self) -> Option<Listener> {
        let &Self { listen, connections_max, header_timeout, .. } = self;
        let body_timeout = header_timeout;
        listen.map(|listen| Listener { listen, connections_max, header_timeout, body_timeout })
    }

    pub(super) fn validate(&self, faults: &mut Faults) {
        if !(1..=CONNECTIONS_MAX).contains(&self.connections_max) {
            faults.add("grpc.connections_max", format!("must be from 1 to {CONNECTIONS_MAX}"));
        }
        check_timeout(faults, "grpc.header_timeout", self.header_timeout);
        check_timeout(faults, "grpc.idle_timeout", self.idle_timeout);
    }
}
