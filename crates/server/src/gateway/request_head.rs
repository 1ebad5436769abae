//! The request's target, before anything is decided by it: could two programs read it in two ways?

use crate::access::{Original, Refusal};
use http::request::Parts;

/// The request, if it means one thing to everybody.
pub(super) fn read(parts: &Parts) -> Result<Original<'_>, Refusal> {
    // Origin form only. `*`, `host:port` and `http://host/path` speak to servers as such and to
    // forward proxies (RFC 9112 §3.2); and of a signature over an absolute URI one cannot say which
    // spelling it covers.
    let uri = &parts.uri;
    if uri.scheme().is_some() || uri.authority().is_some() {
        return Err(Refusal::Form);
    }
    let target = uri.path_and_query().ok_or(Refusal::Form)?;
    Original::new(parts.method.as_str(), target.as_str(), &parts.headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn read_from(request: http::request::Builder) -> Result<String, Refusal> {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        read(&parts).map(|original| original.path().to_owned())
    }

    fn get(target: &str) -> http::request::Builder {
        Request::get(target).header("host", "api.example")
    }

    #[test]
    fn path_in_origin_form_is_decoded() {
        assert_eq!(read_from(get("/a%20b?x=%2F")).unwrap(), "/a b");
        assert_eq!(read_from(get("/?")).unwrap(), "/");
    }

    #[test]
    fn forms_for_proxies_and_servers_are_refused() {
        for target in ["*", "http://api.example/a", "api.example:80"] {
            assert!(read_from(get(target)).is_err(), "{target}");
        }
        assert!(matches!(read_from(get("/a").method("CONNECT")), Err(Refusal::Form)));
    }

    #[test]
    fn ambiguous_path_is_refused() {
        let refused = read_from(get("/a/%2e%2e/b"));
        assert!(matches!(refused, Err(Refusal::Target(_))));
    }
}
