//! Why a request may not pass, and the one place that words it.
//!
//! A credential that does not hold is one answer, whatever the reason: who asks must not learn
//! whether a token exists, is expired or was revoked. What can be seen in the request itself (a
//! second credential, a broken timestamp) is said plainly.

use crate::problem::{RETRY_AFTER_OUTAGE, RETRY_AFTER_TOO_MANY_NEW};
use crate::{Problem, ProblemType};
use http::{HeaderValue, header};
use rescind_core::target::TargetFault;
use rescind_core::{Demand, Denial, Malformed};
use rescind_guard::credentials::CredentialHeaders;

/// What a body may be coded in where the signature covers its bytes: nothing.
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// See the module's head. What it displays is for our own log, not for the client.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Not in origin form, or a method that is none.
    #[error("the request target is not a path")]
    Form,
    /// Somebody could read the target in another way.
    #[error(transparent)]
    Target(TargetFault),
    /// None was sent.
    #[error("no credential")]
    NoCredential,
    /// One was sent that cannot be read, or more than one.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// It does not hold.
    #[error("denied: {0}")]
    Denied(Denial),
    /// It holds, and may not do this. `needed` is the challenge that names the scopes.
    #[error("denied: scopes missing")]
    MissingScope {
        /// A value for `WWW-Authenticate`.
        needed: HeaderValue,
    },
    /// Neither yes nor no.
    #[error("this node cannot verify now")]
    Sealed,
    /// Neither, for the next second.
    #[error("more tokens that are new to this node are shown than it looks for")]
    TooManyNew,
    /// What it means is not signed.
    #[error("a signed body has a content coding")]
    ContentCoding,
    /// It is not read whole.
    #[error("the signed body is longer than {bytes_max} bytes")]
    BodyTooLarge {
        /// The most that is read.
        bytes_max: usize,
    },
    /// It did not arrive.
    #[error(transparent)]
    Body(BodyFault),
    /// They would take too much memory together.
    #[error("too many signed bodies are being read")]
    NoRoom,
}

/// Why a client's body did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// It took too long.
    #[error("the body did not arrive in time")]
    Slow,
    /// It ended early, or was no body.
    #[error("the body was cut short or is malformed")]
    Broken,
}

/// What 401 asks for, ready to be sent.
#[derive(Debug)]
pub(crate) struct Challenges {
    signing: Option<HeaderValue>,
}

const BEARER: HeaderValue = HeaderValue::from_static(r#"Bearer realm="rescind""#);
const BEARER_INVALID: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="rescind", error="invalid_token""#);
const BEARER_MALFORMED: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="rescind", error="invalid_request""#);

impl Challenges {
    pub(crate) fn new(credentials: &CredentialHeaders) -> Self {
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
    pub(crate) fn of(refusal: rescind_guard::Refusal, demand: &Demand<'_>) -> Self {
        match refusal {
            rescind_guard::Refusal::Sealed => Self::Sealed,
            rescind_guard::Refusal::TooManyNew => Self::TooManyNew,
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

    pub(crate) fn into_problem(self, challenges: &Challenges) -> Problem {
        let problem = Problem::of(self.kind(), self.detail());
        match self {
            Self::NoCredential => challenges.put(problem, BEARER),
            Self::Denied(_) => challenges.put(problem, BEARER_INVALID),
            Self::Malformed(Malformed::Several) => challenges.put(problem, BEARER_MALFORMED),
            Self::Malformed(_) => challenges.put(problem, BEARER_INVALID),
            Self::MissingScope { needed } => problem.header(header::WWW_AUTHENTICATE, needed),
            Self::ContentCoding => problem.header(header::ACCEPT_ENCODING, IDENTITY),
            Self::Sealed | Self::NoRoom => problem.retry_after(RETRY_AFTER_OUTAGE),
            Self::TooManyNew => problem.retry_after(RETRY_AFTER_TOO_MANY_NEW),
            _ => problem,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NoCredential => "Send a token as Authorization: Bearer, or as X-API-Key.".into(),
            // The same words for every reason.
            Self::Denied(_) => "The credential is not valid.".into(),
            Self::MissingScope { .. } => "The token lacks a scope that is needed here.".into(),
            other => format!("{other}."),
        }
    }

    fn kind(&self) -> ProblemType {
        use ProblemType as Is;
        match self {
            Self::Form
            | Self::Target(_)
            | Self::Body(BodyFault::Broken)
            | Self::Malformed(Malformed::Several) => Is::InvalidRequest,
            Self::NoCredential | Self::Malformed(_) | Self::Denied(_) => Is::Unauthorized,
            Self::MissingScope { .. } => Is::InsufficientScope,
            Self::Sealed | Self::TooManyNew | Self::NoRoom => Is::Unavailable,
            Self::ContentCoding => Is::ContentCoding,
            Self::BodyTooLarge { .. } => Is::BodyTooLarge,
            Self::Body(BodyFault::Slow) => Is::BodyTimeout,
        }
    }
}
