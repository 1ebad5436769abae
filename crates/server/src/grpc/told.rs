//! The client's request, as Envoy tells of it.
//!
//! Only typed fields are believed: pseudo-headers among the headers are passed over, and what could
//! be told in two fields is refused if it stands in both. Envoy joins repeated headers with a
//! comma, or with `encode_raw_headers` sends them apart; credentials with a comma are refused by
//! whoever reads them, as are two of a kind.

use envoy_types::ext_authz::v3::pb::{Address, CheckRequest, HeaderValue as EnvoyHeader};
use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer};
use http::{HeaderMap, HeaderName, HeaderValue};
use rescind_core::signature::Content;
use rescind_core::{ScopeError, ScopeSet};
use std::collections::HashMap;
use std::net::IpAddr;

/// Most headers of a client's request; Envoy takes 100 unless told otherwise.
pub(super) const HEADERS_MAX: usize = 1_000;
/// The one key of `context_extensions`: scopes, separated by commas.
const SCOPES: &str = "scopes";
/// Whether the body in the message is only a part of it. Envoy removes a client's own.
const PARTIAL_BODY: HeaderName = HeaderName::from_static("x-envoy-auth-partial-body");

pub(super) struct Told {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    /// Who sent it to Envoy, if that was over IP.
    pub(super) client: Option<IpAddr>,
    /// What the route asks for.
    pub(super) scopes: ScopeSet,
}

pub(super) enum Body {
    /// None was handed over; there may still be one.
    Unseen,
    Whole(Vec<u8>),
    /// A part of one, or what is not said to be more.
    Cut,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Untold {
    #[error("the message does not tell of an HTTP request")]
    Nothing,
    #[error("the request is told in two ways")]
    Twice,
    #[error("a header cannot be read, or there are more than {HEADERS_MAX}")]
    Headers,
    #[error("the route's context_extensions have a key besides {SCOPES}")]
    Extension,
    #[error("the route's scopes: {0}")]
    Scopes(#[from] ScopeError),
}

impl Told {
    pub(super) fn read(request: CheckRequest) -> Result<Self, Untold> {
        let attributes = request.attributes.ok_or(Untold::Nothing)?;
        let AttributeContext { source, request, context_extensions, .. } = attributes;
        let mut http = request.and_then(|request| request.http).ok_or(Untold::Nothing)?;
        // Documented as always empty: they are parts of the path.
        if !http.query.is_empty() || !http.fragment.is_empty() {
            return Err(Untold::Twice);
        }
        let headers = headers(&mut http)?;
        Ok(Self {
            body: body(&mut http, &headers)?,
            client: source.and_then(address),
            scopes: scopes(&context_extensions)?,
            method: http.method,
            target: http.path,
            headers,
        })
    }
}

impl Body {
    pub(super) fn content(&self) -> Content<'_> {
        match self {
            Self::Whole(bytes) => Content::Body(bytes),
            Self::Unseen | Self::Cut => Content::Unseen,
        }
    }
}

fn headers(http: &mut HttpRequest) -> Result<HeaderMap, Untold> {
    let joined = std::mem::take(&mut http.headers);
    let apart = http.header_map.take().map(|map| map.headers).unwrap_or_default();
    if !joined.is_empty() && !apart.is_empty() {
        return Err(Untold::Twice);
    }
    let joined = joined.into_iter().map(|(name, value)| Ok((name, value.into_bytes())));
    let mut headers = HeaderMap::new();
    for pair in joined.chain(apart.into_iter().map(name_and_value)) {
        let (name, value) = pair?;
        if name.starts_with(':') {
            continue;
        }
        if headers.len() == HEADERS_MAX {
            return Err(Untold::Headers);
        }
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Untold::Headers)?;
        headers.append(name, HeaderValue::from_bytes(&value).map_err(|_| Untold::Headers)?);
    }
    Ok(headers)
}

fn name_and_value(header: EnvoyHeader) -> Result<(String, Vec<u8>), Untold> {
    let EnvoyHeader { key, value, raw_value } = header;
    match (value.is_empty(), raw_value.is_empty()) {
        (false, false) => Err(Untold::Twice),
        (false, true) => Ok((key, value.into_bytes())),
        (true, _) => Ok((key, raw_value)),
    }
}

/// Whole only if Envoy says so: a part that happens to be what was signed must not pass for the
/// rest. An empty one is not said to be all there was, for Envoy hands none over unless told to.
fn body(http: &mut HttpRequest, headers: &HeaderMap) -> Result<Body, Untold> {
    let (text, raw) = (std::mem::take(&mut http.body), std::mem::take(&mut http.raw_body));
    let bytes = match (text.is_empty(), raw.is_empty()) {
        (false, false) => return Err(Untold::Twice),
        (false, true) => text.into_bytes(),
        (true, _) => raw,
    };
    let mut said = headers.get_all(PARTIAL_BODY).iter().peekable();
    let is_said = said.peek().is_some();
    let whole = said.all(|value| value == "false");
    Ok(match bytes.is_empty() {
        true if whole => Body::Unseen,
        false if whole && is_said => Body::Whole(bytes),
        _ => Body::Cut,
    })
}

fn address(peer: Peer) -> Option<IpAddr> {
    match peer.address?.address? {
        Address::SocketAddress(socket) => {
            socket.address.parse().ok().map(|ip: IpAddr| ip.to_canonical())
        }
        _ => None,
    }
}

/// A key that is not known is refused: a misspelt one would ask for nothing.
fn scopes(extensions: &HashMap<String, String>) -> Result<ScopeSet, Untold> {
    if extensions.keys().any(|key| key != SCOPES) {
        return Err(Untold::Extension);
    }
    match extensions.get(SCOPES) {
        Some(names) => Ok(ScopeSet::parse(names.split(',').map(str::trim))?),
        None => Ok(ScopeSet::default()),
    }
}

#[cfg(test)]
mod tests;
