//! CORS preflights: a browser asks what it may send, and brings no credential (Fetch standard,
//! "CORS-preflight fetch"). Let through only if the configuration says so, and as nobody.
//!
//! Everything that makes an `OPTIONS` anything else than that question is refused: a program behind
//! us may take `X-HTTP-Method-Override` for the method, and a body for an order.

use crate::access::Original;
use http::{HeaderName, Method, header};
use rescind_guard::Fields;
use rescind_guard::credentials::CredentialHeaders;

const OVERRIDES: [HeaderName; 3] = [
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-method-override"),
];

pub(crate) fn is_one(
    original: &Original<'_, impl Fields>,
    credentials: &CredentialHeaders,
) -> bool {
    let headers = original.headers();
    let has = |name: &HeaderName| headers.has(name);
    original.method() == Method::OPTIONS.as_str()
        && has(&header::ORIGIN)
        && has(&header::ACCESS_CONTROL_REQUEST_METHOD)
        && !credentials.names().any(has)
        && !OVERRIDES.iter().any(has)
        && headers.names().all(is_plain)
        && !has_body(headers)
}

/// `X_HTTP_Method_Override` is the same to some.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn has_body(headers: &impl Fields) -> bool {
    headers.has(&header::TRANSFER_ENCODING)
        || headers.values(&header::CONTENT_LENGTH).any(|length| length != b"0")
}
