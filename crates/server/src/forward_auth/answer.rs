//! Yes and no, as proxies understand them.

use super::profile::Profile;
use crate::access::identity_headers;
use crate::http::fast_path::Answer;
use crate::http::problem::pages;
use crate::http::{NO_STORE, Problem, no_store};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use rescind_guard::Verified;

/// What a denial would have been, for a proxy that takes only two of them.
const X_RESCIND_STATUS: HeaderName = HeaderName::from_static("x-rescind-status");

/// Exactly 200, and every identity header: one that is left out would be the client's own. They
/// stand where the question's `headers` stood, so that no other place is made for them.
pub(super) fn allow(verified: Option<&Verified>, mut headers: HeaderMap) -> Response {
    headers.clear();
    identity_headers::insert(&mut headers, verified);
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = headers;
    no_store(response)
}

/// The same, written.
pub(super) fn write_allow(verified: Option<&Verified>, answer: &mut Answer) {
    answer.begin(StatusCode::OK);
    identity_headers::write(answer, verified);
    for (name, value) in &NO_STORE {
        answer.field(name, value.as_bytes());
    }
    answer.end(b"");
}

pub(super) fn deny(profile: &Profile, problem: Problem) -> Response {
    let mut response = problem.into_response();
    pages::leave_unlinked(&mut response);
    if profile.only_401_and_403 {
        let status = response.status();
        let told = HeaderValue::from(status.as_u16());
        response.headers_mut().insert(X_RESCIND_STATUS, told);
        if status != StatusCode::UNAUTHORIZED {
            *response.status_mut() = StatusCode::FORBIDDEN;
        }
    }
    response
}

pub(super) fn no_such_profile() -> Response {
    Problem::not_found("Forward-auth has no such profile.").into_response()
}

pub(super) fn close(response: &mut Response) {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}
