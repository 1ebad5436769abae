//! Who may ask: proxies that are trusted to tell of a client's request as it was. Whoever else
//! could ask would choose the client's network for a stolen token.

use crate::http::Connection;
use rescind_core::NetworkSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tonic::service::Interceptor;
use tonic::{Request, Status};

#[derive(Clone, Debug)]
pub(super) struct TrustedPeers {
    networks: Arc<NetworkSet>,
    /// The hint is for whoever sets this up, not for a log that is filled by strangers.
    hinted: Arc<AtomicBool>,
}

impl TrustedPeers {
    pub(super) fn new(networks: NetworkSet) -> Self {
        Self { networks: Arc::new(networks), hinted: Arc::default() }
    }

    fn hint(&self, peer: Option<IpAddr>) {
        if !self.hinted.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                ?peer,
                "refused a check by a peer that is not in verify.trusted_peers (said once)"
            );
        }
    }
}

/// Asked before a byte of the message is read.
impl Interceptor for TrustedPeers {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let peer = request.extensions().get().map(|on: &Connection| on.peer.ip().to_canonical());
        if peer.is_some_and(|peer| self.networks.contains(peer)) {
            return Ok(request);
        }
        self.hint(peer);
        Err(Status::permission_denied("this peer is not among the trusted ones"))
    }
}
