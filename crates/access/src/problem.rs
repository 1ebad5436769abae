//! Refusals on the wire: RFC 9457 `application/problem+json`, each of a type in the [`catalogue`].

mod catalogue;

pub use catalogue::ProblemType;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use std::time::Duration;

/// How long to wait after an outage of ours.
pub const RETRY_AFTER_OUTAGE: Duration = Duration::from_secs(2);

/// The same where more new tokens were shown than a node looks for in a second.
pub const RETRY_AFTER_TOO_MANY_NEW: Duration = Duration::from_secs(1);

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// An answer that says no, and why.
#[derive(Debug)]
pub struct Problem {
    kind: ProblemType,
    detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
}

impl Problem {
    /// `detail` says what happened this time.
    pub fn of(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), headers: Vec::new() }
    }

    /// When to ask again, in whole seconds, at least one.
    pub fn retry_after(self, after: Duration) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)))
    }

    /// Adds a header to the answer.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The status of its type.
    pub fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// What happened this time.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The whole answer. No cache may keep it; its extensions hold the [`ProblemType`].
    pub fn into_http(self) -> Response<Bytes> {
        let kind = self.kind;
        let body = Body {
            r#type: kind.urn(),
            title: kind.title(),
            status: kind.status().as_u16(),
            detail: &self.detail,
        };
        // Strings and a number: writing them cannot fail, and an empty body would still be a no.
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::new(Bytes::from(json));
        *response.status_mut() = kind.status();
        response.extensions_mut().insert(kind);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}
