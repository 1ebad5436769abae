//! Where a request came from, as far as we know it ourselves. What the client said about it is
//! removed before, and what a trusted proxy said has been read by then.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::net::IpAddr;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The listener speaks plain HTTP. TLS that ends before us is not seen here, and so is not claimed.
const OUR_PROTO: HeaderValue = HeaderValue::from_static("http");
/// RFC 9110 §7.6.3: a gateway must say so in each request that it passes on.
const OUR_VIA: HeaderValue = HeaderValue::from_static("1.1 rescind");

/// One address, not the chain that it was read from: whoever counts from either end finds it.
pub(super) fn insert(headers: &mut HeaderMap, client: IpAddr, host: Option<&HeaderValue>) {
    // An IPv4 client of a dual-stack socket is itself, not its mapped address.
    if let Ok(address) = HeaderValue::from_str(&client.to_canonical().to_string()) {
        headers.insert(FOR, address);
    }
    if let Some(host) = host {
        headers.insert(HOST, host.clone());
    }
    headers.insert(PROTO, OUR_PROTO);
    headers.append(header::VIA, OUR_VIA);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_address_is_told_as_what_it_is() {
        let mut headers = HeaderMap::new();
        insert(&mut headers, "::ffff:192.0.2.7".parse().unwrap(), None);
        assert_eq!(headers[FOR], "192.0.2.7");
        assert!(!headers.contains_key(HOST));
    }
}
