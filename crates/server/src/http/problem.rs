//! Errors in Rescind's own shape. What they are on the wire stands in `rescind_access::problem`;
//! this is the same as an answer of our own handlers, and [`pages`] explain each type.

pub mod pages;

pub use rescind_access::problem::{ProblemType, RETRY_AFTER_OUTAGE, RETRY_AFTER_TOO_MANY_NEW};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use rescind_core::RevocationReason;
use std::time::Duration;

#[derive(Debug)]
pub struct Problem(rescind_access::Problem);

impl Problem {
    /// `detail` says what happened this time.
    pub fn of(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self(rescind_access::Problem::of(kind, detail))
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::of(ProblemType::InvalidRequest, detail)
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::of(ProblemType::NotFound, detail)
    }

    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::of(ProblemType::Conflict, detail)
    }

    /// A handler for the methods that a path does not have; the router adds `Allow`.
    pub async fn method_not_allowed() -> Self {
        Self::of(ProblemType::MethodNotAllowed, "This path does not take that method.")
    }

    /// An outage of ours: never 401, for a client would throw a good token away.
    pub fn unavailable() -> Self {
        let detail =
            "The service cannot answer now; nothing was changed or the outcome is unknown.";
        Self::of(ProblemType::Unavailable, detail).retry_after(RETRY_AFTER_OUTAGE)
    }

    pub fn retry_after(self, after: Duration) -> Self {
        Self(self.0.retry_after(after))
    }

    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        Self(self.0.header(name, value))
    }

    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// What happened this time.
    pub fn detail(&self) -> &str {
        self.0.detail()
    }
}

impl From<rescind_access::Problem> for Problem {
    fn from(problem: rescind_access::Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.0.into_http().map(Body::from)
    }
}

/// `unspecified, key_compromise, …`, for messages that name what would have been right.
pub fn reasons() -> String {
    RevocationReason::ALL.map(RevocationReason::as_str).join(", ")
}
