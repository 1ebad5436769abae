//! Which access a path asks for.
//!
//! The longest route path that covers a request decides, and decides alone: a method that it does
//! not name is refused and never falls to a shorter, perhaps less protected path. Where no path
//! fits, any valid token will do; nothing is public by being forgotten.

use super::{GatewayError, refusal::Refusal};
use crate::config;
use http::{HeaderValue, Method};
use rescind_core::ScopeSet;

#[derive(Debug)]
pub(super) enum Access {
    Public,
    /// A valid token with all of these scopes.
    Scopes(ScopeSet),
}

/// Groups of rules for one path each, the longest path first.
#[derive(Debug)]
pub(super) struct Routes {
    groups: Vec<Group>,
    default: Access,
}

#[derive(Debug)]
struct Group {
    path: String,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    /// All, if empty.
    methods: Vec<String>,
    access: Access,
}

impl Routes {
    /// From routes that passed the configuration's own checks.
    pub(super) fn compile(routes: &[config::Route]) -> Result<Self, GatewayError> {
        let mut groups: Vec<Group> = Vec::new();
        for route in routes {
            let rule = Rule::compile(route)?;
            match groups.iter_mut().find(|group| group.path == route.path) {
                Some(group) => group.rules.push(rule),
                None => groups.push(Group { path: route.path.clone(), rules: vec![rule] }),
            }
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.path.len()));
        Ok(Self { groups, default: Access::Scopes(ScopeSet::default()) })
    }

    /// `path` is decoded and unambiguous.
    pub(super) fn access(&self, path: &str, method: &Method) -> Result<&Access, Refusal> {
        match self.groups.iter().find(|group| group.covers(path)) {
            Some(group) => group.access(method),
            None => Ok(&self.default),
        }
    }
}

impl Rule {
    fn compile(route: &config::Route) -> Result<Self, GatewayError> {
        let fault =
            |fault: &str| GatewayError::Route { path: route.path.clone(), fault: fault.into() };
        let scopes = ScopeSet::parse(route.scopes.iter().map(String::as_str))
            .map_err(|error| fault(&error.to_string()))?;
        let access = match (route.public, scopes.is_empty()) {
            (true, false) => return Err(fault("public, and asks for scopes")),
            (true, true) => Access::Public,
            (false, _) => Access::Scopes(scopes),
        };
        Ok(Self { methods: route.methods.clone(), access })
    }

    fn is_about(&self, method: &str) -> bool {
        // Without case, although methods have one: a program behind us may take `post` for `POST`.
        self.methods.is_empty()
            || self.methods.iter().any(|named| named.eq_ignore_ascii_case(method))
    }
}

impl Group {
    /// By whole segments: `/v1/orders` covers `/v1/orders/7`, not `/v1/ordersets`.
    fn covers(&self, path: &str) -> bool {
        let below = path.strip_prefix(self.path.as_str());
        self.path == "/" || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn access(&self, method: &Method) -> Result<&Access, Refusal> {
        let about = |method: &str| self.rules.iter().find(|rule| rule.is_about(method));
        let mut found = about(method.as_str());
        // HEAD is GET without its body (RFC 9110 §9.3.2), so what is asked for GET is asked for it.
        if found.is_none() && method == Method::HEAD {
            found = about("GET");
        }
        found.map(|rule| &rule.access).ok_or_else(|| Refusal::Method { allow: self.allow() })
    }

    fn allow(&self) -> HeaderValue {
        let mut names: Vec<_> = self.rules.iter().flat_map(|rule| &rule.methods).collect();
        names.sort_unstable();
        names.dedup();
        let names: Vec<_> = names.into_iter().map(String::as_str).collect();
        HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str, methods: &[&str], scopes: &[&str], public: bool) -> config::Route {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        config::Route { path: path.into(), methods: owned(methods), scopes: owned(scopes), public }
    }

    /// `public`, the scopes, or the methods that would have been allowed.
    fn asks(routes: &Routes, method: &str, path: &str) -> String {
        match routes.access(path, &Method::from_bytes(method.as_bytes()).unwrap()) {
            Ok(Access::Public) => "public".into(),
            Ok(Access::Scopes(scopes)) => scopes.join(" "),
            Err(Refusal::Method { allow }) => format!("only {}", allow.to_str().unwrap()),
            Err(other) => panic!("{other}"),
        }
    }

    fn example() -> Routes {
        Routes::compile(&[
            route("/", &[], &[], true),
            route("/v1", &[], &["read"], false),
            route("/v1/orders", &["GET"], &["read"], false),
            route("/v1/orders", &["POST", "PUT"], &["write"], false),
            route("/v1/orders/status", &[], &[], true),
        ])
        .unwrap()
    }

    #[test]
    fn longest_path_by_whole_segments_decides() {
        let routes = example();
        assert_eq!(asks(&routes, "GET", "/"), "public");
        assert_eq!(asks(&routes, "GET", "/v10"), "public");
        assert_eq!(asks(&routes, "GET", "/v1"), "read");
        assert_eq!(asks(&routes, "GET", "/v1/"), "read");
        assert_eq!(asks(&routes, "DELETE", "/v1/ordersets"), "read");
        assert_eq!(asks(&routes, "POST", "/v1/orders/7"), "write");
        assert_eq!(asks(&routes, "POST", "/v1/orders/status/7"), "public");
    }

    #[test]
    fn method_that_a_path_does_not_name_never_falls_to_a_shorter_path() {
        let routes = example();
        assert_eq!(asks(&routes, "DELETE", "/v1/orders/7"), "only GET, POST, PUT");
        assert_eq!(asks(&routes, "OPTIONS", "/v1/orders"), "only GET, POST, PUT");
    }

    #[test]
    fn method_in_another_case_asks_for_the_same() {
        let routes = example();
        assert_eq!(asks(&routes, "post", "/v1/orders"), "write");
        assert_eq!(asks(&routes, "Delete", "/v1/orders"), "only GET, POST, PUT");
    }

    #[test]
    fn head_asks_for_what_get_asks_for() {
        let routes = example();
        assert_eq!(asks(&routes, "HEAD", "/v1/orders"), "read");
        let no_get = Routes::compile(&[route("/x", &["POST"], &[], true)]).unwrap();
        assert_eq!(asks(&no_get, "HEAD", "/x"), "only POST");
    }

    #[test]
    fn path_without_a_route_asks_for_a_token() {
        let routes = Routes::compile(&[route("/a", &[], &[], true)]).unwrap();
        assert!(
            matches!(routes.access("/b", &Method::GET), Ok(Access::Scopes(none)) if none.is_empty())
        );
    }

    #[test]
    fn public_route_with_scopes_is_refused() {
        assert!(Routes::compile(&[route("/a", &[], &["read"], true)]).is_err());
    }
}
