//! Where a request came from. Behind a proxy the peer is the proxy, and the client stands in
//! `X-Forwarded-For`, among whatever the client itself wrote there.
//!
//! Each proxy appends whom it got the request from, so the list is believed from its right end, and
//! only for as long as trusted proxies speak: the rightmost address that is not one of them is the
//! client. What stands left of it is the client's word. The naive ways, the leftmost address or a
//! fixed count, can be had by sending a longer list.
//!
//! Where the trusted proxies do not say, the client is *not known*; it is never the proxy. A token
//! that may be used from `10.0.0.0/8` would otherwise work from everywhere behind a proxy in there
//! that forgot the header. So the list of the trusted should hold proxies, and nobody who asks.

use http::HeaderName;
use rescind_core::NetworkSet;
use rescind_guard::fields::{Fields, text};
use std::net::{IpAddr, SocketAddr};

/// What proxies say whom they got a request from in.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// As far as it can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress {
    client: Option<IpAddr>,
    peer: IpAddr,
}

/// Where a request comes from, whose `trusted` are believed. See the module's head.
pub fn client_address(
    peer: SocketAddr,
    headers: &impl Fields,
    trusted: &NetworkSet,
) -> ClientAddress {
    let peer = peer.ip().to_canonical();
    let client = if trusted.contains(peer) { forwarded_for(headers, trusted) } else { Some(peer) };
    ClientAddress { client, peer }
}

/// The rightmost address in `X-Forwarded-For` that is not trusted; `None` if there is none, or if
/// what stands there is no address.
pub fn forwarded_for(headers: &impl Fields, trusted: &NetworkSet) -> Option<IpAddr> {
    for line in headers.values(&X_FORWARDED_FOR).rev() {
        for element in text(line)?.rsplit(',') {
            let address = address(element.trim())?;
            if !trusted.contains(address) {
                return Some(address);
            }
        }
    }
    None
}

impl ClientAddress {
    /// For what depends on where a request comes from.
    pub fn known(self) -> Option<IpAddr> {
        self.client
    }

    /// The client, or else who stands nearest to it: for limits and logs, which must count
    /// somebody.
    pub fn nearest(self) -> IpAddr {
        self.client.unwrap_or(self.peer)
    }
}

/// Some proxies add the port. IPv6 then has brackets, or its last group would be one.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse().map(|full: SocketAddr| full.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue};

    const PROXIES: [&str; 3] = ["10.0.0.0/8", "192.0.2.1", "2001:db8:ffff::/48"];

    /// What is known of the client, and who stands nearest.
    fn found(peer: &str, lines: &[&str]) -> (Option<String>, String) {
        let trusted = NetworkSet::parse(PROXIES).unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let found = client_address(peer.parse().unwrap(), &headers, &trusted);
        (found.known().map(|address| address.to_string()), found.nearest().to_string())
    }

    fn known(peer: &str, lines: &[&str]) -> Option<String> {
        found(peer, lines).0
    }

    const PROXY: &str = "10.0.0.1:4711";

    #[test]
    fn stranger_is_the_client_whatever_it_says_of_itself() {
        for lines in [&[][..], &["198.51.100.7"], &["10.0.0.1"], &["junk"]] {
            assert_eq!(known("203.0.113.9:1", lines).as_deref(), Some("203.0.113.9"));
        }
        assert_eq!(known("[::ffff:203.0.113.9]:1", &[]).as_deref(), Some("203.0.113.9"));
    }

    #[test]
    fn rightmost_address_that_is_no_proxy_is_the_client() {
        for (lines, client) in [
            (&["198.51.100.7"][..], "198.51.100.7"),
            (&["10.0.0.9, 198.51.100.7"], "198.51.100.7"),
            (&["203.0.113.5, 198.51.100.7, 192.0.2.1,10.2.3.4"], "198.51.100.7"),
            (&["junk, 198.51.100.7"], "198.51.100.7"),
            (&["203.0.113.5, 198.51.100.7", "10.2.3.4"], "198.51.100.7"),
            (&["203.0.113.5", "198.51.100.7"], "198.51.100.7"),
            (&["2001:db8::7, 2001:db8:ffff::1"], "2001:db8::7"),
            (&["::ffff:198.51.100.7"], "198.51.100.7"),
            (&["198.51.100.7:4711"], "198.51.100.7"),
            (&["[2001:db8::7]:4711"], "2001:db8::7"),
            (&["[2001:db8::7]"], "2001:db8::7"),
        ] {
            assert_eq!(known(PROXY, lines).as_deref(), Some(client), "{lines:?}");
        }
    }

    #[test]
    fn client_that_no_trusted_proxy_names_is_unknown_and_never_the_proxy() {
        let unsaid = [
            &[][..],
            &[""],
            &["10.0.0.9"],
            &["192.0.2.1, 10.0.0.9"],
            &["198.51.100.7, unknown"],
            &["198.51.100.7,"],
            &["198.51.100.7, _hidden, 10.0.0.9"],
            &["198.51.100.7", "\u{fc}"],
            &["198.51.100.007"],
            &["198.51.100.7:x"],
        ];
        for lines in unsaid {
            assert_eq!(found(PROXY, lines), (None, "10.0.0.1".into()), "{lines:?}");
        }
    }
}
