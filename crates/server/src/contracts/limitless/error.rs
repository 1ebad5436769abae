//! Errors as NestJS writes them: `{message, error, statusCode}`. `message` is a string: the
//! official clients lose or mangle an array of strings.

use crate::http::problem::RETRY_AFTER_OUTAGE;
use crate::http::{BodyError, HeadFault, no_store};
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use rescind_core::Malformed;
use rescind_guard::Refusal;
use rescind_store::StoreError;
use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    message: String,
    error: &'static str,
    status_code: u16,
}

#[derive(Debug)]
pub enum Error {
    /// Whatever is wrong with the credential: one answer, and before any other error.
    NotAuthenticated,
    Invalid(String),
    Body(BodyError),
    Head(HeadFault),
    TokenManagementOff,
    ScopeNotAllowed,
    TooManyTokens,
    LegacyKeysOff,
    TokenNotFound,
    KeyNotFound,
    MethodNotAllowed,
    Unavailable,
    Internal,
}

impl Error {
    fn parts(&self) -> (StatusCode, &'static str, String) {
        match self {
            Self::NotAuthenticated => {
                (StatusCode::UNAUTHORIZED, "Unauthorized", "Not authenticated".into())
            }
            Self::Invalid(message) => (StatusCode::BAD_REQUEST, "Bad Request", message.clone()),
            Self::Body(fault) => with_reason(fault.status(), fault.to_string()),
            Self::Head(fault) => with_reason(fault.status(), fault.to_string()),
            Self::TokenManagementOff => {
                let message = "Token management not enabled for this partner";
                (StatusCode::FORBIDDEN, "Forbidden", message.into())
            }
            Self::ScopeNotAllowed => {
                let message = "A requested scope is not among the allowed scopes of this partner";
                (StatusCode::FORBIDDEN, "Forbidden", message.into())
            }
            Self::TooManyTokens => {
                let message = "Too many active tokens, revoke some of them first";
                (StatusCode::CONFLICT, "Conflict", message.into())
            }
            Self::LegacyKeysOff => {
                let message = "API keys are no longer issued; derive a scoped token instead";
                (StatusCode::FORBIDDEN, "Forbidden", message.into())
            }
            Self::TokenNotFound => (
                StatusCode::BAD_REQUEST,
                "Bad Request",
                "Token not found or already revoked".into(),
            ),
            Self::KeyNotFound => (
                StatusCode::BAD_REQUEST,
                "Bad Request",
                "API key not found or already revoked".into(),
            ),
            Self::MethodNotAllowed => {
                let message = "This path does not take that method";
                (StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed", message.into())
            }
            Self::Unavailable => {
                let message = "The service cannot answer now";
                (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable", message.into())
            }
            Self::Internal => {
                let message = "Something went wrong on our side";
                (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error", message.into())
            }
        }
    }
}

fn with_reason(status: StatusCode, message: String) -> (StatusCode, &'static str, String) {
    (status, status.canonical_reason().unwrap_or("Bad Request"), message)
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, error, message) = self.parts();
        let body = Body { message, error, status_code: status.as_u16() };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"rescind\""),
            );
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let after = HeaderValue::from(RETRY_AFTER_OUTAGE.as_secs());
            headers.insert(header::RETRY_AFTER, after);
        }
        no_store(response)
    }
}

impl From<Malformed> for Error {
    fn from(_: Malformed) -> Self {
        Self::NotAuthenticated
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(_) => Self::NotAuthenticated,
            Refusal::Sealed | Refusal::TooManyNew => Self::Unavailable,
        }
    }
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::ActorRefused) {
            return Self::NotAuthenticated;
        }
        crate::service::log_store_error(&error);
        Self::Unavailable
    }
}

/// axum adds `Allow` to a method router's own 405, not to a fallback's; the paths here take one to
/// three methods, and a client that guesses gets the documentation's answer.
pub(super) async fn method_not_allowed() -> Error {
    Error::MethodNotAllowed
}
