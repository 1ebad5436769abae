//! The request's target, before anything is decided by it: could two programs read it in two ways?

use super::refusal::Refusal;
use http::Method;
use http::request::Parts;
use rescind_core::target::unambiguous_path;
use std::borrow::Cow;

/// The decoded path, of a request that means one thing to everybody.
pub(super) fn check(parts: &Parts) -> Result<Cow<'_, str>, Refusal> {
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
}
