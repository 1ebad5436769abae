//! A request as its client made it, whether it was received or told of by a proxy. To have one is
//! to have a target that nobody can read in two ways (`rescind_core::target`): scopes are asked for
//! by path, and another program acts on it.

use crate::Refusal;
use http::{HeaderMap, Method};
use rescind_core::target::unambiguous_path;
use std::borrow::Cow;

/// See the module's head.
#[derive(Clone)]
pub struct Original<'r, F = HeaderMap> {
    method: &'r str,
    target: &'r str,
    path: Cow<'r, str>,
    headers: &'r F,
}

impl<'r, F> Original<'r, F> {
    /// `target` is path and query as in the client's request line, byte for byte.
    pub fn new(method: &'r str, target: &'r str, headers: &'r F) -> Result<Self, Refusal> {
        // CONNECT has no path; other methods are names, which is all that is asked of them.
        let named = Method::from_bytes(method.as_bytes()).map_err(|_| Refusal::Form)?;
        if named == Method::CONNECT {
            return Err(Refusal::Form);
        }
        let path = unambiguous_path(target).map_err(Refusal::Target)?;
        Ok(Self { method, target, path, headers })
    }

    /// As in the request line.
    pub fn method(&self) -> &'r str {
        self.method
    }

    /// As in the request line: raw, with the query.
    pub fn target(&self) -> &'r str {
        self.target
    }

    /// Decoded, without the query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// As its client sent them.
    pub fn headers(&self) -> &'r F {
        self.headers
    }
}

/// Headers and the query carry secrets.
impl<F> std::fmt::Debug for Original<'_, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_decoded_and_the_target_stays_as_it_is() {
        let headers = HeaderMap::new();
        let original = Original::new("GET", "/a%20b?x=%2F", &headers).unwrap();
        assert_eq!((original.path(), original.target()), ("/a b", "/a%20b?x=%2F"));
    }

    #[test]
    fn request_that_means_two_things_is_no_original() {
        let headers = HeaderMap::new();
        for target in ["//a", "/a/../b", "/a/%2e%2e/b", "/a%2Fb", "/a;b", "/a%5cb", "/a%00"] {
            let refused = Original::new("GET", target, &headers);
            assert!(matches!(refused, Err(Refusal::Target(_))), "{target}");
        }
        for target in ["", "*", "a", "http://x/a", "x:80"] {
            assert!(Original::new("GET", target, &headers).is_err(), "{target}");
        }
        for method in ["CONNECT", "", "GET ", "GET\nPOST", "G\u{eb}T"] {
            let refused = Original::new(method, "/a", &headers);
            assert!(matches!(refused, Err(Refusal::Form)), "{method}");
        }
    }
}
