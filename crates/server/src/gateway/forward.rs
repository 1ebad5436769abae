//! The way to the upstream: connections, their pool, and how long anything may take.
//!
//! A request is sent again only if a pooled connection turned out to be closed before a byte of it
//! was written; hyper hands it back untouched then. Once any of it may have been seen it is never
//! repeated: a POST that is sent twice is worse than a 502.

use super::GatewayError;
use super::body::{Outgoing, Turn};
use super::refusal::Refusal;
use crate::access::{self, BodyFault};
use crate::config;
use axum::body::Body;
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri, header};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::{self, Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tower::timeout::{Timeout, error::Elapsed};
use tower::util::{BoxCloneSyncService, ServiceExt};
use tower::{BoxError, Service};

/// Common servers close idle connections after five seconds (Node.js, uvicorn). Closing ours first
/// avoids the race in which a request meets a closing connection.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// Idle connections kept; a burst may open more.
const POOL_IDLE_CONNECTIONS_MAX: usize = 256;
/// Between probes of an idle connection, so that a vanished upstream is noticed on long streams
/// too.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

type Connector = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

#[derive(Debug)]
pub(super) struct Upstream {
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
    client: Client<Connector, Body>,
    response_timeout: Duration,
}

impl Upstream {
    pub(super) fn new(config: &config::Gateway) -> Result<Option<Self>, GatewayError> {
        let Some(origin) = &config.upstream else { return Ok(None) };
        let parts = origin.parse::<Uri>().map_err(|_| GatewayError::Upstream)?.into_parts();
        let (scheme, authority) =
            parts.scheme.zip(parts.authority).ok_or(GatewayError::Upstream)?;
        let connector = connector(&scheme, config.connect_timeout)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .pool_max_idle_per_host(POOL_IDLE_CONNECTIONS_MAX)
            .build(connector);
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| GatewayError::Upstream)?;
        let response_timeout = config.response_timeout;
        Ok(Some(Self { scheme, authority, host, client, response_timeout }))
    }

    /// Sends a request whose headers are ready, but for `Host` if it is to be the upstream's own.
    /// The target stays as it is.
    pub(super) async fn send(
        &self,
        parts: Parts,
        outgoing: Outgoing,
    ) -> Result<Response<Incoming>, Refusal> {
        let Outgoing { body, turn, .. } = outgoing;
        // A new request: the old one's version and extensions belong to the client's connection.
        let mut request = Request::new(body);
        *request.method_mut() = parts.method;
        *request.uri_mut() = self.uri(parts.uri.into_parts().path_and_query)?;
        *request.headers_mut() = parts.headers;
        request.headers_mut().entry(header::HOST).or_insert_with(|| self.host.clone());
        tokio::select! {
            biased;
            answer = self.client.request(request) => answer.map_err(|error| refusal(&error)),
            () = silence(turn, self.response_timeout) => Err(Refusal::UpstreamSlow),
        }
    }

    fn uri(&self, target: Option<PathAndQuery>) -> Result<Uri, Refusal> {
        let uri = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone());
        uri.path_and_query(target.ok_or(access::Refusal::Form)?)
            .build()
            .map_err(|_| access::Refusal::Form.into())
    }
}

/// The time-out covers name look-up, TCP and TLS together.
fn connector(scheme: &Scheme, timeout: Duration) -> Result<Connector, GatewayError> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(TCP_KEEPALIVE));
    if *scheme == Scheme::HTTP {
        return Ok(boxed(tcp.map_response(MaybeHttpsStream::Http), timeout));
    }
    tcp.enforce_http(false);
    let tls = HttpsConnectorBuilder::new()
        .try_with_platform_verifier()
        .map_err(|error| GatewayError::Tls(Box::new(error)))?;
    Ok(boxed(tls.https_only().enable_http1().wrap_connector(tcp), timeout))
}

fn boxed<S>(connect: S, timeout: Duration) -> Connector
where
    S: Service<Uri, Response = MaybeHttpsStream<TokioIo<TcpStream>>>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    BoxCloneSyncService::new(Timeout::new(connect, timeout))
}

/// Ends when it is the upstream's turn and it does nothing for `timeout`.
async fn silence(mut turn: watch::Receiver<Turn>, timeout: Duration) {
    loop {
        let whose = *turn.borrow_and_update();
        let gone = match whose {
            Turn::Client => turn.changed().await.is_err(),
            Turn::Upstream => match tokio::time::timeout(timeout, turn.changed()).await {
                Err(_) => return,
                Ok(changed) => changed.is_err(),
            },
        };
        if gone {
            // The body has been sent, or dropped: all that is left to come is the answer.
            return tokio::time::sleep(timeout).await;
        }
    }
}

fn refusal(error: &legacy::Error) -> Refusal {
    if let Some(fault) = cause::<BodyFault>(error) {
        return (*fault).into();
    }
    if cause::<Elapsed>(error).is_some() {
        return Refusal::UpstreamSlow;
    }
    if error.is_connect() { Refusal::UpstreamUnreachable } else { Refusal::UpstreamBroken }
}

fn cause<E: std::error::Error + 'static>(error: &legacy::Error) -> Option<&E> {
    let mut next = std::error::Error::source(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
