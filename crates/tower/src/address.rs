//! Where a request comes from, for tokens that may be used only from some networks.

use http::request::Parts;
use rescind_core::NetworkSet;
use std::net::IpAddr;

/// The client's address, as an extension that a service's own layer puts into the request: for
/// servers whose record of the peer is not known here, or whose proxies say it in another way.
///
/// It is believed before everything else, so nothing that a client sends may become one unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientIp(pub IpAddr);

/// `None` where nobody who is trusted says it.
pub(crate) fn client(parts: &Parts, trusted_proxies: &NetworkSet) -> Option<IpAddr> {
    match parts.extensions.get() {
        Some(ClientIp(address)) => Some(address.to_canonical()),
        None => connected(parts, trusted_proxies),
    }
}

#[cfg(feature = "axum")]
fn connected(parts: &Parts, trusted_proxies: &NetworkSet) -> Option<IpAddr> {
    use axum::extract::ConnectInfo;
    use std::net::SocketAddr;
    let ConnectInfo(peer) = *parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    rescind_access::client_address(peer, &parts.headers, trusted_proxies).known()
}

#[cfg(not(feature = "axum"))]
fn connected(_parts: &Parts, _trusted_proxies: &NetworkSet) -> Option<IpAddr> {
    None
}
