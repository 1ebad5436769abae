//! Upgraded connections (RFC 9110 §7.8): a WebSocket through the gateway.
//!
//! Not a byte of the new protocol passes before the upstream's 101: what a client sends too early
//! stays in its connection's buffer, to be read as the next request if the answer is another. A
//! protocol that the configuration does not name is not passed on, and the request goes its way as
//! plain HTTP, which is what the RFC gives a server that does not know it.

use super::body::Outgoing;
use super::refusal::Refusal;
use axum::body::Body;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, Version, header};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most tunnels at once. Each holds two descriptors for as long as both sides wish.
const TUNNELS_MAX: usize = 4096;

#[derive(Debug)]
pub(super) struct Tunnels(Arc<Semaphore>);

impl Default for Tunnels {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(TUNNELS_MAX)))
    }
}

/// An upgrade that a client asks for and may have.
#[derive(Debug)]
pub(super) struct Upgrade {
    protocols: Vec<String>,
    client: OnUpgrade,
    place: OwnedSemaphorePermit,
}

impl Upgrade {
    /// `None` if nothing is asked for, or nothing that may be had.
    pub(super) fn asked(
        parts: &mut Parts,
        outgoing: &Outgoing,
        allowed: &[String],
        tunnels: &Tunnels,
    ) -> Result<Option<Self>, Refusal> {
        let protocols = protocols(&parts.headers, allowed);
        // A body and the new protocol's bytes could be taken for each other.
        if protocols.is_empty() || !outgoing.is_empty() {
            return Ok(None);
        }
        // hyper gives it to HTTP/1.1 requests only: in an older one `Upgrade` is to be ignored.
        let Some(client) = parts.extensions.remove() else { return Ok(None) };
        let place = Arc::clone(&tunnels.0).try_acquire_owned().map_err(|_| Refusal::Tunnels)?;
        Ok(Some(Self { protocols, client, place }))
    }

    /// Asks the upstream for it, in headers of our own connection to it.
    pub(super) fn ask(&self, headers: &mut HeaderMap) {
        if let Ok(protocols) = HeaderValue::from_str(&self.protocols.join(", ")) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, protocols);
        }
    }

    /// Ties the two connections together, after the upstream's 101.
    pub(super) fn tie(self, mut response: Response<Incoming>) -> Result<Response<Body>, Refusal> {
        let chosen = response.headers().get(header::UPGRADE).cloned();
        let chosen = chosen.filter(|name| self.protocols.iter().any(|asked| is_named(name, asked)));
        let chosen = chosen.ok_or(Refusal::UnaskedUpgrade)?;
        let upstream = hyper::upgrade::on(&mut response);
        tokio::spawn(carry(self.client, upstream, self.place));
        let (mut parts, _) = response.into_parts();
        super::hop_by_hop::strip(&mut parts.headers);
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        parts.headers.insert(header::UPGRADE, chosen);
        parts.version = Version::HTTP_11;
        Ok(Response::from_parts(parts, Body::empty()))
    }
}

/// Both ways, until both sides have ended or one has failed.
async fn carry(client: OnUpgrade, upstream: OnUpgrade, place: OwnedSemaphorePermit) {
    match tokio::try_join!(client, upstream) {
        Ok((client, upstream)) => {
            let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
            let ended = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
            tracing::debug!(failed = ended.is_err(), "tunnel ended");
        }
        Err(error) => tracing::debug!(%error, "tunnel was not opened"),
    }
    drop(place);
}

/// What the client asks for and the configuration names, in the client's order. `Upgrade` counts
/// only if `Connection` names it.
fn protocols(headers: &HeaderMap, allowed: &[String]) -> Vec<String> {
    if !list(headers, &header::CONNECTION).any(|name| name.eq_ignore_ascii_case("upgrade")) {
        return Vec::new();
    }
    let asked = list(headers, &header::UPGRADE);
    asked
        .filter(|name| allowed.iter().any(|known| known.eq_ignore_ascii_case(name)))
        .map(Into::into)
        .collect()
}

fn list<'h>(headers: &'h HeaderMap, name: &header::HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

fn is_named(value: &HeaderValue, protocol: &str) -> bool {
    value.as_bytes().eq_ignore_ascii_case(protocol.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use std::time::Duration;

    fn ask(tunnels: &Tunnels) -> Result<Option<Upgrade>, Refusal> {
        let request = Request::get("/chat").header("connection", "upgrade");
        let mut request = request.header("upgrade", "websocket").body(Body::empty()).unwrap();
        let client = hyper::upgrade::on(&mut request);
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(client);
        let outgoing = Outgoing::streamed(body, &parts.headers, Duration::MAX);
        Upgrade::asked(&mut parts, &outgoing, &["websocket".to_owned()], tunnels)
    }

    #[test]
    fn last_tunnel_opens_the_next_is_refused_and_an_ended_one_makes_room() {
        let tunnels = Tunnels::default();
        let others = u32::try_from(TUNNELS_MAX - 1).unwrap();
        let _others = Arc::clone(&tunnels.0).try_acquire_many_owned(others).unwrap();
        let last = ask(&tunnels).unwrap();
        assert!(last.is_some());
        assert!(matches!(ask(&tunnels), Err(Refusal::Tunnels)));
        drop(last);
        assert!(ask(&tunnels).unwrap().is_some());
    }
}
