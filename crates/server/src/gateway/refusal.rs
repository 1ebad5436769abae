//! Everything that can be answered instead of the upstream's response, and the one place that words
//! it.
//!
//! A credential that does not hold is one answer, whatever the reason: who asks must not learn
//! whether a token exists, is expired or was revoked. What can be seen in the request itself (a
//! second credential, a broken timestamp) is said plainly.

use super::body::BodyFault;
use crate::http::Problem;
use crate::http::problem::RETRY_AFTER_OUTAGE;
use http::{HeaderValue, StatusCode, header};
use rescind_core::target::TargetFault;
use rescind_core::{Demand, Denial, Malformed};
use rescind_guard::credentials::CredentialHeaders;

/// What a body may be coded in where the signature covers its bytes: nothing.
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("there is no upstream")]
    NoUpstream,
    #[error("the request target is not a path")]
    Form,
    #[error(transparent)]
    Target(TargetFault),
    #[error("the route does not name this method")]
    Method { allow: HeaderValue },
    #[error("no credential")]
    NoCredential,
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("denied: {0}")]
    Denied(Denial),
    #[error("denied: scopes missing")]
    MissingScope { needed: HeaderValue },
    #[error("this node cannot verify now")]
    Sealed,
    #[error("a signed body has a content coding")]
    ContentCoding,
    #[error("the signed body is longer than {bytes_max} bytes")]
    BodyTooLarge { bytes_max: usize },
    #[error(transparent)]
    Body(BodyFault),
    #[error("too many signed bodies are being read")]
    NoRoom,
    #[error("too many upgraded connections")]
    Tunnels,
    #[error("the upstream cannot be reached")]
    UpstreamUnreachable,
    #[error("the upstream broke the connection off or answered what is not HTTP")]
    UpstreamBroken,
    #[error("the upstream switched to a protocol that nobody asked for")]
    UnaskedUpgrade,
    #[error("the upstream did not answer in time")]
    UpstreamSlow,
}

/// What 401 asks for, ready to be sent.
#[derive(Debug)]
pub(super) struct Challenges {
    signing: Option<HeaderValue>,
}

const BEARER: HeaderValue = HeaderValue::from_static(r#"Bearer realm="rescind""#);
const BEARER_INVALID: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="rescind", error="invalid_token""#);
const BEARER_MALFORMED: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="rescind", error="invalid_request""#);

impl Challenges {
    pub(super) fn new(credentials: &CredentialHeaders) -> Self {
        let challenge = credentials.signing.as_ref().and_then(|names| {
            let (key, timestamp, signature) = (&names.key, &names.timestamp, &names.signature);
            let text = format!(
                r#"Rescind-HMAC-SHA256 realm="rescind", headers="{key} {timestamp} {signature}""#
            );
            HeaderValue::from_str(&text).ok()
        });
        Self { signing: challenge }
    }

    /// RFC 6750 §3, and beside it the scheme of signed requests.
    fn put(&self, problem: Problem, bearer: HeaderValue) -> Problem {
        let problem = problem.header(header::WWW_AUTHENTICATE, bearer);
        match &self.signing {
            Some(signing) => problem.header(header::WWW_AUTHENTICATE, signing.clone()),
            None => problem,
        }
    }
}

impl Refusal {
    pub(super) fn of(refusal: rescind_guard::Refusal, demand: &Demand<'_>) -> Self {
        match refusal {
            rescind_guard::Refusal::Sealed => Self::Sealed,
            rescind_guard::Refusal::Denied(denial) if denial.is_forbidden() => {
                let scope = demand.scopes.join(" ");
                let text = format!(
                    r#"Bearer realm="rescind", error="insufficient_scope", scope="{scope}""#
                );
                let needed = HeaderValue::from_str(&text).unwrap_or(BEARER);
                Self::MissingScope { needed }
            }
            rescind_guard::Refusal::Denied(denial) => Self::Denied(denial),
        }
    }

    pub(super) fn is_upstreams_fault(&self) -> bool {
        use Refusal::{UnaskedUpgrade, UpstreamBroken, UpstreamSlow, UpstreamUnreachable};
        matches!(self, UpstreamUnreachable | UpstreamBroken | UpstreamSlow | UnaskedUpgrade)
    }

    pub(super) fn into_problem(self, challenges: &Challenges) -> Problem {
        let (status, slug, title) = self.kind();
        let problem = Problem::new(status, slug, title, self.detail());
        match self {
            Self::NoCredential => challenges.put(problem, BEARER),
            Self::Denied(_) => challenges.put(problem, BEARER_INVALID),
            Self::Malformed(Malformed::Several) => challenges.put(problem, BEARER_MALFORMED),
            Self::Malformed(_) => challenges.put(problem, BEARER_INVALID),
            Self::MissingScope { needed } => problem.header(header::WWW_AUTHENTICATE, needed),
            Self::Method { allow } => problem.header(header::ALLOW, allow),
            Self::ContentCoding => problem.header(header::ACCEPT_ENCODING, IDENTITY),
            Self::Sealed | Self::Tunnels | Self::NoRoom => problem.retry_after(RETRY_AFTER_OUTAGE),
            _ => problem,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NoUpstream => "Nothing is served here.".into(),
            Self::NoCredential => "Send a token as Authorization: Bearer, or as X-API-Key.".into(),
            // The same words for every reason.
            Self::Denied(_) => "The credential is not valid.".into(),
            Self::MissingScope { .. } => "The token lacks a scope that is needed here.".into(),
            other => format!("{other}."),
        }
    }

    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as Is;
        match self {
            Self::NoUpstream => (Is::NOT_FOUND, "not-found", "Not found"),
            Self::Form
            | Self::Target(_)
            | Self::Body(BodyFault::Broken)
            | Self::Malformed(Malformed::Several) => {
                (Is::BAD_REQUEST, "invalid-request", "Invalid request")
            }
            Self::Method { .. } => (Is::METHOD_NOT_ALLOWED, "method", "Method not allowed"),
            Self::NoCredential | Self::Malformed(_) | Self::Denied(_) => {
                (Is::UNAUTHORIZED, "unauthorized", "Unauthorized")
            }
            Self::MissingScope { .. } => (Is::FORBIDDEN, "insufficient-scope", "Forbidden"),
            Self::Sealed | Self::Tunnels | Self::NoRoom => {
                (Is::SERVICE_UNAVAILABLE, "unavailable", "Unavailable")
            }
            Self::ContentCoding => {
                (Is::UNSUPPORTED_MEDIA_TYPE, "content-coding", "Unsupported content coding")
            }
            Self::BodyTooLarge { .. } => {
                (Is::PAYLOAD_TOO_LARGE, "body-too-large", "Body too large")
            }
            Self::Body(BodyFault::Slow) => (Is::REQUEST_TIMEOUT, "body-timeout", "Request timeout"),
            Self::UpstreamUnreachable | Self::UpstreamBroken | Self::UnaskedUpgrade => {
                (Is::BAD_GATEWAY, "bad-gateway", "Bad gateway")
            }
            Self::UpstreamSlow => (Is::GATEWAY_TIMEOUT, "gateway-timeout", "Gateway timeout"),
        }
    }
}
