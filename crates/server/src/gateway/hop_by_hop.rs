//! Headers that are about one connection and end with it (RFC 9110 §7.6.1).
//!
//! `Connection` lets the sender name further ones. That is why this is done to a message as it
//! came, before any header of ours is in it: `Connection: X-Rescind-Subject` must remove the
//! client's header, not ours.

use http::{HeaderMap, HeaderName, header};

pub(super) fn strip(headers: &mut HeaderMap) {
    let mut ending = named_by_connection(headers);
    ending.extend(headers.keys().filter(|name| ends_here(name)).cloned());
    for name in ending {
        headers.remove(name);
    }
}

fn ends_here(name: &HeaderName) -> bool {
    match name.as_str() {
        "connection" | "proxy-connection" | "keep-alive" | "te" | "trailer"
        | "transfer-encoding" | "upgrade" => true,
        // For a proxy that a client chose, which we are not.
        "proxy-authenticate" | "proxy-authorization" => true,
        _ => false,
    }
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter();
    let names = values.flat_map(|value| value.as_bytes().split(|&b| b == b','));
    names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(pairs: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        strip(&mut headers);
        headers.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn every_connection_header_ends_here() {
        let pairs = [
            ("connection", "close"),
            ("proxy-connection", "keep-alive"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("trailer", "x-late"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-authenticate", "Basic"),
            ("proxy-authorization", "Basic dDp0"),
            ("accept", "*/*"),
        ];
        assert_eq!(left(&pairs), ["accept"]);
    }

    #[test]
    fn headers_named_by_any_connection_line_end_here() {
        let pairs = [
            ("connection", "keep-alive, X-One"),
            ("connection", " x-two ,, \u{fc}, x-three"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-three", "3"),
            ("x-four", "4"),
        ];
        assert_eq!(left(&pairs), ["x-four"]);
    }
}
