//! The request's head, before anything is decided by it: could two programs read it in two ways?

use super::refusal::Refusal;
use http::request::Parts;
use http::{HeaderMap, Method, Version, header};
use rescind_core::target::unambiguous_path;
use std::borrow::Cow;

/// The decoded path, of a request that means one thing to everybody.
pub(super) fn check(parts: &Parts) -> Result<Cow<'_, str>, Refusal> {
    check_framing(&parts.headers)?;
    check_host(parts)?;
    check_expectations(parts)?;
    // Origin form only. `*`, `host:port` and `http://host/path` speak to servers as such and to
    // forward proxies (RFC 9112 §3.2); and of a signature over an absolute URI one cannot say which
    // spelling it covers.
    let uri = &parts.uri;
    if parts.method == Method::CONNECT || uri.scheme().is_some() || uri.authority().is_some() {
        return Err(Refusal::Form);
    }
    let target = uri.path_and_query().ok_or(Refusal::Form)?;
    unambiguous_path(target.as_str()).map_err(Refusal::Target)
}

/// hyper removes the chunks and leaves every other coding, whose name would be lost on the way.
fn check_framing(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refusal::TransferCoding),
    }
}

/// RFC 9112 §3.2: one, and in HTTP/1.1 it must be there.
fn check_host(parts: &Parts) -> Result<(), Refusal> {
    match parts.headers.get_all(header::HOST).iter().count() {
        1 => Ok(()),
        0 if parts.version < Version::HTTP_11 => Ok(()),
        _ => Err(Refusal::Host),
    }
}

/// RFC 9110 §10.1.1. `100-continue` is answered by our own HTTP stack, when the body is first asked
/// for.
fn check_expectations(parts: &Parts) -> Result<(), Refusal> {
    if parts.version < Version::HTTP_11 {
        return Ok(());
    }
    let known = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if parts.headers.get_all(header::EXPECT).iter().all(known) {
        Ok(())
    } else {
        Err(Refusal::Expectation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn checked(request: http::request::Builder) -> Result<String, Refusal> {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check(&parts).map(Cow::into_owned)
    }

    fn get(target: &str) -> http::request::Builder {
        Request::get(target).header("host", "api.example")
    }

    #[test]
    fn path_in_origin_form_is_decoded() {
        assert_eq!(checked(get("/a%20b?x=%2F")).unwrap(), "/a b");
        assert_eq!(checked(get("/?")).unwrap(), "/");
    }

    #[test]
    fn forms_for_proxies_and_servers_are_refused() {
        for target in ["*", "http://api.example/a", "api.example:80"] {
            assert!(checked(get(target)).is_err(), "{target}");
        }
        assert!(matches!(checked(get("/a").method("CONNECT")), Err(Refusal::Form)));
    }

    #[test]
    fn ambiguous_path_is_refused() {
        for target in ["//a", "/a/../b", "/a/%2e%2e/b", "/a%2Fb", "/a;b", "/a%5cb", "/a%00"] {
            assert!(matches!(checked(get(target)), Err(Refusal::Target(_))), "{target}");
        }
    }

    #[test]
    fn host_is_needed_exactly_once() {
        let two = get("/a").header("host", "other.example");
        assert!(matches!(checked(two), Err(Refusal::Host)));
        assert!(matches!(checked(Request::get("/a")), Err(Refusal::Host)));
        assert!(checked(Request::get("/a").version(Version::HTTP_10)).is_ok());
    }

    #[test]
    fn expectation_other_than_continue_is_refused() {
        assert!(checked(get("/a").header("expect", "100-Continue")).is_ok());
        for odd in ["", "200-ok", "100-continue, x"] {
            let refused = checked(get("/a").header("expect", odd));
            assert!(matches!(refused, Err(Refusal::Expectation)), "{odd}");
        }
    }

    #[test]
    fn transfer_coding_besides_chunked_is_refused() {
        assert!(checked(get("/a").header("transfer-encoding", "Chunked")).is_ok());
        let lists = [&["gzip, chunked"][..], &["gzip", "chunked"], &["chunked, chunked"], &["x"]];
        for values in lists {
            let request = values.iter().fold(get("/a"), |r, v| r.header("transfer-encoding", *v));
            assert!(matches!(checked(request), Err(Refusal::TransferCoding)), "{values:?}");
        }
    }
}
