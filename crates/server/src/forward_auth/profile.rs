//! What each proxy says of the request that it asks about, and which answers it can take.
//!
//! A table, so that a profile cannot do anything that is not written here.

use http::HeaderName;

#[derive(Debug)]
pub(super) struct Profile {
    pub(super) name: &'static str,
    pub(super) request: Request,
    pub(super) client: Client,
    pub(super) bodies: Bodies,
    /// nginx answers 500 for every denial that is neither 401 nor 403.
    pub(super) only_401_and_403: bool,
}

/// Where the original request line stands.
#[derive(Debug)]
pub(super) enum Request {
    Headers {
        method: HeaderName,
        target: HeaderName,
    },
    /// In our own request line, after what the operator wrote.
    OwnLine,
}

/// Where the client's address stands.
#[derive(Debug)]
pub(super) enum Client {
    RealIp,
    ForwardedFor,
    /// Envoy leaves it out unless it is told to send it.
    PerhapsForwardedFor,
}

/// Whether the original's body may come along.
#[derive(Debug)]
pub(super) enum Bodies {
    /// The proxy may announce one all the same; the hint says how to stop that.
    Never {
        hint: &'static str,
    },
    Perhaps,
}

pub(super) fn by_name(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}

const fn headers(method: &'static str, target: &'static str) -> Request {
    Request::Headers {
        method: HeaderName::from_static(method),
        target: HeaderName::from_static(target),
    }
}

static PROFILES: [Profile; 5] = [
    Profile {
        name: "nginx",
        request: headers("x-original-method", "x-original-uri"),
        client: Client::RealIp,
        bodies: Bodies::Never {
            hint: "add `proxy_pass_request_body off;` and `proxy_set_header Content-Length \"\";` \
                   to the location that asks",
        },
        only_401_and_403: true,
    },
    Profile {
        name: "caddy",
        request: headers("x-forwarded-method", "x-forwarded-uri"),
        client: Client::ForwardedFor,
        bodies: Bodies::Never { hint: "ask with `forward_auth`, which sends no body" },
        only_401_and_403: false,
    },
    Profile {
        name: "traefik",
        request: headers("x-forwarded-method", "x-forwarded-uri"),
        client: Client::ForwardedFor,
        bodies: Bodies::Perhaps,
        only_401_and_403: false,
    },
    Profile {
        name: "haproxy",
        request: headers("x-rescind-original-method", "x-rescind-original-target"),
        client: Client::RealIp,
        bodies: Bodies::Perhaps,
        only_401_and_403: false,
    },
    Profile {
        name: "envoy",
        request: Request::OwnLine,
        client: Client::PerhapsForwardedFor,
        bodies: Bodies::Perhaps,
        only_401_and_403: false,
    },
];
