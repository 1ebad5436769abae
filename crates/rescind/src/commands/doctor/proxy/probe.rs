//! One request through the proxy, byte for byte: what libraries for good clients tidy up (dot
//! segments, two headers of one name) is what is looked at here. Redirects are not followed, and
//! connections are kept, as services keep them.

use crate::failure::Failure;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri, header, uri::Scheme};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest wait for one answer. A proxy that waits for a body in vain waits for a minute.
const PATIENCE: Duration = Duration::from_secs(8);
/// Longest answer that is read, in bytes; an echo's is far shorter.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// A request to the URL that is looked at.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    method: Method,
    /// Appended to the URL's path, as it is.
    suffix: &'static str,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: &'static [u8],
}

#[derive(Debug)]
pub(super) struct Proxy {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    origin: Uri,
    path: String,
}

#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) has_challenge: bool,
    /// If an echo answered.
    pub(super) seen: Option<Seen>,
}

/// What reached the API.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    /// Those that say who asks.
    pub(super) headers: BTreeMap<String, String>,
    /// Of every line.
    pub(super) header_names: Vec<String>,
    pub(super) body_bytes: usize,
}

impl Probe {
    pub(super) fn get() -> Self {
        Self { method: Method::GET, suffix: "", headers: Vec::new(), body: b"" }
    }

    pub(super) fn options() -> Self {
        Self { method: Method::OPTIONS, ..Self::get() }
    }

    pub(super) fn post(body: &'static [u8]) -> Self {
        Self { method: Method::POST, body, ..Self::get() }
    }

    pub(super) fn at(self, suffix: &'static str) -> Self {
        Self { suffix, ..self }
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_str(value)) {
            value.set_sensitive(true);
            self.headers.push((name, value));
        }
        self
    }

    pub(super) fn headers(self, headers: &[(&str, &str)]) -> Self {
        headers.iter().fold(self, |probe, (name, value)| probe.header(name, value))
    }

    pub(super) fn with(self, token: &str) -> Self {
        self.header("x-api-key", token)
    }
}

impl Proxy {
    pub(super) fn new(url: &str) -> Result<Self, Failure> {
        let wrong = || Failure::usage("--url is an address as https://api.example.com/v1/orders");
        let url: Uri = url.parse().map_err(|_| wrong())?;
        let known = [Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&url.scheme());
        if !known || url.query().is_some() {
            return Err(wrong());
        }
        let path = url.path().trim_end_matches('/').to_owned();
        let connector = HttpsConnectorBuilder::new()
            .try_with_platform_verifier()
            .map_err(|fault| Failure::unreachable(format!("no TLS: {fault}")))?
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, origin: url, path })
    }

    /// Whether what is sent can be read on the way.
    pub(super) fn is_exposed(&self) -> bool {
        let host = self.origin.host().unwrap_or_default();
        let is_local = host == "localhost" || host.starts_with("127.") || host == "[::1]";
        self.origin.scheme() == Some(&Scheme::HTTP) && !is_local
    }

    pub(super) async fn send(&self, probe: Probe) -> Result<Reply, String> {
        let request = self.request(probe)?;
        let answer = tokio::time::timeout(PATIENCE, self.exchange(request)).await;
        answer.map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Reply, String> {
        let response = self.client.request(request).await.map_err(|fault| innermost(&fault))?;
        Reply::read(response).await
    }

    fn request(&self, probe: Probe) -> Result<Request<Full<Bytes>>, String> {
        let path = match (self.path.as_str(), probe.suffix) {
            ("", "") => "/".to_owned(),
            (path, suffix) => format!("{path}{suffix}"),
        };
        let mut parts = self.origin.clone().into_parts();
        parts.path_and_query = Some(path.parse().map_err(|_| format!("not a target: {path}"))?);
        let uri = Uri::from_parts(parts).map_err(|fault| fault.to_string())?;
        let mut request = Request::new(Full::new(Bytes::from_static(probe.body)));
        *request.method_mut() = probe.method;
        *request.uri_mut() = uri;
        for (name, value) in probe.headers {
            request.headers_mut().append(name, value);
        }
        Ok(request)
    }
}

impl Reply {
    async fn read(response: Response<Incoming>) -> Result<Self, String> {
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let seen = body.ok().and_then(|body| serde_json::from_slice(&body.to_bytes()).ok());
        Ok(Self {
            status: parts.status.as_u16(),
            has_challenge: parts.headers.contains_key(header::WWW_AUTHENTICATE),
            seen: seen.filter(|_| parts.status.is_success()),
        })
    }

    pub(super) fn passed(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The last of the chain says what happened.
fn innermost(fault: &dyn std::error::Error) -> String {
    let mut last = fault;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
