//! Our own path: which proxy asks, and for which scopes. Whoever set the proxy up wrote it, but for
//! what Envoy appends; a query is there only if the client sent one, and is the client's.

use super::Refusal;
use super::profile::{self, Profile, Request};
use percent_encoding::percent_decode_str;
use rescind_core::ScopeSet;

pub(super) const PREFIX: &str = "/v1/forward-auth/";

#[derive(Clone, Copy, Debug)]
pub(super) struct Route<'u> {
    pub(super) profile: &'static Profile,
    /// What follows the profile's name, raw, with the query.
    rest: &'u str,
}

impl<'u> Route<'u> {
    /// By path and query.
    pub(super) fn of(target: &'u str) -> Option<Self> {
        let (name, rest) = segment(target.strip_prefix(PREFIX)?);
        Some(Self { profile: profile::by_name(name)?, rest })
    }

    /// The scopes that are needed, and the original target if it stands in our own request line.
    pub(super) fn wanted(&self) -> Result<(ScopeSet, Option<&'u str>), Refusal> {
        let (scopes, rest) = match self.rest.strip_prefix("/require/").map(segment) {
            Some((list, rest)) => (scopes(list)?, rest),
            None => (ScopeSet::default(), self.without_require()),
        };
        match self.profile.request {
            Request::OwnLine if rest.starts_with('/') => Ok((scopes, Some(rest))),
            Request::Headers { .. } if rest.is_empty() || rest.starts_with('?') => {
                Ok((scopes, None))
            }
            _ => Err(Refusal::NoSuchPath),
        }
    }

    /// `/any` keeps Envoy's originals apart from `/require`: the client chooses how they begin.
    fn without_require(&self) -> &'u str {
        match self.profile.request {
            Request::OwnLine => self.rest.strip_prefix("/any").unwrap_or_default(),
            Request::Headers { .. } => self.rest,
        }
    }
}

/// Up to the next `/` or the query, and the rest with it.
fn segment(text: &str) -> (&str, &str) {
    text.split_at(text.find(['/', '?']).unwrap_or(text.len()))
}

fn scopes(list: &str) -> Result<ScopeSet, Refusal> {
    let decoded = list.split(',').map(|name| percent_decode_str(name).decode_utf8_lossy());
    let names: Vec<_> = decoded.collect();
    ScopeSet::parse(names.iter().map(AsRef::as_ref)).map_err(Refusal::Scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Profile, scopes and original target of a path below ours.
    fn wanted(path: &str) -> Option<(String, String, Option<String>)> {
        let target = format!("/v1/forward-auth/{path}");
        let route = Route::of(&target)?;
        let (scopes, target) = route.wanted().ok()?;
        Some((route.profile.name.into(), scopes.join(" "), target.map(Into::into)))
    }

    fn some(
        profile: &str,
        scopes: &str,
        target: Option<&str>,
    ) -> Option<(String, String, Option<String>)> {
        Some((profile.into(), scopes.into(), target.map(Into::into)))
    }

    #[test]
    fn profile_and_scopes_are_read_and_the_query_is_not() {
        for profile in ["nginx", "caddy", "traefik", "haproxy"] {
            assert_eq!(wanted(profile), some(profile, "", None));
            assert_eq!(wanted(&format!("{profile}?/require/x")), some(profile, "", None));
            let read = some(profile, "a/b orders:read", None);
            assert_eq!(wanted(&format!("{profile}/require/orders:read,a%2Fb")), read);
            assert_eq!(wanted(&format!("{profile}/require/orders%3Aread,a%2Fb?c=d/e")), read);
        }
    }

    #[test]
    fn everything_after_envoys_own_part_is_the_original() {
        let query = "/orders/a%20b?x=/require/y";
        assert_eq!(wanted(&format!("envoy/any{query}")), some("envoy", "", Some(query)));
        assert_eq!(wanted(&format!("envoy/require/a,b{query}")), some("envoy", "a b", Some(query)));
        assert_eq!(wanted("envoy/any/"), some("envoy", "", Some("/")));
        assert_eq!(wanted("envoy/any//x"), some("envoy", "", Some("//x")));
        assert_eq!(wanted("envoy/any/require/a/x"), some("envoy", "", Some("/require/a/x")));
    }

    #[test]
    fn path_that_nobody_means_is_refused() {
        for path in [
            "apache",
            "Nginx",
            "nginx/",
            "nginx/any",
            "nginx/require",
            "nginx/require/",
            "nginx/require/a,",
            "nginx/require/a/",
            "nginx/require/a/b",
            "nginx/require/a%2Cb",
            "nginx/require/a%20b",
            "caddyx",
            "envoy",
            "envoy/any",
            "envoy/any?x=/a",
            "envoy/anyone/a",
            "envoy/orders",
            "envoy/require/a",
            "envoy/require/a?x=/a",
            "envoy/require//a",
        ] {
            assert_eq!(wanted(path), None, "{path}");
        }
    }
}
