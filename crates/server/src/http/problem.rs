//! Errors in Rescind's own shape: RFC 9457 `application/problem+json`.

use super::no_store;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use rescind_core::RevocationReason;
use serde::Serialize;
use std::time::Duration;

/// Stable across versions and hosts; a client matches on it, a person may follow it.
const TYPE_PREFIX: &str = "urn:rescind:problem:";

/// How long to wait after an outage of ours, in seconds.
pub const RETRY_AFTER_OUTAGE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    slug: &'static str,
    title: &'static str,
    detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
}

impl Problem {
    pub fn new(
        status: StatusCode,
        slug: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self { status, slug, title, detail: detail.into(), headers: Vec::new() }
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-request", "Invalid request", detail)
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "Conflict", detail)
    }

    /// An outage of ours: never 401, for a client would throw a good token away.
    pub fn unavailable() -> Self {
        let detail =
            "The service cannot answer now; nothing was changed or the outcome is unknown.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable", detail)
            .retry_after(RETRY_AFTER_OUTAGE)
    }

    pub fn retry_after(self, after: Duration) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)))
    }

    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            r#type: format!("{TYPE_PREFIX}{}", self.slug),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
        };
        let mut response = (self.status, Json(body)).into_response();
        let content_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        no_store(response)
    }
}

/// `unspecified, key_compromise, …`, for messages that name what would have been right.
pub fn reasons() -> String {
    RevocationReason::ALL.map(RevocationReason::as_str).join(", ")
}
