//! Errors as RFC 6749 §5.2 has them: `{"error": …, "error_description": …}`.

use super::caller::Scheme;
use crate::http::problem::RETRY_AFTER_OUTAGE;
use crate::http::{BodyError, no_store};
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use rescind_store::StoreError;
use serde::Serialize;

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{0}")]
    InvalidRequest(&'static str),
    #[error("{0}")]
    Body(#[from] BodyError),
    /// Whoever asks is nobody that we know: none, unknown, expired and revoked are told alike.
    #[error("an admin token is needed: as Bearer, as the password of Basic, or as client_secret")]
    InvalidClient(Scheme),
    #[error("this token lacks the scope read")]
    InsufficientScope,
    #[error("tokens of operators are revoked on the admin listener")]
    UnsupportedTokenType,
    #[error("this cannot be answered now: ask again")]
    Unavailable,
}

#[derive(Serialize)]
struct Body {
    error: &'static str,
    error_description: String,
}

const BASIC: HeaderValue = HeaderValue::from_static(r#"Basic realm="rescind-admin""#);
const BEARER: HeaderValue = HeaderValue::from_static(r#"Bearer realm="rescind-admin""#);
const BEARER_INVALID: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="rescind-admin", error="invalid_token""#);
const BEARER_SCOPE: HeaderValue = HeaderValue::from_static(
    r#"Bearer realm="rescind-admin", error="insufficient_scope", scope="read""#,
);

impl Error {
    fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::Body(fault) => (fault.status(), "invalid_request"),
            // RFC 7662 §2.3: a client's credential is answered as RFC 6749 says, a bearer token as
            // RFC 6750.
            Self::InvalidClient(Scheme::Bearer) => (StatusCode::UNAUTHORIZED, "invalid_token"),
            Self::InvalidClient(_) => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::InsufficientScope => (StatusCode::FORBIDDEN, "insufficient_scope"),
            Self::UnsupportedTokenType => (StatusCode::BAD_REQUEST, "unsupported_token_type"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
        }
    }

    fn challenges(&self) -> Vec<HeaderValue> {
        match self {
            Self::InvalidClient(Scheme::Bearer) => vec![BEARER_INVALID],
            Self::InvalidClient(Scheme::Basic) => vec![BASIC],
            Self::InvalidClient(Scheme::Form | Scheme::None) => vec![BASIC, BEARER],
            Self::InsufficientScope => vec![BEARER_SCOPE],
            _ => Vec::new(),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, error) = self.kind();
        let body = Body { error, error_description: format!("{self}.") };
        let mut response = (status, Json(body)).into_response();
        for challenge in self.challenges() {
            response.headers_mut().append(header::WWW_AUTHENTICATE, challenge);
        }
        if let Self::Unavailable = self {
            let seconds = HeaderValue::from(RETRY_AFTER_OUTAGE.as_secs());
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        no_store(response)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        crate::service::log_store_error(&error);
        Self::Unavailable
    }
}
