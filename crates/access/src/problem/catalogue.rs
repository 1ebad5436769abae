//! Every problem that Rescind's own endpoints can answer with: one table, so that no answer has a
//! type that nobody can look up. A type has one status and one title, whoever answers with it; what
//! happened this time stands in the answer's `detail`.

use http::StatusCode;

/// Stable across versions and hosts; a client matches on it.
const URN_PREFIX: &str = "urn:rescind:problem:";

#[derive(Debug)]
struct Entry {
    /// With its prefix.
    urn: &'static str,
    status: StatusCode,
    title: &'static str,
    meaning: &'static str,
}

macro_rules! catalogue {
    ($($kind:ident: $status:ident, $name:literal, $title:literal, $meaning:literal;)+) => {
        /// One type of problem (RFC 9457 §3.1.1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemType {
            $(#[doc = $meaning] $kind),+
        }

        impl ProblemType {
            /// By name.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            const fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$kind => &Entry {
                        urn: concat!("urn:rescind:problem:", $name),
                        status: StatusCode::$status,
                        title: $title,
                        meaning: $meaning,
                    }),+
                }
            }
        }
    };
}

catalogue! {
    BadGateway: BAD_GATEWAY, "bad-gateway", "Bad gateway",
        "The service behind the gateway cannot be reached, broke off, or answered what is not HTTP.";
    BodyTimeout: REQUEST_TIMEOUT, "body-timeout", "Body timeout",
        "The body did not arrive in time. Send the request again.";
    BodyTooLarge: PAYLOAD_TOO_LARGE, "body-too-large", "Body too large",
        "The body is longer than may be read here; the detail says how long it may be.";
    Conflict: CONFLICT, "conflict", "Conflict",
        "It exists already, or its state does not allow this.";
    ContentCoding: UNSUPPORTED_MEDIA_TYPE, "content-coding", "Unsupported content coding",
        "A signed body must be sent without Content-Encoding: the coding is not signed.";
    Expectation: EXPECTATION_FAILED, "expectation", "Expectation failed",
        "Of all expectations only 100-continue can be met.";
    GatewayTimeout: GATEWAY_TIMEOUT, "gateway-timeout", "Gateway timeout",
        "The service behind the gateway did not answer in time. It may have acted all the same.";
    IdempotencyKeyReused: UNPROCESSABLE_ENTITY, "idempotency-key-reused", "Idempotency key reused",
        "This Idempotency-Key was used before, for another request. Take a new key.";
    InsufficientScope: FORBIDDEN, "insufficient-scope", "Insufficient scope",
        "The token is valid, and lacks a scope that is needed here.";
    InvalidRequest: BAD_REQUEST, "invalid-request", "Invalid request",
        "The request cannot be read, or a value in it is not allowed; the detail names it.";
    LastAdmin: CONFLICT, "last-admin", "Last administrator",
        "Nobody could administer this server afterwards. Make another administrator's token first.";
    MethodNotAllowed: METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed",
        "This path does not take that method; the Allow header names those that it takes.";
    NotAllowed: FORBIDDEN, "not-allowed", "Not allowed",
        "The caller has the scope, and still may not do this, or not to this owner.";
    NotFound: NOT_FOUND, "not-found", "Not found",
        "There is no such thing, or none that the caller may see.";
    TooManyRequests: TOO_MANY_REQUESTS, "too-many-requests", "Too many requests",
        "A limit is reached. Wait for as long as Retry-After says.";
    Unauthorized: UNAUTHORIZED, "unauthorized", "Unauthorized",
        "No credential, or one that does not hold: unknown, expired and revoked ones are told alike.";
    Unavailable: SERVICE_UNAVAILABLE, "unavailable", "Unavailable",
        "This node cannot answer now. It says nothing about the token: keep it, and ask again.";
    UnsupportedMediaType: UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type",
        "Unsupported media type",
        "The body has another Content-Type than is expected here; the detail names that one.";
    UntrustedPeer: FORBIDDEN, "untrusted-peer", "Untrusted peer",
        "This address is not among those whose word about a client is taken.";
}

impl ProblemType {
    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The `type` member.
    pub const fn urn(self) -> &'static str {
        self.entry().urn
    }

    /// The last part of its URN, and of its address: `/v1/problems/NAME`.
    pub fn name(self) -> &'static str {
        self.urn().strip_prefix(URN_PREFIX).unwrap_or_default()
    }

    /// The status of every answer of this type.
    pub const fn status(self) -> StatusCode {
        self.entry().status
    }

    /// The `title` member: the same for every answer of this type.
    pub const fn title(self) -> &'static str {
        self.entry().title
    }

    /// What it means to whoever meets it.
    pub const fn meaning(self) -> &'static str {
        self.entry().meaning
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_own_name_and_reads_back() {
        for &kind in ProblemType::ALL {
            assert_eq!(ProblemType::parse(kind.name()), Some(kind));
            let clean = |b: u8| b.is_ascii_lowercase() || b == b'-';
            assert!(!kind.name().is_empty() && kind.name().bytes().all(clean), "{kind:?}");
        }
        assert!(ProblemType::ALL.is_sorted_by_key(|kind| kind.name()));
    }

    #[test]
    fn every_type_is_an_error_and_says_what_it_means() {
        for kind in ProblemType::ALL {
            assert!(kind.status().is_client_error() || kind.status().is_server_error());
            assert!(!kind.title().ends_with('.') && kind.meaning().ends_with('.'), "{kind:?}");
        }
    }
}
