//! The way to the upstream, and how long anything on it may take.
//!
//! A request is sent again only if a pooled connection turned out to be closed before a byte of it
//! was written; hyper hands it back untouched then. Once any of it may have been seen it is never
//! repeated: a POST that is sent twice is worse than a 502.

use super::GatewayError;
use super::body::Outgoing;
use super::link::{Answered, Failed, Link, Stream};
use super::pool::Pool;
use super::refusal::Refusal;
use crate::access::BodyFault;
use crate::config;
use axum::body::Body;
use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, Uri, header};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tower::timeout::{Timeout, error::Elapsed};
use tower::util::{BoxCloneSyncService, ServiceExt};
use tower::{BoxError, Service};

/// Between probes of an idle connection, so that a vanished upstream is noticed on long streams
/// too.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

type Connector = BoxCloneSyncService<Uri, Stream, BoxError>;

#[derive(Debug)]
pub(super) struct Upstream {
    origin: Uri,
    host: HeaderValue,
    connector: Connector,
    pool: Arc<Pool>,
    response_timeout: Duration,
}

/// The upstream's answer, and the link that its body comes on.
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    link: Box<Link>,
    pool: Arc<Pool>,
}

impl Upstream {
    pub(super) fn new(config: &config::Gateway) -> Result<Option<Self>, GatewayError> {
        let Some(origin) = &config.upstream else { return Ok(None) };
        let origin = origin.parse::<Uri>().map_err(|_| GatewayError::Upstream)?;
        let (scheme, authority) =
            origin.scheme().zip(origin.authority()).ok_or(GatewayError::Upstream)?;
        let connector = connector(scheme, config.connect_timeout)?;
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| GatewayError::Upstream)?;
        let (pool, response_timeout) = (Arc::default(), config.response_timeout);
        Ok(Some(Self { origin, host, connector, pool, response_timeout }))
    }

    /// Sends a request whose headers are ready, but for `Host` if it is to be the upstream's own.
    /// The target, which is in origin form, stays as it is.
    pub(super) async fn send(&self, parts: Parts, outgoing: Outgoing) -> Result<Answer, Refusal> {
        let Outgoing { body, turns, .. } = outgoing;
        let deadline = Instant::now() + self.response_timeout;
        // A new request: the old one's version and extensions belong to the client's connection.
        let mut request = Request::new(body);
        *request.method_mut() = parts.method;
        *request.uri_mut() = parts.uri;
        *request.headers_mut() = parts.headers;
        request.headers_mut().entry(header::HOST).or_insert_with(|| self.host.clone());
        loop {
            let (mut link, is_new) = match self.pool.take() {
                Some(link) => (link, false),
                None => (self.connect(deadline).await?, true),
            };
            let pool = Arc::clone(&self.pool);
            match link.ask(request, &turns, deadline, self.response_timeout).await {
                Ok(response) => return Ok(Answer { response, link, pool }),
                Err(Failed::Unsent(again)) if !is_new => request = *again,
                Err(Failed::Unsent(_) | Failed::Ended) => return Err(Refusal::UpstreamBroken),
                Err(Failed::Broken(error)) => return Err(refusal(&error)),
                Err(Failed::Silent) => return Err(Refusal::UpstreamSlow),
            }
        }
    }

    async fn connect(&self, deadline: Instant) -> Result<Box<Link>, Refusal> {
        let connecting = self.connector.clone().oneshot(self.origin.clone());
        let stream = timeout_at(deadline, connecting).await.map_err(|_| Refusal::UpstreamSlow)?;
        let stream = stream.map_err(|error| match cause::<Elapsed>(&*error) {
            Some(_) => Refusal::UpstreamSlow,
            None => Refusal::UpstreamUnreachable,
        })?;
        Link::over(stream).await.map_err(|_| Refusal::UpstreamBroken)
    }
}

impl Answer {
    pub(super) fn into_response(self) -> Response<Body> {
        let Self { response, link, pool } = self;
        response.map(|body| Answered::body(body, link, &pool))
    }

    /// After a 101.
    pub(super) fn switch(self) -> Response<Incoming> {
        self.link.switch();
        self.response
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
    S: Service<Uri, Response = Stream> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    BoxCloneSyncService::new(Timeout::new(connect, timeout))
}

fn refusal(error: &hyper::Error) -> Refusal {
    match cause::<BodyFault>(error) {
        Some(fault) => (*fault).into(),
        None => Refusal::UpstreamBroken,
    }
}

/// The error itself, or what is behind it.
fn cause<'e, E: std::error::Error + 'static>(
    error: &'e (dyn std::error::Error + 'static),
) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
