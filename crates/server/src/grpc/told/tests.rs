use super::*;
use envoy_types::pb::envoy::config::core::v3::{self as core, SocketAddress, address};
use envoy_types::pb::envoy::service::auth::v3::attribute_context;

fn request(http: HttpRequest) -> CheckRequest {
    let request = attribute_context::Request { http: Some(http), ..Default::default() };
    let attributes = AttributeContext { request: Some(request), ..Default::default() };
    CheckRequest { attributes: Some(attributes) }
}

fn get() -> HttpRequest {
    HttpRequest { method: "GET".into(), path: "/a?b".into(), ..HttpRequest::default() }
}

fn joined(pairs: &[(&str, &str)]) -> HttpRequest {
    let headers = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    HttpRequest { headers, ..get() }
}

fn apart(pairs: &[(&str, &[u8])]) -> HttpRequest {
    let header = |(name, value): &(&str, &[u8])| EnvoyHeader {
        key: (*name).into(),
        raw_value: value.to_vec(),
        ..EnvoyHeader::default()
    };
    let headers = pairs.iter().map(header).collect();
    HttpRequest { header_map: Some(core::HeaderMap { headers }), ..get() }
}

fn read(http: HttpRequest) -> Result<Told, Untold> {
    Told::read(request(http))
}

fn body_of(http: HttpRequest) -> String {
    match read(http).map(|told| told.body) {
        Ok(Body::Unseen) => "unseen".into(),
        Ok(Body::Whole(bytes)) => format!("whole {}", String::from_utf8_lossy(&bytes)),
        Ok(Body::Cut) => "cut".into(),
        Err(untold) => untold.to_string(),
    }
}

const PARTIAL: &str = "x-envoy-auth-partial-body";

#[test]
fn headers_are_read_joined_or_apart_and_pseudo_headers_are_passed_over() {
    let told = read(joined(&[(":path", "/other"), ("x-api-key", "a,b"), ("x-empty", "")])).unwrap();
    assert_eq!((told.method.as_str(), told.target.as_str()), ("GET", "/a?b"));
    assert_eq!(told.headers.len(), 2);
    assert_eq!(told.headers["x-api-key"], "a,b");
    let told = read(apart(&[(":path", b"/other"), ("x-api-key", b"a"), ("X-Api-Key", b"\xe9")]));
    let told = told.unwrap();
    let values: Vec<_> = told.headers.get_all("x-api-key").iter().map(|v| v.as_bytes()).collect();
    assert_eq!(values, [&b"a"[..], b"\xe9"]);
}

#[test]
fn what_is_told_in_two_fields_is_refused() {
    let both_maps =
        HttpRequest { header_map: apart(&[("b", b"2")]).header_map, ..joined(&[("a", "1")]) };
    let mut both_values = apart(&[("a", b"1")]);
    both_values.header_map.as_mut().unwrap().headers[0].value = "2".into();
    let both_bodies = HttpRequest { body: "a".into(), raw_body: b"b".to_vec(), ..get() };
    let query = HttpRequest { query: "c".into(), ..get() };
    let fragment = HttpRequest { fragment: "c".into(), ..get() };
    for http in [both_maps, both_values, both_bodies, query, fragment] {
        assert!(matches!(read(http), Err(Untold::Twice)));
    }
}

#[test]
fn headers_that_no_request_has_are_refused() {
    for http in [joined(&[("a b", "")]), joined(&[("", "1")]), apart(&[("a", b"b\r\nc: d")])] {
        assert!(matches!(read(http), Err(Untold::Headers)));
    }
}

#[test]
fn most_headers_are_read_and_one_more_is_not() {
    let many = |count: usize| read(apart(&vec![("a", &b"1"[..]); count])).map(|t| t.headers.len());
    assert_eq!(many(HEADERS_MAX).unwrap(), HEADERS_MAX);
    assert!(matches!(many(HEADERS_MAX + 1), Err(Untold::Headers)));
}

#[test]
fn body_is_whole_only_if_envoy_says_so() {
    let raw = |http: HttpRequest| HttpRequest { raw_body: b"hi".to_vec(), ..http };
    let text = |http: HttpRequest| HttpRequest { body: "hi".into(), ..http };
    assert_eq!(body_of(raw(joined(&[(PARTIAL, "false")]))), "whole hi");
    assert_eq!(body_of(text(joined(&[(PARTIAL, "false")]))), "whole hi");
    assert_eq!(body_of(raw(apart(&[(PARTIAL, b"false")]))), "whole hi");
    for http in [
        joined(&[(PARTIAL, "true")]),
        joined(&[(PARTIAL, "false,true")]),
        joined(&[(PARTIAL, "")]),
        apart(&[(PARTIAL, b"false"), (PARTIAL, b"true")]),
        get(),
    ] {
        assert_eq!(body_of(raw(http)), "cut");
    }
}

#[test]
fn empty_body_is_never_said_to_be_all_there_was() {
    assert_eq!(body_of(get()), "unseen");
    assert_eq!(body_of(joined(&[(PARTIAL, "false")])), "unseen");
    assert_eq!(body_of(joined(&[(PARTIAL, "true")])), "cut");
}

fn client(address: address::Address) -> Option<String> {
    let address = Some(core::Address { address: Some(address) });
    let mut asked = request(get());
    asked.attributes.as_mut().unwrap().source = Some(Peer { address, ..Peer::default() });
    Told::read(asked).unwrap().client.map(|ip| ip.to_string())
}

#[test]
fn client_is_the_peer_of_envoy_or_unknown() {
    let ip = |text: &str| {
        let socket = SocketAddress { address: text.into(), ..SocketAddress::default() };
        client(address::Address::SocketAddress(socket))
    };
    assert_eq!(ip("192.0.2.7").as_deref(), Some("192.0.2.7"));
    assert_eq!(ip("::ffff:192.0.2.7").as_deref(), Some("192.0.2.7"));
    assert_eq!(ip("localhost"), None);
    assert_eq!(client(address::Address::Pipe(core::Pipe::default())), None);
    assert_eq!(Told::read(request(get())).unwrap().client, None);
}

fn asked_for(pairs: &[(&str, &str)]) -> Result<String, Untold> {
    let mut asked = request(get());
    asked.attributes.as_mut().unwrap().context_extensions =
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    Told::read(asked).map(|told| told.scopes.join(" "))
}

#[test]
fn scopes_come_from_the_route_and_a_misspelt_key_asks_for_nothing_less() {
    assert_eq!(asked_for(&[]).unwrap(), "");
    assert_eq!(asked_for(&[("scopes", "read, write")]).unwrap(), "read write");
    assert!(matches!(asked_for(&[("scope", "read")]), Err(Untold::Extension)));
    assert!(matches!(asked_for(&[("scopes", "a"), ("x", "")]), Err(Untold::Extension)));
    for odd in ["", "read,", "re ad", "re\nad"] {
        assert!(matches!(asked_for(&[("scopes", odd)]), Err(Untold::Scopes(_))), "{odd:?}");
    }
}

#[test]
fn message_without_a_request_is_refused() {
    let empty = AttributeContext::default();
    for attributes in [None, Some(empty)] {
        let told = Told::read(CheckRequest { attributes });
        assert!(matches!(told, Err(Untold::Nothing)));
    }
}
