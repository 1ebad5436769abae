//! CORS preflights: a browser asks what it may send, and brings no credential (Fetch standard,
//! "CORS-preflight fetch"). Let through only if the configuration says so, and as nobody.
//!
//! Everything that makes an `OPTIONS` anything else than that question is refused: a program behind
//! us may take `X-HTTP-Method-Override` for the method, and a body for an order.

use crate::access::Original;
use http::{HeaderMap, HeaderName, Method, header};
use rescind_guard::credentials::CredentialHeaders;

const OVERRIDES: [HeaderName; 3] = [
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-method-override"),
];

pub(crate) fn is_one(original: &Original<'_>, credentials: &CredentialHeaders) -> bool {
    let headers = original.headers();
    let has = |name: &HeaderName| headers.contains_key(name);
    original.method() == Method::OPTIONS.as_str()
        && has(&header::ORIGIN)
        && has(&header::ACCESS_CONTROL_REQUEST_METHOD)
        && !credentials.names().any(has)
        && !OVERRIDES.iter().any(has)
        && headers.keys().all(is_plain)
        && !has_body(headers)
}

/// `X_HTTP_Method_Override` is the same to some.
fn is_plain(name: &HeaderName) -> bool {
    name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn has_body(headers: &HeaderMap) -> bool {
    let lengths = headers.get_all(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING) || lengths.iter().any(|length| length != "0")
}
