//! The layer: a request's credential, and its body if a signature covers it, before the service
//! sees either.
//!
//! The naive layer reads the token, asks, and hands the request on as it came. Then a body that was
//! signed is another one by the time it is read; a path is one thing to the check and another to
//! the router; and a handler that once stood behind a gateway goes on believing its headers. So the
//! service is given the very bytes that were verified, a path that can be read in one way, and who
//! asks in a type of its own.

use crate::address;
use crate::{Authenticated, Embedded};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, Request, Response, Uri, Version};
use http_body::Body;
use http_body_util::{Either, Full};
use rescind_access::{Gatekeeper, Original, Read, Refusal, Sight};
use rescind_core::{Demand, NetworkSet, ScopeSet};
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{Layer, Service};

/// A signed body that has not arrived whole by then is given up, unless the layer says otherwise.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// What identity headers start with, folded.
const IDENTITY_PREFIX: &str = "x-rescind-";

/// A request's body behind the layer: as it came, or read whole and verified.
pub type VerifiedBody<B> = Either<B, Full<Bytes>>;

/// A response's body before the layer: the service's own, or a refusal.
pub type RefusableBody<B> = Either<B, Full<Bytes>>;

/// Lets requests through whose token allows them. Made by [`Embedded::layer`]; cheap to clone.
///
/// Put it outside of whatever changes method, path, headers or body: a signature is over the
/// request as its client sent it.
#[derive(Clone, Debug)]
#[must_use]
pub struct VerifyLayer {
    gatekeeper: Arc<Gatekeeper>,
    scopes: Arc<ScopeSet>,
    trusted_proxies: Arc<NetworkSet>,
    body_timeout: Duration,
    /// Verification ends with its store; a service that is still up must not lose it.
    _kept_open: Option<Embedded>,
}

/// A service behind a [`VerifyLayer`].
#[derive(Clone, Debug)]
pub struct Verify<S> {
    inner: S,
    rules: VerifyLayer,
}

impl VerifyLayer {
    /// For a guard whose store is somebody else's concern. Any valid token passes.
    pub fn new(gatekeeper: Arc<Gatekeeper>) -> Self {
        Self {
            gatekeeper,
            scopes: Arc::default(),
            trusted_proxies: Arc::default(),
            body_timeout: BODY_TIMEOUT,
            _kept_open: None,
        }
    }

    pub(crate) fn keeping(self, embedded: Embedded) -> Self {
        Self { _kept_open: Some(embedded), ..self }
    }

    /// A token needs all of these, in place of what was required before.
    pub fn require(self, scopes: ScopeSet) -> Self {
        Self { scopes: Arc::new(scopes), ..self }
    }

    /// Proxies whose `X-Forwarded-For` is believed: its rightmost address that is not itself one of
    /// them is the client's. Nobody's is believed otherwise. Goes by axum's `ConnectInfo`.
    #[cfg(feature = "axum")]
    pub fn trusted_proxies(self, networks: NetworkSet) -> Self {
        Self { trusted_proxies: Arc::new(networks), ..self }
    }

    /// Decides the same for requests that come another way. It does not keep the store open.
    pub fn gatekeeper(&self) -> Arc<Gatekeeper> {
        Arc::clone(&self.gatekeeper)
    }

    /// How long a signed body may take to arrive.
    pub fn body_timeout(self, patience: Duration) -> Self {
        Self { body_timeout: patience, ..self }
    }

    /// The request as the service may see it.
    async fn admit<B>(&self, request: Request<B>) -> Result<Request<VerifiedBody<B>>, Refusal>
    where
        B: Body,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (mut parts, body) = request.into_parts();
        let client = address::client(&parts, &self.trusted_proxies);
        let demand = Demand { admin: false, scopes: &self.scopes, client };
        let original = original(&parts)?;
        let reading =
            self.gatekeeper.verify_reading(&original, self.body_timeout, body, Sight::Own, &demand);
        let (verified, read) = reading.await?;
        self.rewrite_headers(&mut parts);
        parts.extensions.insert(Authenticated::new(verified));
        let body = match read {
            Read::Untouched(body) => Either::Left(body),
            Read::Whole(bytes) => Either::Right(Full::new(bytes)),
        };
        Ok(Request::from_parts(parts, body))
    }

    /// Takes away what a gateway would have said, and keeps credentials out of logs. They stay: a
    /// layer further in may ask for more scopes.
    fn rewrite_headers(&self, parts: &mut Parts) {
        let said: Vec<_> = parts.headers.keys().filter(|name| is_identity(name)).cloned().collect();
        for name in said {
            parts.headers.remove(name);
        }
        for name in self.gatekeeper.credentials().names() {
            if let Some(value) = parts.headers.get_mut(name) {
                value.set_sensitive(true);
            }
        }
    }

    fn refuse<R>(
        &self,
        about: (&http::Method, &str),
        refusal: Refusal,
    ) -> Response<RefusableBody<R>> {
        // The path without the query, and no header: both may carry secrets.
        let (method, path) = about;
        tracing::debug!(%method, path, %refusal, "refused");
        let answer = self.gatekeeper.problem(refusal).into_http();
        answer.map(|json| Either::Right(Full::new(json)))
    }
}

/// The request that the client sent, if it means one thing to everybody.
fn original(parts: &Parts) -> Result<Original<'_>, Refusal> {
    let sent = sent_uri(parts);
    // Before HTTP/2, `http://host/path` speaks to forward proxies, and of a signature over it one
    // cannot say which spelling it covers. From HTTP/2 on, `:path` is the target, and the rest of
    // the URI stands in other pseudo-headers.
    let absolute = sent.scheme().is_some() || sent.authority().is_some();
    if absolute && parts.version < Version::HTTP_2 {
        return Err(Refusal::Form);
    }
    let target = sent.path_and_query().ok_or(Refusal::Form)?.as_str();
    Original::new(parts.method.as_str(), target, &parts.headers)
}

/// Routers in routers see only the rest of the path; axum keeps the whole.
#[cfg(feature = "axum")]
fn sent_uri(parts: &Parts) -> &Uri {
    use axum::extract::OriginalUri;
    parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri)
}

#[cfg(not(feature = "axum"))]
fn sent_uri(parts: &Parts) -> &Uri {
    &parts.uri
}

/// Programs fold header names, `_` and others to `-`: `X_Rescind_Subject` is the same to them.
fn is_identity(name: &HeaderName) -> bool {
    let fold = |byte: u8| if byte.is_ascii_alphanumeric() { byte } else { b'-' };
    name.as_str().bytes().take(IDENTITY_PREFIX.len()).map(fold).eq(IDENTITY_PREFIX.bytes())
}

impl<S> Layer<S> for VerifyLayer {
    type Service = Verify<S>;

    fn layer(&self, inner: S) -> Verify<S> {
        Verify { inner, rules: self.clone() }
    }
}

impl<S, B, R> Service<Request<B>> for Verify<S>
where
    S: Service<Request<VerifiedBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<RefusableBody<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that has said it is ready, not a copy that has not.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let rules = self.rules.clone();
        Box::pin(async move {
            let (method, uri) = (request.method().clone(), request.uri().clone());
            match rules.admit(request).await {
                Ok(request) => Ok(inner.call(request).await?.map(Either::Left)),
                Err(refusal) => Ok(rules.refuse((&method, uri.path()), refusal)),
            }
        })
    }
}
