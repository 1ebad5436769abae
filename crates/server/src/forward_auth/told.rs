//! What a trusted proxy tells of the original request, read from the headers of its own profile,
//! each exactly once. Two are one too many: of which the proxy set, and which the client, nobody
//! can say. One that is missing was not set by the proxy, and would be the client's next time.

use super::Refusal;
use super::profile::{Client, Profile, Request};
use crate::access::Original;
use crate::http::Head;
use crate::http::client_address::{X_FORWARDED_FOR, forwarded_for};
use http::HeaderName;
use rescind_core::NetworkSet;
use rescind_guard::fields::{Fields, text};
use std::net::IpAddr;

const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
/// Envoy's word on whether a body was cut at `max_request_bytes`.
const ENVOY_PARTIAL_BODY: HeaderName = HeaderName::from_static("x-envoy-auth-partial-body");

/// `own_target` is set if the target stands in our own request line; then the method does too.
pub(super) fn original<'r, F: Fields>(
    profile: &Profile,
    own_target: Option<&'r str>,
    asked: &Head<'r, F>,
) -> Result<Original<'r, F>, Refusal> {
    let (method, target) = match (&profile.request, own_target) {
        (Request::OwnLine, target) => (asked.method, target.ok_or(Refusal::NoSuchPath)?),
        (Request::Headers { method, target }, _) => {
            (once(asked.fields, method)?, once(asked.fields, target)?)
        }
    };
    Ok(Original::new(method, target, asked.fields)?)
}

/// Where the request came from; `None` if nobody can say.
pub(super) fn client(
    profile: &Profile,
    headers: &impl Fields,
    trusted: &NetworkSet,
) -> Result<Option<IpAddr>, Refusal> {
    match profile.client {
        Client::RealIp => {
            let address = once(headers, &X_REAL_IP)?.parse::<IpAddr>();
            let address = address.map_err(|_| Refusal::Told { header: X_REAL_IP })?;
            Ok(Some(address.to_canonical()))
        }
        Client::PerhapsForwardedFor if !headers.has(&X_FORWARDED_FOR) => Ok(None),
        Client::ForwardedFor | Client::PerhapsForwardedFor => {
            once(headers, &X_FORWARDED_FOR)?;
            Ok(forwarded_for(headers, trusted))
        }
    }
}

/// Whether the body that came along may be the beginning of a longer one. A signature over the
/// beginning would hold.
pub(super) fn is_partial(headers: &impl Fields) -> bool {
    headers.values(&ENVOY_PARTIAL_BODY).any(|value| value != b"false")
}

fn once<'h>(headers: &'h impl Fields, header: &HeaderName) -> Result<&'h str, Refusal> {
    let mut values = headers.values(header);
    let one = values.next().filter(|value| values.next().is_none() && !value.is_empty());
    let told = || Refusal::Told { header: header.clone() };
    text(one.ok_or_else(told)?).ok_or_else(told)
}
